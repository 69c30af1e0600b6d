import type { Logger } from '@x/contract'

/** What the broker reports when it can't start, besides rejecting `ready` with it. */
const reportedTwice: ReadonlySet<unknown> = new Set(['STORE_FAILED', 'EMITTER_FAILED'])

/** A logger that leaves to the command what it says itself: why the broker could not start. */
export class StartingLogger implements Logger {
  readonly #logger: Logger
  #isStarted = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  started(): void {
    this.#isStarted = true
  }

  isLevelEnabled(level: 'debug' | 'info' | 'warn' | 'error'): boolean {
    return this.#logger.isLevelEnabled?.(level) !== false
  }

  debug(fields: object, text: string): void {
    this.#logger.debug(fields, text)
  }

  info(fields: object, text: string): void {
    this.#logger.info(fields, text)
  }

  warn(fields: object, text: string): void {
    this.#logger.warn(fields, text)
  }

  error(fields: object, text: string): void {
    if (!this.#isStarted && 'code' in fields && reportedTwice.has(fields.code)) return
    this.#logger.error(fields, text)
  }
}
