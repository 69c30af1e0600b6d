import { writeSync } from 'node:fs'
import type { Prepared } from '../config/prepare.ts'
import type { Config } from '../config/schema.ts'
import type { CommandLog } from './command-log.ts'
import { print } from './print.ts'
import { readAll } from './read-all.ts'
import type { ReadConfig, RunCommand } from './read-all.ts'
import { RunningBroker } from './running-broker.ts'
import { tellSystemd } from './service.ts'
import { startProblem } from './start-problem.ts'
import { StartingLogger } from './starting-logger.ts'

const standardOutput = 1
const defaultDrainTimeout = 30

/** The broker of this process, and the signals that concern it. */
export class BrokerProcess {
  readonly #command: RunCommand
  readonly #log: CommandLog
  readonly #startingLogger: StartingLogger
  readonly #running: RunningBroker
  #read: ReadConfig
  #isStopping = false
  /** The last reload; the next one waits for it. */
  #reloading: Promise<void> = Promise.resolve()

  /** @throws BrokerError `OPTION_INVALID` */
  constructor(command: RunCommand, read: ReadConfig, log: CommandLog) {
    this.#command = command
    this.#read = read
    this.#log = log
    this.#startingLogger = new StartingLogger(log.logger)
    this.#running = new RunningBroker(read.prepared, this.#startingLogger)
  }

  async start(): Promise<void> {
    // One listener for both times: Deno calls one that is added while a signal is handled for that signal.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void this.#stop(name))
    process.on('SIGHUP', () => this.#hangUp())
    process.on('SIGUSR2', () => this.#reopenLog())
    const { notices, config, prepared } = this.#read
    const { logger } = this.#log
    for (const notice of notices) logger.warn({}, notice)
    try {
      await this.#running.open(prepared.listeners)
      this.#startingLogger.started()
      const { data } = prepared.options
      if (typeof data === 'object') logger.debug({}, `sessions and retained messages are kept in ${data.directory}`)
    } catch (error) {
      print(process.stderr, `x-broker: ${startProblem(error)}\n`)
      process.exitCode = 1
      await this.#running.broker.close().catch(() => undefined)
      return
    }
    this.#tellAccess(config, prepared)
    tellSystemd('--ready', error => logger.warn({ err: error }, 'systemd could not be told that the broker is ready'))
  }

  /** Nobody is to wonder why a device on the network does not get in. */
  #tellAccess({ listeners = [] }: Config, { closed }: Prepared): void {
    const { logger } = this.#log
    if (listeners.every(({ host, socketPath }) => host === undefined && socketPath === undefined)) {
      logger.info(
        {},
        "only this machine can connect: --host '*' opens the port to others, with --password-file FILE or --allow-anonymous",
      )
    }
    for (const name of closed) {
      logger.warn(
        { listener: name },
        `listener ${name} lets in nobody: give --password-file FILE, or --allow-anonymous`,
      )
    }
  }

  /** By whom it is sent can't be told: by somebody who has changed a file, or by a terminal that is gone. */
  #hangUp(): void {
    if (process.stdout.isTTY && !isWritable(standardOutput)) void this.#stop('SIGHUP')
    else this.#reloading = this.#reloading.then(() => this.#reload())
  }

  /** All of it or nothing: what can't be read, or opened, changes nothing. */
  async #reload(): Promise<void> {
    const { logger } = this.#log
    try {
      const read = readAll(this.#command)
      const closed = await this.#running.reload(read.prepared)
      this.#log.configure(read.config.log ?? {})
      const late = needRestart(this.#read.config, read.config)
      this.#applyAdjustable(read.config)
      this.#read = read
      for (const notice of read.notices) logger.warn({}, notice)
      if (late.length > 0) logger.warn({}, `SIGHUP: ${late.join(', ')} will be taken at the next start`)
      logger.info(
        { closed },
        `SIGHUP: configuration, users, rules and certificates are read again; ${closed} client(s) lost their place`,
      )
    } catch (error) {
      logger.error(
        { err: error },
        `SIGHUP: nothing has changed: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  #applyAdjustable({ limits = {} }: Config): void {
    const { broker } = this.#running
    if (limits.keepaliveLimit !== undefined) broker.keepaliveLimit = limits.keepaliveLimit
    if (limits.connectTimeout !== undefined) broker.connectTimeout = limits.connectTimeout
  }

  #reopenLog(): void {
    const { logger } = this.#log
    try {
      this.#log.reopen()
      logger.info({}, 'SIGUSR2: the file of the log is opened again')
    } catch (error) {
      logger.error({ err: error }, 'SIGUSR2: the log goes on into the old file')
    }
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const { logger } = this.#log
    // A second signal ends the process at once.
    if (this.#isStopping) process.exit(1)
    this.#isStopping = true
    logger.info({ signal }, `${signal}: closing`)
    tellSystemd('--stopping', () => undefined)
    const { drainTimeout = defaultDrainTimeout } = this.#read.config
    setTimeout(() => {
      logger.error({ drainTimeout }, `not closed within drainTimeout of ${drainTimeout} s: ended`)
      process.exit(1)
    }, drainTimeout * 1000).unref()
    await this.#running.broker.close()
    logger.info({}, 'closed')
    process.exit()
  }
}

/** Limits that a running broker takes. */
const adjustable: ReadonlySet<string> = new Set(['keepaliveLimit', 'connectTimeout'])

/** Keys that differ and that a running broker can't take. */
function needRestart(before: Config, after: Config): string[] {
  const sections = ['store', 'mesh', 'statistics', 'id', 'responseInformation', 'pidFile', 'user'] as const
  const changed: string[] = sections.filter(key => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  const [old, next] = [before.limits ?? {}, after.limits ?? {}] as Record<string, unknown>[]
  const names = new Set([...Object.keys(old ?? {}), ...Object.keys(next ?? {})])
  for (const name of names) if (old?.[name] !== next?.[name] && !adjustable.has(name)) changed.push(`limits.${name}`)
  return changed
}

/** A terminal that was closed takes nothing, not even nothing. */
function isWritable(file: number): boolean {
  try {
    writeSync(file, '')
    return true
  } catch {
    return false
  }
}
