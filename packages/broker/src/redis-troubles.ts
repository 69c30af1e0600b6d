/** Milliseconds in which store and emitter see the same trouble of the one Redis they use. */
const sameTrouble = 10_000

/** A part of the broker that uses Redis. */
export type RedisPart = 'store' | 'emitter'

/** Troubles with Redis, each told once, whichever part sees it first. */
export class RedisTroubles {
  readonly #tell: (error: Error) => void
  /** Code to who has told it last, and when (monotonic ms). */
  readonly #told = new Map<string, { readonly part: RedisPart; readonly at: number }>()

  constructor(tell: (error: Error) => void) {
    this.#tell = tell
  }

  report(part: RedisPart, error: Error & { readonly code: string }): void {
    const trouble = error.code === 'REDIS_TIMEOUT' ? 'REDIS_UNREACHABLE' : error.code
    const last = this.#told.get(trouble)
    const now = performance.now()
    if (last !== undefined && last.part !== part && now - last.at < sameTrouble) return
    this.#told.set(trouble, { part, at: now })
    this.#tell(error)
  }
}
