import { isPromise } from 'node:util/types'
import { printable } from '@x/broker-core'
import type { Logger } from '@x/contract'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** A program's logger whose failures change nothing but that a line is missing; the process is warned once. */
export class GuardedLogger implements Logger {
  readonly #logger: Logger
  #isWarned = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  isLevelEnabled(level: Level): boolean {
    try {
      const answer: unknown = this.#logger.isLevelEnabled?.(level)
      this.#own(answer)
      return answer !== false
    } catch (error) {
      this.#failed(error)
      return true
    }
  }

  debug(fields: object, text: string): void {
    this.#log('debug', fields, text)
  }

  info(fields: object, text: string): void {
    this.#log('info', fields, text)
  }

  warn(fields: object, text: string): void {
    this.#log('warn', fields, text)
  }

  error(fields: object, text: string): void {
    this.#log('error', fields, text)
  }

  #log(level: Level, fields: object, text: string): void {
    try {
      this.#own(this.#logger[level](fields, text))
    } catch (error) {
      this.#failed(error)
    }
  }

  /** A promise of the logger's is nobody else's: what it rejects with is its failure. */
  #own(answer: unknown): void {
    if (isPromise(answer)) answer.catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    if (this.#isWarned) return
    this.#isWarned = true
    process.emitWarning(
      `option logger has failed: ${printable(error instanceof Error ? error.message : String(error))}`,
      {
        type: 'BrokerWarning',
        code: 'LOGGER_FAILED',
        detail: 'Further failures of the logger are not shown.',
      },
    )
  }
}
