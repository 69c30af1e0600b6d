import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Probe } from './probe.ts'
import { bounds, memoryBound } from './row.ts'
import type { Also, Row } from './row.ts'
import { Victim } from './victim.ts'
import { warmUp } from './warm-up.ts'

const attackMain = fileURLToPath(new URL('./attack-main.js', import.meta.url))

/** What a row cost. Times in ms, sizes in bytes. */
export interface Measurement {
  readonly name: string
  readonly input: string
  readonly cpu: number
  readonly longestTurn: number
  readonly peakMemory: number
  /** What a garbage collection leaves while the attacker holds its connections. */
  readonly heldMemory: number
  readonly memoryBound: number
  /** What allows more than usual, and why. */
  readonly memoryOption: string | undefined
  readonly probe99: number
  readonly also: (Also & { readonly value: number }) | undefined
  /** What is exceeded, in words; empty: within its bounds. */
  readonly exceeded: readonly string[]
}

/** Runs one attack against a broker of its own. */
export async function measure(row: Row): Promise<Measurement> {
  const victim = await Victim.start(row)
  let attacker: ChildProcess | undefined
  let probe: Probe | undefined
  try {
    await warmUp(victim.ports)
    probe = await Probe.start(victim.ports.tcp, victim.pid)
    attacker = fork(attackMain, [row.name, JSON.stringify(victim.ports)])
    await told(attacker, 'gathered')
    await victim.begin()
    probe.reset()
    const logBefore = victim.logBytes
    const { also } = row
    const attacking = told(attacker, 'attacked')
    attacker.send('attack')
    const reported = await attacking
    // Before the garbage is collected, which is the measuring's own work.
    const { p99 } = probe
    const retained = also?.seenBy === 'counts' ? await victim.retainedMessages() : 0
    const heldMemory = await victim.heldMemory()
    attacker.send('leave')
    await once(attacker, 'exit')
    await victim.quiet()
    const { cpu, longestTurn } = await victim.turns()
    const log = victim.logBytes - logBefore
    return judge(row, {
      cpu,
      longestTurn,
      heldMemory,
      peakMemory: victim.peakMemory,
      probe99: p99,
      also: also && { ...also, value: { attacker: reported ?? 0, log, counts: retained }[also.seenBy] },
      lost: probe.isAlive ? [] : ['the probe was disconnected'],
    })
  } catch (error) {
    return failed(row, error)
  } finally {
    probe?.end()
    attacker?.kill('SIGKILL')
    victim.kill()
  }
}

/** What the attacker reports when it has come so far. */
async function told(attacker: ChildProcess, kind: 'gathered' | 'attacked'): Promise<number | undefined> {
  const [message] = (await Promise.race([once(attacker, 'message'), once(attacker, 'exit')])) as [
    { kind: string; reason?: string; reported?: number } | number | null,
  ]
  if (typeof message !== 'object' || message === null || message.kind !== kind) {
    throw new Error(`the attacker failed: ${JSON.stringify(message)}`)
  }
  return message.reported
}

type Costs = Omit<Measurement, 'name' | 'input' | 'memoryBound' | 'memoryOption' | 'exceeded'> & {
  readonly lost: readonly string[]
}

function judge(row: Row, { lost, ...costs }: Costs): Measurement {
  const allowed = memoryBound(row)
  const { also } = costs
  const checks: readonly (readonly [string, number, number])[] = [
    ['ms of CPU in one turn', costs.longestTurn, bounds.turn],
    ['bytes above rest', costs.peakMemory, allowed],
    ['ms waited by 1 % of the probes', costs.probe99, bounds.probe],
    ...(also === undefined ? [] : [[also.name, also.value, also.most] as const]),
  ]
  const exceeded = checks
    .filter(([, value, most]) => value > most)
    .map(([what, value, most]) => `${Math.round(value)} ${what}, ${most} allowed`)
  return {
    name: row.name,
    input: row.input,
    ...costs,
    memoryBound: allowed,
    memoryOption: optionOf(row),
    exceeded: [...lost, ...exceeded],
  }
}

function optionOf({ memory }: Row): string | undefined {
  if (memory === undefined) return undefined
  const option = `\`${memory.option}\``
  return memory.reason === undefined ? option : `${option}, ${memory.reason}`
}

function failed(row: Row, error: unknown): Measurement {
  const reason = error instanceof Error ? error.message : String(error)
  const unknown = Number.NaN
  return {
    name: row.name,
    input: row.input,
    cpu: unknown,
    longestTurn: unknown,
    peakMemory: unknown,
    heldMemory: unknown,
    memoryBound: memoryBound(row),
    memoryOption: optionOf(row),
    probe99: unknown,
    also: undefined,
    exceeded: [reason],
  }
}
