import type { Logger } from '@x/contract'

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly text: string
}

/** Keeps what is logged, and lets a test wait for it. */
export class CollectingLogger implements Logger {
  readonly entries: LogEntry[] = []
  readonly #waiting = new Set<(entry: LogEntry) => void>()

  debug(fields: object, text: string): void {
    this.#add({ level: 'debug', fields, text })
  }

  info(fields: object, text: string): void {
    this.#add({ level: 'info', fields, text })
  }

  warn(fields: object, text: string): void {
    this.#add({ level: 'warn', fields, text })
  }

  error(fields: object, text: string): void {
    this.#add({ level: 'error', fields, text })
  }

  /** The first entry, past or future, whose text matches. */
  entry(text: RegExp): Promise<LogEntry> {
    const found = this.entries.find(entry => text.test(entry.text))
    if (found !== undefined) return Promise.resolve(found)
    return new Promise(resolve => {
      const look = (entry: LogEntry): void => {
        if (!text.test(entry.text)) return
        this.#waiting.delete(look)
        resolve(entry)
      }
      this.#waiting.add(look)
    })
  }

  #add(entry: LogEntry): void {
    this.entries.push(entry)
    for (const look of this.#waiting) look(entry)
  }
}
