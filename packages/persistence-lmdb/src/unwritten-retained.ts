import { messageBytes } from '@x/contract'
import type { Clock, Message } from '@x/contract'
import type { Steps, Work } from './batch.ts'
import type { RetainedStore } from './retained-store.ts'

/** ms in which each topic is written once, however often it changes. */
const interval = 1000
/** So many of them go along with any transaction in this time; of more, all are written in the next interval. */
const freeWrites = 1000
/** Topics and bytes that may wait; what is more is written as everything else is, and its publisher waits. */
const maximumTopics = 10_000
const maximumBytes = 16 * 1024 * 1024

/** Messages written in a tenth of a millisecond. */
const partSize = 16

/** Messages that a transaction has written, which wait again if that is undone. */
export type Written = ReadonlyMap<string, Message>

/** What retained messages that are not written yet are kept with. */
export interface UnwrittenParts {
  readonly retained: RetainedStore
  readonly clock: Clock
  /** No other broker has the directory open, which would miss what is not written yet. */
  readonly isAlone: () => boolean
  /** There is something to be written that no caller waits for. */
  readonly report: () => void
}

/** The newest retained messages of QoS 0. Their publishers don't wait for the disk, so a topic that changes all the time is written once a
 * second. */
export class UnwrittenRetained {
  readonly #parts: UnwrittenParts
  /** By topic; what is not in the directory yet. */
  #latest = new Map<string, Message>()
  #bytes = 0
  /** Messages of a topic that wait for their transaction, whose order with those after them must stay. */
  readonly #waiting = new Map<string, number>()
  /** By the transaction that goes on. */
  #written = new Map<string, Message>()
  /** When the present interval began, and how many were written in it. */
  #beganAt = Number.NEGATIVE_INFINITY
  #writes = 0

  constructor(parts: UnwrittenParts) {
    this.#parts = parts
  }

  get isEmpty(): boolean {
    return this.#latest.size === 0
  }

  /** Keeps the message, whose bytes must be its own, until it is written. False: it has to be written as everything else is. */
  take(message: Message): boolean {
    const { retained, isAlone, report } = this.#parts
    const { topic } = message
    const previous = this.#latest.get(topic)
    const bytes = this.#bytes + messageBytes(message) - (previous === undefined ? 0 : messageBytes(previous))
    const topics = this.#latest.size + (previous === undefined ? 1 : 0)
    if (topics > maximumTopics || bytes > maximumBytes || this.#waiting.has(topic) || !isAlone()) return false
    const isSmaller = previous?.publisher === message.publisher && bytes <= this.#bytes
    if (!isSmaller && !retained.fits(message, { topics, bytes })) return false
    this.#latest.set(topic, message)
    this.#bytes = bytes
    if (topics === 1) report()
    return true
  }

  /** Whether what is kept here could take the room that the limits leave for the message: it has to be written first. */
  crowds(message: Message): boolean {
    const more = { topics: this.#latest.size + 1, bytes: this.#bytes + messageBytes(message) }
    return !this.isEmpty && !this.#parts.retained.fits(message, more)
  }

  /** A message of this topic waits for its transaction from now on. Returns the one that has to be written before, if any. */
  precede(topic: string): Message | undefined {
    this.#waiting.set(topic, (this.#waiting.get(topic) ?? 0) + 1)
    const message = this.#latest.get(topic)
    if (message !== undefined) this.#delete(topic, message)
    return message
  }

  /** It has had its transaction, or was refused. */
  passed(topic: string): void {
    const left = (this.#waiting.get(topic) ?? 0) - 1
    if (left > 0) this.#waiting.set(topic, left)
    else this.#waiting.delete(topic)
  }

  /** What a transaction that begins now has to do for them: nothing when there are none, or when too many were written in this interval. */
  due(): Work<void> | undefined {
    if (this.isEmpty) return undefined
    const now = this.#parts.clock.monotonic()
    if (now - this.#beganAt >= interval) {
      this.#beganAt = now
      this.#writes = 0
    } else if (this.#writes + this.#latest.size > freeWrites) {
      this.#parts.report()
      return undefined
    }
    this.#writes += this.#latest.size
    return () => this.write()
  }

  *write(): Steps<void> {
    const latest = this.#latest
    this.#latest = new Map()
    this.#bytes = 0
    this.#written = new Map([...this.#written, ...latest])
    let count = 0
    for (const message of latest.values()) {
      this.#parts.retained.set(message)
      count += 1
      if (count % partSize === 0) yield
    }
  }

  takeWritten(): Written {
    const written = this.#written
    if (written.size > 0) this.#written = new Map()
    return written
  }

  /** The transaction that wrote them was undone. */
  putBack(written: Written): void {
    for (const [topic, message] of written) {
      if (this.#latest.has(topic) || this.#waiting.has(topic)) continue
      this.#latest.set(topic, message)
      this.#bytes += messageBytes(message)
    }
    if (!this.isEmpty) this.#parts.report()
  }

  #delete(topic: string, message: Message): void {
    this.#latest.delete(topic)
    this.#bytes -= messageBytes(message)
  }
}
