import { createHash } from 'node:crypto'

const minute = 60_000

/** Keys that are remembered; the one that was used least recently gives way. Some megabytes at most. */
const mostKeys = 32_768

/** Characters of a key; longer ones are remembered by their hash. */
const longestKey = 128

interface Bucket {
  level: number
  /** ms, when the level was right. */
  at: number
}

/** How often something has happened lately, by key: each time adds one, and within a minute the limit runs off again. So who has
 * reached it may go on after a while, as often as the limit says. Bounded, whatever the keys. */
export class LeakyBuckets {
  /** Times in a minute; 0: no limit. */
  readonly #limit: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Whether it has happened as often as it may. */
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

/** The key, or what stands for it. */
export function shortened(key: string): string {
  return key.length <= longestKey ? key : createHash('sha256').update(key).digest('base64')
}
