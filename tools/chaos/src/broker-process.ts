import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { History } from './history.ts'
import { Link } from './link.ts'
import { points } from './points.ts'
import type { StoreService } from './store-service.ts'
import { childrenOf, tryToKill } from './worker-processes.ts'

const command = fileURLToPath(new URL('../../../packages/broker/dist/command.js', import.meta.url))
const pageBytes = 4096
/** Of so many kills of a broker with workers, one is of all its processes. */
const betweenKillsOfAll = 8

export interface BrokerPlace {
  readonly history: History
  readonly logFile: string
  readonly store: StoreService
  /** Processes that are one broker; 1: there is no primary. */
  readonly workers: number
}

/** A place for a broker: its links stay while one process after the other serves there. */
export class BrokerProcess {
  readonly name: string
  /** From clients to the broker. */
  readonly clients: Link = new Link(points.filter(({ link }) => link === 'clients'))
  /** From the broker to Redis, if that is its store. */
  readonly redis: Link = new Link(points.filter(({ link }) => link === 'redis'))
  readonly #history: History
  readonly #log: WriteStream
  readonly #store: StoreService
  readonly #workers: number
  #kills = 0
  /** Of the worker that is stopped. */
  #stoppedPid: number | undefined
  #child: ChildProcess | undefined
  #kill: () => void = () => undefined
  #stopped = false
  #restarting: NodeJS.Timeout | undefined
  #closing = false

  constructor(name: string, { history, logFile, store, workers }: BrokerPlace) {
    this.name = name
    this.#history = history
    this.#log = createWriteStream(logFile)
    this.#store = store
    this.#workers = workers
  }

  /** Whether a process takes connections, as far as anyone can know. */
  get isUp(): boolean {
    return this.clients.target !== 0 && !this.#stopped
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** @param redisPort 0: there is no Redis */
  async open(redisPort: number): Promise<void> {
    this.redis.target = redisPort
    await Promise.all([this.clients.listen(), this.redis.listen()])
    this.start()
  }

  /** Starts a process if there is none. One that can't start is started again. */
  start(): void {
    clearTimeout(this.#restarting)
    if (this.#child !== undefined || this.#closing) return
    const where = ['--port', '0', '--host', '127.0.0.1', ...this.#store.parameters(this.redis.port)]
    const parameters = [command, ...where, '--sys-interval', '1', '--workers', `${this.#workers}`]
    const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    let wasKilled = false
    let stderr = ''
    const isEnding = (): boolean => wasKilled || this.#closing
    this.#kill = () => {
      wasKilled = true
      // One that is stopped would not end with its primary.
      if (this.#stoppedPid !== undefined) tryToKill(this.#stoppedPid, 'SIGKILL')
      child.kill('SIGKILL')
    }
    createInterface(child.stdout).on('line', line => {
      const { url, level, msg } = JSON.parse(line) as { url?: string; level: number; msg?: string }
      if (this.#child === child && url !== undefined) this.clients.target = Number(new URL(url).port)
      else if (level >= 40) this.#log.write(`${this.#history.now} ${line}\n`)
      if (msg !== undefined && /^worker \d+ has ended \((?!SIGKILL)/.test(msg)) this.#died(msg)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('exit', (code, signal) => {
      const hasServed = this.clients.target !== 0
      this.#child = undefined
      this.#stopped = false
      this.clients.target = 0
      this.#log.write(`${this.#history.now} exit ${code ?? signal} ${stderr}\n`)
      if (isEnding()) return
      // Without Redis a broker refuses to start, and says so.
      if (hasServed || !stderr.startsWith('x-broker: ')) {
        this.#died(`${code ?? signal} ${stderr}`)
      }
      this.#restarting = setTimeout(() => this.start(), 500)
    })
  }

  /** Kills the process, if there is one; another one starts after so many milliseconds. Of several workers it is mostly one, in whose place
   * the primary starts another one. */
  kill(downFor: number): void {
    this.#kills += 1
    const worker = this.#anyWorker()
    if (worker !== undefined && this.#kills % betweenKillsOfAll !== 0) {
      tryToKill(worker, 'SIGKILL')
      return
    }
    if (this.#child !== undefined) this.#kill()
    this.clients.target = 0
    clearTimeout(this.#restarting)
    this.#restarting = setTimeout(() => this.#startAgain(), downFor)
  }

  stop(): void {
    // Another worker would take the place of the first one, which nobody would continue.
    if (this.#stopped) return
    this.#stoppedPid = this.#anyWorker() ?? this.#child?.pid
    this.#stopped = this.#stoppedPid !== undefined && tryToKill(this.#stoppedPid, 'SIGSTOP')
  }

  continue(): void {
    if (this.#stoppedPid !== undefined) tryToKill(this.#stoppedPid, 'SIGCONT')
    this.#stoppedPid = undefined
    this.#stopped = false
  }

  /** Resident bytes of each process that serves here now, by its name. */
  memory(): ReadonlyMap<string, number> {
    const pid = this.#child?.pid
    const pids = pid === undefined ? [] : [pid, ...childrenOf(pid)]
    return new Map(
      pids.flatMap(one => {
        const bytes = residentBytes(one)
        return bytes === undefined ? [] : [[`${this.name} (${one})`, bytes]]
      }),
    )
  }

  /** Asks it to close, waits for that, and closes the links. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#restarting)
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      this.continue()
      const exited = new Promise<void>(resolve => void child.once('exit', () => resolve()))
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(insist)
    }
    this.clients.close()
    this.redis.close()
    this.#log.end()
  }

  #died(reason: string): void {
    this.#history.record({ kind: 'died', broker: this.name, reason: reason.slice(0, 2000) })
  }

  /** One worker after the other; undefined: there are none. */
  #anyWorker(): number | undefined {
    const pid = this.#child?.pid
    if (this.#workers === 1 || pid === undefined) return undefined
    const workers = childrenOf(pid)
    return workers[this.#kills % workers.length]
  }

  #startAgain(): void {
    if (this.#child === undefined) this.start()
    else this.#restarting = setTimeout(() => this.#startAgain(), 50)
  }
}

function residentBytes(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes
  } catch {
    return undefined
  }
}
