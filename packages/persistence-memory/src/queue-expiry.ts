import type { Deadline, Deadlines } from './deadlines.ts'

/** ms between two looks through a queue: what expires is free within this time, and a look costs a step for each entry. */
const interval = 100

/** A queue that drops what has expired when it is told to. */
export interface ExpiringQueue {
  /** Returns how many it has dropped. */
  dropExpired(): number
}

/** When a queue is to be looked through next for entries that have expired. */
export class QueueExpiry {
  readonly #deadlines: Deadlines<ExpiringQueue>
  readonly #queue: ExpiringQueue
  /** ms since the epoch; Infinity: nothing expires. */
  #at = Infinity
  #deadline: Deadline<ExpiringQueue> | undefined

  /** @param deadlines - of all queues of a store */
  constructor(deadlines: Deadlines<ExpiringQueue>, queue: ExpiringQueue) {
    this.#deadlines = deadlines
    this.#queue = queue
  }

  /** A message waits from now on. */
  waits(expiresAt: number): void {
    if (expiresAt < this.#at) this.#set(expiresAt)
  }

  isDue(now: number): boolean {
    return this.#at <= now
  }

  /** The queue was looked through; `earliest` expires next, Infinity: nothing does. */
  looked(now: number, earliest: number): void {
    this.#set(Math.max(earliest, now + interval))
  }

  /** Nothing waits any more. */
  end(): void {
    this.#set(Infinity)
  }

  #set(at: number): void {
    if (this.#deadline !== undefined) this.#deadlines.cancel(this.#deadline)
    this.#at = at
    this.#deadline = at === Infinity ? undefined : this.#deadlines.set(at, this.#queue)
  }
}
