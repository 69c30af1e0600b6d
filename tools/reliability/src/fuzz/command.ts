import { fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Case, Finding } from './case.ts'

const fuzzMain = fileURLToPath(new URL('./fuzz-main.js', import.meta.url))
/** Conversations in one case. */
const perCase = 40
/** ms without a sign of life. */
const patience = 60_000
/** Bytes that the heap may grow between the first look at it and the last. */
const heapGrowth = 32 * 1024 * 1024

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    conversations: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'no-reduce': { type: 'boolean', default: false },
    most: { type: 'string', default: '20' },
  },
})

type Message =
  | { readonly kind: 'trying'; readonly seed: number }
  | {
      readonly kind: 'found' | 'reduced'
      readonly seed: number
      readonly findings: readonly Finding[]
      readonly small: Case
    }
  | { readonly kind: 'memory'; readonly heap: number }
  | { readonly kind: 'done' }

const directory = join(tmpdir(), `fuzz-${values.seed}`)
const seconds =
  values.minutes === undefined ? (values.conversations === undefined ? 60 : 0) : Number(values.minutes) * 60
const cases = values.conversations === undefined ? 1e9 : Math.ceil(Number(values.conversations) / perCase)
const found = new Map<string, { count: number; readonly finding: Finding; readonly seed: number }>()
const heaps: number[] = []
let tried = 0

process.exitCode = (await runAll()) ? 0 : 1

/** Whether nothing was found. */
async function runAll(): Promise<boolean> {
  const began = performance.now()
  let first = Number(values.seed) * 1_000_000
  for (let left = cases; left > 0;) {
    const elapsed = (performance.now() - began) / 1000
    if (seconds > 0 && elapsed >= seconds) break
    const next = await runFrom(first, left, seconds === 0 ? 0 : seconds - elapsed)
    if (next === undefined) break
    left -= next - first
    first = next
  }
  const grown = Math.max(0, (heaps.at(-1) ?? 0) - (heaps[Math.min(1, heaps.length - 1)] ?? 0))
  if (grown > heapGrowth) note({ check: 'memory', message: `the heap grew by ${grown} bytes` }, first)
  const elapsed = (performance.now() - began) / 1000
  process.stdout.write(
    `${tried * perCase} conversations, ${tried} brokers, ${elapsed.toFixed(0)} s; heap ${megabytes(heaps[0])} at first, ${megabytes(heaps.at(-1))} at last; ${found.size} kinds of findings\n`,
  )
  for (const { count, finding, seed } of [...found.values()].sort((one, other) => other.count - one.count)) {
    process.stdout.write(`${count} x ${finding.check}: ${finding.message} (seed ${seed})\n`)
  }
  if (found.size > 0) process.stdout.write(`reduced cases: ${directory}\n`)
  return found.size === 0
}

/** Runs cases in a process; returns the seed to go on with, when that process has ended before it was through. */
function runFrom(first: number, count: number, time: number): Promise<number | undefined> {
  const isReduced = !values['no-reduce']
  const child = fork(fuzzMain, [String(first), String(count), String(time), isReduced ? 'reduce' : 'keep'], {
    // Warnings tell the program what it does wrong: here thousands of times, on purpose.
    execArgv: ['--expose-gc', '--no-warnings'],
  })
  let trying = first
  let isDone = false
  let alarm: NodeJS.Timeout
  const wait = (): void => {
    clearTimeout(alarm)
    alarm = setTimeout(() => child.kill('SIGKILL'), patience)
  }
  wait()
  return new Promise(resolve => {
    child.on('message', (message: Message) => {
      wait()
      if (message.kind === 'done') isDone = true
      if (message.kind === 'memory') {
        heaps.push(message.heap)
        process.stderr.write(`${tried * perCase} conversations, ${found.size} kinds of findings\n`)
      }
      if (message.kind === 'trying') {
        trying = message.seed
        tried += 1
      }
      if (message.kind === 'found' || message.kind === 'reduced') keep(message)
      if (found.size >= Number(values.most)) child.kill('SIGKILL')
    })
    child.once('exit', () => {
      clearTimeout(alarm)
      if (isDone || found.size >= Number(values.most)) return resolve(undefined)
      note({ check: 'process', message: 'it ended or stood still' }, trying)
      resolve(trying + 1)
    })
  })
}

function keep({ kind, seed, findings, small }: Extract<Message, { kind: 'found' | 'reduced' }>): void {
  if (kind === 'found') for (const finding of findings) note(finding, seed)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, `${seed}.json`), `${JSON.stringify({ findings, ...small }, null, 2)}\n`)
}

function note(finding: Finding, seed: number): void {
  const key = `${finding.check} ${finding.message.split(' | ').slice(0, 2).join(' | ').replaceAll(/\d+/g, 'n').slice(0, 160)}`
  const known = found.get(key)
  if (known === undefined) found.set(key, { count: 1, finding, seed })
  else known.count += 1
}

function megabytes(bytes = 0): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`
}
