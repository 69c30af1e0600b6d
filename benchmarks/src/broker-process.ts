import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Broker, Served } from './brokers.ts'

/** One core for the broker and another one for the load; undefined where that is not possible. */
export interface Cores {
  readonly broker: number
  readonly load: number
}

/** Below the range that systems take the ports of outgoing connections from. */
const firstPort = 21_000
const portCount = 10_000
const startPollMs = 50

/** The CPU numbers in a list such as `0-2,5`. */
export function parseCpuList(list: string): number[] {
  return list.split(',').flatMap(range => {
    if (range === '') return []
    const [from, to = from] = range.split('-').map(Number)
    if (from === undefined || to === undefined || Number.isNaN(from)) return []
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}

/** Picks two cores this process may use, where `taskset` exists. */
export function chooseCores(): Cores | undefined {
  if (process.platform !== 'linux' || spawnSync('taskset', ['--version']).status !== 0) return undefined
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  const [broker, load] = parseCpuList(allowed)
  return broker === undefined || load === undefined ? undefined : { broker, load }
}

/** The command line that runs `command` on one core alone. */
export function pinned(
  core: number | undefined,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  return core === undefined ? command : ['taskset', '-c', `${core}`, ...command]
}

/** Kills the child should this process exit first, interrupted for instance. */
export function endWithUs(child: ChildProcess): void {
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
}

/** A broker process that accepts connections on `port`. `close` ends it and removes its files. */
export class BrokerProcess {
  readonly port: number
  readonly pid: number
  readonly #child: ChildProcess
  readonly #directory: string

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port
    this.pid = child.pid ?? 0
    this.#child = child
    this.#directory = directory
  }

  /** Starts the broker on a free port. Throws when it does not listen in time. */
  static async start(
    broker: Broker,
    core: number | undefined,
    served: Served = {},
    longestMs = 5000,
  ): Promise<BrokerProcess> {
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'bench-'))
    const [file, ...args] = pinned(core, broker.command(port, directory, served))
    const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    endWithUs(child)
    const started = new BrokerProcess(port, child, directory)
    for (let waited = 0; waited < longestMs && started.running; waited += startPollMs) {
      if (await accepts(port)) return started
      await wait(startPollMs)
    }
    await started.close()
    throw new Error(`broker did not listen on port ${port}: ${file} ${args.join(' ')}`)
  }

  /** False once the broker has ended, which it must not do by itself. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Kills it: it has nothing to save, and closing ten thousand connections politely measures nothing. With `SIGTERM` it may
   * end by itself. */
  async close(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (this.running) {
      const exited = new Promise<void>(resolve => {
        this.#child.once('exit', () => resolve())
      })
      this.#child.kill(signal)
      await exited
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * portCount)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
