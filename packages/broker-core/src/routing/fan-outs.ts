import type { MaybePromise } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import { flushBytes } from '../connection/flush-queue.ts'
import type { OutboxContext } from '../connection/outbox.ts'
import type { Turn, Yielding } from '../connection/turn.ts'
import type { Publication } from '../message/publication.ts'
import { fanOut } from './fan-out.ts'
import type { Target } from './router.ts'

/** Receivers up to which a message is sent to all at once, which takes a millisecond. */
const mostAtOnce = 1024

/** Receivers between two questions whether the turn is over: enough for it to see that this is a fan-out. */
const perStep = 256

/** Bytes between them: copying these into new buffers takes a millisecond. */
const bytesPerStep = flushBytes / 8

/** What sending to many needs of the engine. */
export interface FanOutHost {
  readonly turn: Turn
  readonly outboxContext: OutboxContext
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
      return this.#sendInSteps(new LongFanOut(this, { targets, publication, from }), publication.topic)
    }
    this.sendTo(targets, publication, from)
    return undefined
  }

  #sendInSteps(fanOutToMany: LongFanOut, topic: string): MaybePromise<void> {
    const before = this.#unfinished.get(topic)
    if (before === undefined && !fanOutToMany.goOn()) return undefined
    if (before !== undefined) before.next = fanOutToMany
    this.#unfinished.set(topic, fanOutToMany)
    return new Promise(resolve => {
      fanOutToMany.ended = () => {
        if (fanOutToMany.next === undefined) this.#unfinished.delete(topic)
        resolve()
      }
    })
  }

  get turn(): Turn {
    return this.#host.turn
  }

  /** Sends to all of these at once. */
  sendTo(targets: readonly Target[], publication: Publication, from: Connection | undefined): void {
    const { turn, outboxContext } = this.#host
    const { flushQueue } = outboxContext
    flushQueue.beginFanOut(targets.length)
    fanOut(targets, publication, from)
    flushQueue.endFanOut(publication.size * targets.length)
    turn.fannedOut(targets.length)
  }
}

interface Errand {
  readonly targets: readonly Target[]
  readonly publication: Publication
  readonly from: Connection | undefined
}

/** One message on its way to very many. */
class LongFanOut implements Yielding {
  readonly #fanOuts: FanOuts
  readonly #errand: Errand
  /** Index of the first target that does not have the message. */
  #position = 0
  /** Begins when this one has ended. */
  next: LongFanOut | undefined
  /** Set once it has given way. */
  ended: (() => void) | undefined

  constructor(fanOuts: FanOuts, errand: Errand) {
    this.#fanOuts = fanOuts
    this.#errand = errand
  }

  goOn(): boolean {
    const { turn } = this.#fanOuts
    const { targets, publication, from } = this.#errand
    const atATime = Math.max(1, Math.min(perStep, Math.floor(bytesPerStep / publication.size)))
    do {
      const part = targets.slice(this.#position, this.#position + atATime)
      this.#position += part.length
      // A publisher that has gone is not paused.
      this.#fanOuts.sendTo(part, publication, from?.phase === 'connected' ? from : undefined)
      turn.credit -= (part.length * publication.size) >> 9
      const isOver = turn.credit <= 0 && turn.isOver()
      if (isOver && this.#position < targets.length) {
        turn.giveWay(this)
        return true
      }
    } while (this.#position < targets.length)
    this.ended?.()
    if (this.next !== undefined) turn.giveWay(this.next)
    return false
  }
}
