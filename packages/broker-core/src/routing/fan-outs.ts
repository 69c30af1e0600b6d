import type { MaybePromise } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import { flushBytes } from '../connection/flush-queue.ts'
import type { OutboxContext } from '../connection/outbox.ts'
import type { Turn, Yielding } from '../connection/turn.ts'
import type { Publication } from '../message/publication.ts'
import { fanOut } from './fan-out.ts'
import type { Target } from './router.ts'

/** Receivers up to which a message, or a run of them, is sent to all at once, which takes a millisecond. */
export const mostAtOnce = 1024

/** Receivers between two questions whether the turn is over: enough for it to see that this is a fan-out. */
const perStep = 256

/** Bytes between them: copying these into new buffers takes a millisecond. */
const bytesPerStep = flushBytes / 8

/** What sending to many needs of the engine. */
export interface FanOutHost {
  readonly turn: Turn
  readonly outboxContext: OutboxContext
}

/** A message, or a run of messages, on its way to very many. */
export interface Errand {
  readonly topic: string
  readonly receivers: number
  /** Bytes for each receiver. */
  readonly size: number
  /** Sends it to the receivers with these numbers; `end` is not one of them. */
  sendTo(start: number, end: number): void
}

/** Sends messages to their receivers. A message to thousands gives way when the turn is over, and goes on in the next one. Until it has
 * ended, the messages that follow on its topic wait, whichever client publishes them. */
export class FanOuts {
  readonly #host: FanOutHost
  /** By topic, the last one that has begun or waits. */
  readonly #unfinished = new Map<string, LongFanOut>()

  constructor(host: FanOutHost) {
    this.#host = host
  }

  /** A message on this topic has to wait for others. */
  isSending(topic: string): boolean {
    return this.#unfinished.size > 0 && this.#unfinished.has(topic)
  }

  /** The promise settles when all receivers have the message, and never rejects. */
  send(targets: readonly Target[], publication: Publication, from: Connection | undefined): MaybePromise<void> {
    const { length } = targets
    if (length === 0) return undefined
    if (length > mostAtOnce || length * publication.size > flushBytes || this.isSending(publication.topic)) {
      return this.sendInParts(new MessageErrand(targets, publication, from))
    }
    const { turn, outboxContext } = this.#host
    const { flushQueue } = outboxContext
    const bytes = publication.size * length
    flushQueue.beginFanOut(length)
    fanOut(targets, publication, from)
    flushQueue.endFanOut(bytes)
    turn.fannedOut(length, bytes)
    return undefined
  }

  /** Like {@link send}, for what does not go to all receivers at once. */
  sendInParts(errand: Errand): MaybePromise<void> {
    const { topic } = errand
    const long = new LongFanOut(this.#host, errand)
    const before = this.#unfinished.get(topic)
    if (before === undefined && !long.goOn()) return undefined
    if (before !== undefined) before.next = long
    this.#unfinished.set(topic, long)
    return new Promise(resolve => {
      long.ended = () => {
        if (long.next === undefined) this.#unfinished.delete(topic)
        resolve()
      }
    })
  }
}

class MessageErrand implements Errand {
  readonly #targets: readonly Target[]
  readonly #publication: Publication
  readonly #from: Connection | undefined

  constructor(targets: readonly Target[], publication: Publication, from: Connection | undefined) {
    this.#targets = targets
    this.#publication = publication
    this.#from = from
  }

  get topic(): string {
    return this.#publication.topic
  }

  get receivers(): number {
    return this.#targets.length
  }

  get size(): number {
    return this.#publication.size
  }

  sendTo(start: number, end: number): void {
    const from = this.#from
    // A publisher that has gone is not paused.
    fanOut(this.#targets.slice(start, end), this.#publication, from?.phase === 'connected' ? from : undefined)
  }
}

/** One errand, as far as it has come. */
class LongFanOut implements Yielding {
  readonly #host: FanOutHost
  readonly #errand: Errand
  /** Number of the first receiver that does not have it. */
  #position = 0
  /** Begins when this one has ended. */
  next: LongFanOut | undefined
  /** Set once it has given way. */
  ended: (() => void) | undefined

  constructor(host: FanOutHost, errand: Errand) {
    this.#host = host
    this.#errand = errand
  }

  goOn(): boolean {
    const { turn } = this.#host
    const { receivers, size } = this.#errand
    const atATime = Math.max(1, Math.min(perStep, Math.floor(bytesPerStep / size)))
    do {
      const start = this.#position
      this.#position = Math.min(receivers, start + atATime)
      this.#send(start, this.#position)
      const isOver = turn.credit <= 0 && turn.isOver()
      if (isOver && this.#position < receivers) {
        turn.giveWay(this)
        return true
      }
    } while (this.#position < receivers)
    this.ended?.()
    if (this.next !== undefined) turn.giveWay(this.next)
    return false
  }

  #send(start: number, end: number): void {
    const { turn, outboxContext } = this.#host
    const { flushQueue } = outboxContext
    const { receivers, size } = this.#errand
    const bytes = (end - start) * size
    flushQueue.beginFanOut(receivers)
    this.#errand.sendTo(start, end)
    flushQueue.endFanOut(bytes)
    turn.fannedOut(end - start, bytes)
    turn.credit -= bytes >> 9
  }
}
