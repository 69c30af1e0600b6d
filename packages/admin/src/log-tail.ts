import type { Logger } from '@x/contract'

/** Lines that are kept. */
const maximumLines = 500
const longestText = 2000

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]

/** A line of the log, as it is shown. */
export interface LogLine {
  /** ms since the epoch. */
  readonly time: number
  readonly level: Level
  readonly text: string
  /** Stable code of an error, where there is one. */
  readonly code?: string
}

/** The last lines of the log. */
export class LogTail {
  #lines: LogLine[] = []
  readonly #followers = new Set<(line: LogLine) => void>()

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  /** Returns what ends it. */
  follow(follower: (line: LogLine) => void): () => void {
    this.#followers.add(follower)
    return () => void this.#followers.delete(follower)
  }

  add(level: Level, fields: object, text: string): void {
    const { code } = fields as { readonly code?: unknown }
    const line = {
      time: Date.now(),
      level,
      text: text.slice(0, longestText),
      ...(typeof code === 'string' && { code }),
    }
    this.#lines.push(line)
    if (this.#lines.length > maximumLines * 2) this.#lines = this.#lines.slice(-maximumLines)
    for (const follower of this.#followers) follower(line)
  }

  /** A logger whose lines are kept here, and go on to the one that is given. */
  before(logger: Logger | undefined): Logger {
    const isEnabled = (level: Level): boolean =>
      logger === undefined ? level !== 'debug' : (logger.isLevelEnabled?.(level) ?? true)
    const at =
      (level: Level) =>
      (fields: object, text: string): void => {
        if (isEnabled(level)) this.add(level, fields, text)
        logger?.[level](fields, text)
      }
    return { isLevelEnabled: isEnabled, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  }
}
