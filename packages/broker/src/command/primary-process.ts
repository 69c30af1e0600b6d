import { availableParallelism } from 'node:os'
import type { Config, StoreConfig } from '../config/schema.ts'
import { Primary } from '../workers/primary.ts'
import type { CommonOrder } from '../workers/worker-messages.ts'
import type { ProcessParts } from './broker-process.ts'
import type { CommandLog } from './command-log.ts'
import { drainTimeoutOf } from './drain-timeout.ts'
import { readAll } from './read-all.ts'
import type { ReadConfig, RunCommand } from './read-all.ts'
import { tellAccess, tellReload } from './read-reports.ts'
import { tellSystemd } from './service.ts'
import { isTerminalGone } from './terminal.ts'

/** ms that a worker has beyond `drainTimeout`, after which it ends by itself. */
const closeMargin = 5000

/** How many processes share the work; 1: there is no primary. */
export function workersOf({ workers = 1 }: Config): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** The process that has the workers, and the signals that concern all of them. */
export class PrimaryProcess {
  readonly #command: RunCommand
  readonly #log: CommandLog
  readonly #primary: Primary
  readonly #workers: number
  #read: ReadConfig
  #isStopping = false

  /** @throws Error of Node, when there is no place for temporary files */
  constructor({ command, read, log }: ProcessParts) {
    this.#command = command
    this.#read = read
    this.#log = log
    this.#workers = workersOf(read.config)
    this.#primary = new Primary({
      workers: this.#workers,
      logger: log.logger,
      store: sharedStore(read),
      asked: order => this.#asked(order),
      closeTimeout: drainTimeoutOf(read.config) * 1000 + closeMargin,
    })
    log.topics.carry = message => this.#primary.tellAll({ kind: 'logged', message })
  }

  async start(): Promise<void> {
    const { logger } = this.#log
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void this.#stop(name))
    process.on('SIGHUP', () => this.#hangUp())
    process.on('SIGUSR2', () => void this.#replaceWorkers())
    for (const notice of this.#read.notices) logger.warn({}, notice)
    const code = await this.#primary.begin()
    if (code !== undefined) {
      process.exitCode = code
      return
    }
    tellAccess(logger, this.#read)
    tellSystemd('--ready', error => logger.warn({ err: error }, 'systemd could not be told that the broker is ready'))
  }

  /** Its own log follows its workers'. */
  #asked(order: CommonOrder): void {
    if (order.kind === 'reload') {
      this.#reload()
      return
    }
    if (order.kind === 'logLevel') this.#log.logger.level = order.level
    this.#primary.tellAll(order)
  }

  /** By whom it is sent can't be told: by somebody who has changed a file, or by a terminal that is gone. */
  #hangUp(): void {
    if (isTerminalGone()) void this.#stop('SIGHUP')
    else this.#reload()
  }

  /** What can't be read is said once, and no worker reads it. */
  #reload(): void {
    const { logger } = this.#log
    try {
      const read = readAll(this.#command)
      this.#log.configure(read.config.log ?? {})
      tellReload(logger, this.#read, read)
      this.#read = read
      this.#primary.tellAll({ kind: 'reload' })
    } catch (error) {
      logger.error(
        { err: error },
        `SIGHUP: nothing has changed: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  /** A new worker opens the file of the log again, too. */
  async #replaceWorkers(): Promise<void> {
    const { logger } = this.#log
    logger.info({}, 'SIGUSR2: workers are replaced one by one')
    try {
      this.#log.reopen()
    } catch (error) {
      logger.error({ err: error }, 'SIGUSR2: the log goes on into the old file')
    }
    await this.#primary.roll()
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const { logger } = this.#log
    // A second signal ends all at once.
    if (this.#isStopping) {
      this.#primary.kill()
      process.exit(1)
    }
    this.#isStopping = true
    logger.info({ signal }, `${signal}: closing ${this.#workers} workers`)
    tellSystemd('--stopping', () => undefined)
    await this.#primary.stop()
    logger.info({}, 'closed')
    process.exit()
  }
}

/** All workers open the directory that a single process has for itself. */
function sharedStore({ config: { store = {} }, prepared }: ReadConfig): StoreConfig {
  const { data } = prepared.options
  return typeof data === 'object' ? { ...store, data: data.directory } : store
}
