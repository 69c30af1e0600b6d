import { adjustableLimits } from '@x/broker-core'
import type { BrokerLimits } from '@x/broker-core'
import type { AdminControl } from '@x/admin'
import type { Prepared } from '../config/prepare.ts'
import type { Config } from '../config/schema.ts'
import type { OwnWorker } from '../workers/own-worker.ts'
import type { CommandLog } from './command-log.ts'
import { drainTimeoutOf } from './drain-timeout.ts'
import { print } from './print.ts'
import { readAll } from './read-all.ts'
import type { ReadConfig, RunCommand } from './read-all.ts'
import { tellAccess, tellMetrics, tellReload } from './read-reports.ts'
import { RunningBroker } from './running-broker.ts'
import { tellSystemd } from './service.ts'
import { startProblem } from './start-problem.ts'
import { StartingLogger } from './starting-logger.ts'
import { isTerminalGone } from './terminal.ts'

/** What the process of a broker is made of. */
export interface ProcessParts {
  readonly command: RunCommand
  readonly read: ReadConfig
  readonly log: CommandLog
}

/** The broker of this process, and the signals that concern it. */
export class BrokerProcess {
  readonly #command: RunCommand
  readonly #log: CommandLog
  /** Undefined: this process is the only one. */
  readonly #worker: OwnWorker | undefined
  readonly #startingLogger: StartingLogger
  readonly #running: RunningBroker
  #read: ReadConfig
  #isStopping = false
  /** The last change of what runs; the next one waits for it. */
  #changing: Promise<void> = Promise.resolve()

