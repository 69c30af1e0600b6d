import type { Clock, Message } from '@x/contract'
import { isExpired, messageBytes, PersistenceError } from '@x/contract'
import { TopicIndex } from '@x/topic-trie'
import type { Deadline } from './deadlines.ts'
import { Deadlines } from './deadlines.ts'
import type { RetainedShares } from './retained-shares.ts'

/** Expired messages that each new one frees. */
const freedPerMessage = 2
/** Expired messages that a search passes over before it says that it has found nothing yet. */
const step = 64

/** Bounds of all retained messages together. */
export interface RetainedLimits {
  readonly maximumRetainedMessages: number
  /** Bytes, as counted by `messageBytes`. */
  readonly maximumRetainedBytes: number
}

/** One retained message for each topic. MQTT 5.0 §3.3.1.3 */
export class RetainedStore {
  readonly #clock: Clock
  readonly #limits: RetainedLimits
  readonly #topics = new TopicIndex<Message>()
  readonly #expiries = new Deadlines<Message>()
  /** Only of messages that expire. */
  readonly #expiryOf = new Map<Message, Deadline<Message>>()
  readonly #shares: RetainedShares
  #bytes = 0

  constructor(clock: Clock, limits: RetainedLimits, shares: RetainedShares) {
    this.#clock = clock
    this.#limits = limits
    this.#shares = shares
  }

  /** As counted by `messageBytes`. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#topics.size
  }

  get(topic: string): Message | undefined {
    return this.#topics.get(topic)
  }

  /** Refuses what `set` with this message would exceed, changing nothing.
   * @throws PersistenceError `QUOTA_EXCEEDED` */
  checkRoom(message: Message): void {
    if (message.payload.length === 0) return
    // What has expired counts against no limit, and goes as fast as other messages come.
    this.dropExpired(freedPerMessage)
    while (this.#isFullFor(message) && this.dropExpired(1) > 0);
    const previous = this.#topics.get(message.topic)
    this.#shares.check(message, previous)
    const { maximumRetainedMessages, maximumRetainedBytes } = this.#limits
    if (previous === undefined && this.size >= maximumRetainedMessages) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `${this.size} messages are retained, the limit is maximumRetainedMessages of ${maximumRetainedMessages}`,
      })
    }
    const bytes = this.#bytesWith(message, previous)
    if (bytes > maximumRetainedBytes) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `retaining would take ${bytes} bytes, the limit is maximumRetainedBytes of ${maximumRetainedBytes}`,
      })
    }
  }

  #isFullFor(message: Message): boolean {
    const previous = this.#topics.get(message.topic)
    const { maximumRetainedMessages, maximumRetainedBytes } = this.#limits
    return (
      (previous === undefined && this.size >= maximumRetainedMessages) ||
      this.#bytesWith(message, previous) > maximumRetainedBytes ||
      this.#shares.exceeds(message, previous)
    )
  }

  #bytesWith(message: Message, previous: Message | undefined): number {
    return this.#bytes - (previous === undefined ? 0 : messageBytes(previous)) + messageBytes(message)
  }

  /** Keeps the message itself: its bytes must be its own. */
  set(message: Message): void {
    const previous = this.#topics.set(message.topic, message)
    if (previous !== undefined) this.#forget(previous)
    this.#bytes += messageBytes(message)
    this.#shares.add(message)
    if (message.expiresAt !== undefined) {
      this.#expiryOf.set(message, this.#expiries.set(message.expiresAt, message))
    }
  }

  delete(topic: string): void {
    const previous = this.#topics.delete(topic)
    if (previous !== undefined) this.#forget(previous)
  }

  /** What matches, each as it is when it is asked for; undefined after a small step that has found nothing. */
  *match(filter: string): IterableIterator<Message | undefined> {
    let expired = 0
    for (const found of this.#topics.search(filter)) {
      const message = found?.[1]
      if (message === undefined || !isExpired(message, this.#clock.now())) yield message
      else if ((expired += 1) % step === 0) yield undefined
    }
  }

  /** Frees at most `limit` messages that nobody can get any more; returns how many. */
  dropExpired(limit: number): number {
    const now = this.#clock.now()
    for (let count = 0; count < limit; count += 1) {
      const due = this.#expiries.take(now)
      if (due === undefined) return count
      this.delete(due.subject.topic)
    }
    return limit
  }

  #forget(message: Message): void {
    this.#bytes -= messageBytes(message)
    this.#shares.remove(message)
    const expiry = this.#expiryOf.get(message)
    if (expiry === undefined) return
    this.#expiryOf.delete(message)
    this.#expiries.cancel(expiry)
  }
}
