import type { Finding } from './case.ts'

/** What nobody caught in this process. */
export class Incidents {
  readonly #found: Finding[] = []
  readonly #uncaught = (error: unknown): void => void this.#found.push({ check: 'uncaught', message: describe(error) })
  readonly #unhandled = (error: unknown): void =>
    void this.#found.push({ check: 'unhandled rejection', message: describe(error) })

  watch(): void {
    process.on('uncaughtException', this.#uncaught)
    process.on('unhandledRejection', this.#unhandled)
  }

  unwatch(): void {
    process.off('uncaughtException', this.#uncaught)
    process.off('unhandledRejection', this.#unhandled)
  }

  take(): readonly Finding[] {
    return this.#found.splice(0)
  }
}

/** With the places of the broker in its stack. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const frames = (error.stack ?? '').split('\n').filter(line => line.includes('/packages/'))
  const places = frames.map(line =>
    line
      .trim()
      .replace(/\(.*\/packages\//, '(')
      .replace('/dist/', '/'),
  )
  return [`${error.name}: ${error.message}`, ...places.slice(0, 4)].join(' | ')
}