  /** @throws BrokerError `OPTION_INVALID` */
  constructor({ command, read, log }: ProcessParts, worker: OwnWorker | undefined) {
    this.#command = command
    this.#read = read
    this.#log = log
    this.#startingLogger = new StartingLogger(log.logger)
    this.#worker = worker
    // A subscriber of any worker gets the lines of all.
    if (worker !== undefined) log.topics.carry = message => worker.ask({ kind: 'logged', message })
    const prepared = worker === undefined ? read.prepared : withAllNumbers(read.prepared, worker)
    this.#running = new RunningBroker(prepared, {
      logger: this.#startingLogger,
      control: this.#control(),
      shown: plugin => worker?.statistics.summed(plugin) ?? plugin,
      servesAdmin: worker?.place.isFirst !== false,
      plugins: [log.topics],
    })
  }

  async start(): Promise<void> {
    this.#begin()
    const { prepared } = this.#read
    const { logger } = this.#log
    try {
      const opened = this.#running.open(prepared.listeners)
      // What this process is told meanwhile is done afterwards.
      this.#inTurn(async () => opened.then(undefined, () => undefined))
      await opened
      this.#startingLogger.started()
      const { data } = prepared.options
      if (typeof data === 'object') logger.debug({}, `sessions and retained messages are kept in ${data.directory}`)
    } catch (error) {
      print(process.stderr, `x-broker: ${startProblem(error)}\n`)
      process.exitCode = 1
      await this.#running.broker.close().catch(() => undefined)
      return
    }
    if ((this.#worker?.place.number ?? 1) === 1) tellMetrics(logger, prepared)
    if (this.#worker !== undefined) {
      this.#worker.ready()
      return
    }
    tellAccess(logger, this.#read)
    tellSystemd('--ready', error => logger.warn({ err: error }, 'systemd could not be told that the broker is ready'))
  }

  /** A worker hears of signals from its primary, which says what there is to say to the user. */
  #begin(): void {
    if (this.#worker !== undefined) {
      this.#worker.begin({
        stop: () => void this.#stop('SIGTERM'),
        reload: () => this.#inTurn(() => this.#reload()),
        bridge: () => {
          this.#bridge()
          this.#inTurn(() => this.#running.serveAdmin())
        },
        logLevel: level => this.#setLogLevel(level),
        logged: message => this.#log.topics.deliver(message),
      })
      return
    }
    this.#bridge()
    // One listener for both times: Deno calls one that is added while a signal is handled for that signal.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void this.#stop(name))
    process.on('SIGHUP', () => this.#hangUp())
    process.on('SIGUSR2', () => this.#reopenLog())
    for (const notice of this.#read.notices) this.#log.logger.warn({}, notice)
  }

  /** By whom it is sent can't be told: by somebody who has changed a file, or by a terminal that is gone. */
  #hangUp(): void {
    if (isTerminalGone()) void this.#stop('SIGHUP')
    else this.#inTurn(() => this.#reload())
  }

  #bridge(): void {
    this.#inTurn(() => this.#running.bridge())
  }

  /** One change of what runs after the other. */
  #inTurn(change: () => Promise<void>): void {
    this.#changing = this.#changing.then(change).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      this.#log.logger.error({ err: error }, `what this process was told could not be done: ${why}`)
    })
  }

  /** What the API may do with this process; with workers it is done by all of them. */
  #control(): AdminControl {
    const worker = this.#worker
    return {
      reload: async () => {
        if (worker !== undefined) {
          worker.ask({ kind: 'reload' })
          return 'all workers read the configuration again; the log says what came of it'
        }
        let outcome: Promise<string> | undefined
        this.#inTurn(async () => {
          outcome = this.#reread()
          await outcome.catch(() => undefined)
        })
        await this.#changing
        return (await outcome) ?? ''
      },
      logLevel: () => this.#log.logger.level,
      setLogLevel: level => {
        if (worker === undefined) this.#setLogLevel(level)
        else worker.ask({ kind: 'logLevel', level })
      },
    }
  }

  #setLogLevel(level: string): void {
    this.#log.logger.level = level
    this.#running.broker.logLevelChanged()
  }

  async #reload(): Promise<void> {
    await this.#reread().catch(() => undefined)
  }

  /** All of it or nothing: what can't be read, or opened, changes nothing. Returns what came of it.
   * @throws what kept it, which is logged */
  async #reread(): Promise<string> {
    const { logger } = this.#log
    try {
      const { dynamicSecurity } = this.#read.prepared
      const read = readAll(this.#command, { place: this.#worker?.place, dynamicSecurity })
      const closed = await this.#running.reload(read.prepared)
      this.#log.configure(read.config.log ?? {})
      this.#running.broker.logLevelChanged()
      this.#running.broker.adjustLimits(adjustableOf(read.config))
      if (this.#worker === undefined) tellReload(logger, this.#read, read)
      this.#read = read
      const outcome = `configuration, users, rules and certificates are read again; ${closed} client(s) lost their place`
      logger.info({ closed }, `SIGHUP: ${outcome}`)
      return outcome
    } catch (error) {
      logger.error(
        { err: error },
        `SIGHUP: nothing has changed: ${error instanceof Error ? error.message : String(error)}`,
      )
      throw error
    }
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
    const drainTimeout = drainTimeoutOf(this.#read.config)
    setTimeout(() => {
      logger.error({ drainTimeout }, `not closed within drainTimeout of ${drainTimeout} s: ended`)
      process.exit(1)
    }, drainTimeout * 1000).unref()
    await this.#running.broker.close()
    logger.info({}, 'closed')
    process.exit()
  }
}

/** Those that are not in the file have their default again. */
function adjustableOf({ limits = {} }: Config): Partial<BrokerLimits> {
  return Object.fromEntries(adjustableLimits.map(name => [name, limits[name]]))
}

/** With the statistics of all workers. */
function withAllNumbers(prepared: Prepared, { statistics }: OwnWorker): Prepared {
  const { plugins = [] } = prepared.options
  const summed = [statistics.reporter, ...plugins.map(plugin => statistics.summed(plugin))]
  return { ...prepared, options: { ...prepared.options, plugins: summed } }
}
