import { createHash } from 'node:crypto'

const minute = 60_000

/** Keys that are remembered, some megabytes at most; the least recently used one is forgotten. */
const mostKeys = 32_768

/** Characters of a key; a longer key is replaced by its hash. */
const longestKey = 128

interface Bucket {
  level: number
  /** When the level was computed, in ms. */
  at: number
}

/** Leaky buckets by key: each event adds one, and the limit leaks away within a minute, so a key that has reached the limit may go on at
 * the rate of the limit. The number of keys is bounded. */
export class LeakyBuckets {
  /** Events in a minute; 0: no limit. */
  readonly #limit: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Whether the key has reached the limit. */
  isFull(key: string, now: number): boolean {
    if (this.#limit === 0) return false
    return this.#levelOf(this.#buckets.get(shortened(key)), now) > this.#limit - 1
  }

  add(key: string, now: number): void {
    if (this.#limit === 0) return
    const short = shortened(key)
    const level = this.#levelOf(this.#buckets.get(short), now) + 1
    this.#buckets.delete(short)
    this.#buckets.set(short, { level, at: now })
    if (this.#buckets.size <= mostKeys) return
    const [oldest] = this.#buckets.keys()
    this.#buckets.delete(oldest as string)
  }

  #levelOf(bucket: Bucket | undefined, now: number): number {
    if (bucket === undefined) return 0
    return Math.max(0, bucket.level - ((now - bucket.at) * this.#limit) / minute)
  }
}

/** The key, or the hash of a long one. */
export function shortened(key: string): string {
  return key.length <= longestKey ? key : createHash('sha256').update(key).digest('base64')
}
