import { redisErrorOf } from './redis-error.ts'
import type { RedisError } from './redis-error.ts'

/** Milliseconds without a failure after which a trouble has ended, whatever became of the calls that had failed. */
const longestSilence = 60_000

interface Trouble {
  /** Of the calls that have failed and have not succeeded since. */
  readonly names: Set<string>
  /** When one has failed last, in milliseconds of the monotonic clock. */
  failedAt: number
}

/** What goes wrong, told once for as long as it lasts: not for each call, and not again because others succeed. */
export class Troubles {
  readonly #tell: (error: RedisError) => void
  readonly #byCode = new Map<string, Trouble>()

  constructor(tell: (error: RedisError) => void) {
    this.#tell = tell
  }

  /** Returns the error with its code.
   * @param name of the call */
  report(error: unknown, name: string): RedisError {
    const coded = redisErrorOf(error)
    // A lost connection is one trouble, by whatever words it shows.
    const code = coded.code === 'REDIS_TIMEOUT' ? 'REDIS_UNREACHABLE' : coded.code
    const now = performance.now()
    const known = this.#byCode.get(code)
    if (known !== undefined && now - known.failedAt < longestSilence) {
      known.names.add(name)
      known.failedAt = now
      return coded
    }
    this.#byCode.set(code, { names: new Set([name]), failedAt: now })
    this.#tell(coded)
    return coded
  }

  /** A call of this name has succeeded. */
  ended(name: string): void {
    if (this.#byCode.size === 0) return
    for (const [code, { names }] of this.#byCode) {
      names.delete(name)
      // A reply proves that there is a connection.
      if (names.size === 0 || code === 'REDIS_UNREACHABLE') this.#byCode.delete(code)
    }
  }

  /** The connection is new. */
  reset(): void {
    this.#byCode.clear()
  }
}
