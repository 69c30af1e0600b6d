import type { MaybePromise, Message, SessionHandle, Subscription } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'
import { mayStillPublish } from '../hooks/topic-access.ts'
import { Publication } from '../message/publication.ts'
import type { Receiver } from '../routing/receiver.ts'
import { RetainedSource } from './retained-source.ts'
import type { SessionHost } from './session-host.ts'

/** The session that the retained messages go to. */
export interface FeedSession extends Receiver {
  readonly handle: SessionHandle
  readonly hasRoom: boolean
  /** Sends what waits, as far as there is room. */
  pump(): void
}

/** Messages in one step of long work. */
const perStep = 64

/** How far one look at the current feed has come. */
type Progress = 'sent' | 'nothing' | 'rests' | 'ended'

/** Retained messages for one session: taken from the store one by one, as fast as the client takes them, so that a subscription to a
 * million topics needs no more memory than one to ten. MQTT 5.0 §3.3.1.3 */
export class RetainedFeeds {
  readonly #session: FeedSession
  readonly #engine: SessionHost
  /** Filters whose messages are not all sent, in the order of the subscriptions. */
  readonly #filters = new Set<string>()
  /** Messages of the current filter; the others ask the store when it is their turn. */
  #source: RetainedSource | undefined
  /** Iterates over the filters, including those added later: finding the first one each time would cost a step for each one removed. */
  #turns: Iterator<string> | undefined
  #current: string | undefined
  /** An asynchronous store is taking the last message. */
  #storing = false
  #running = false

  constructor(session: FeedSession, engine: SessionHost) {
    this.#session = session
    this.#engine = engine
  }

  get isEmpty(): boolean {
    return this.#filters.size === 0
  }

  /** Begins to send the retained messages of a subscription; an earlier feed of the same filter ends. Settles when the store has
   * returned the first messages, if it was asked. */
  add(filter: string): MaybePromise<void> {
    if (this.#current === filter) this.#leave()
    this.#filters.delete(filter)
    this.#filters.add(filter)
    this.pump()
    return this.#source?.arriving
  }

  /** A newer message of the topic was sent to the client, or waits for it. */
  overtaken(topic: string): void {
    this.#source?.overtaken(topic)
  }

  /** Sends messages as long as there is room. */
  pump(): void {
    if (this.#running) return
    this.#running = true
    let done: MaybePromise<void> = undefined
    try {
      done = this.#engine.slices.run(() => this.#step())
    } catch (error) {
      this.#failed(error)
    }
    if (isPromise(done)) {
      void done
        .catch((error: unknown) => this.#failed(error))
        .then(() => {
          this.#running = false
          this.#session.pump()
        })
    } else this.#running = false
  }

  /** False: there are no more messages, or no room. */
  #step(): boolean {
    if (!this.#session.isOpen) return false
    for (let count = 0; count < perStep; count += 1) {
      const filter = this.#next()
      if (filter === undefined) return false
      const progress = this.#sendFrom(filter)
      if (progress === 'rests') return false
      if (progress === 'nothing') return true
      if (progress === 'ended') {
        this.#filters.delete(filter)
        this.#leave()
      }
    }
    return true
  }

  #next(): string | undefined {
    if (this.#current !== undefined || this.isEmpty) return this.#current
    this.#turns ??= this.#filters.values()
    const { value } = this.#turns.next() as IteratorResult<string, undefined>
    this.#current = value
    if (value === undefined) this.#turns = undefined
    return value ?? this.#next()
  }

  #leave(): void {
    this.#current = undefined
    this.#source = undefined
  }

  #sendFrom(filter: string): Progress {
    const { outbox } = this.#session
    // The subscription may have been replaced or removed since.
    const subscription = this.#session.subscriptions.get(filter)
    if (subscription === undefined) return 'ended'
    if (this.#storing || (subscription.qos > 0 && !this.#session.hasRoom)) return 'rests'
    if (outbox.isOverfull) {
      outbox.overfill()
      return 'rests'
    }
    this.#source ??= new RetainedSource(
      () => this.#engine.retained(filter),
      () => this.pump(),
    )
    const given = this.#source.next()
    if (given === 'waits') return 'rests'
    if (given === 'end') return 'ended'
    if (given === 'nothing') return 'nothing'
    this.#send(subscription, given)
    return 'sent'
  }

  #send(subscription: Subscription, message: Message): void {
    const session = this.#session
    if (subscription.noLocal && message.publisher === session.clientId) return
    const { checkRetainSource } = this.#engine.options
    if (checkRetainSource && !mayStillPublish(this.#engine, session.connection.client, message)) return
    const isLower = message.qos < subscription.qos && !this.#engine.options.upgradeOutgoingQoS
    const qos = isLower ? message.qos : subscription.qos
    const { subscriptionIdentifier } = subscription
    const subscriptionIdentifiers = subscriptionIdentifier === undefined ? undefined : [subscriptionIdentifier]
    if (qos === 0 || !session.stored) {
      session.send(Publication.of(message), qos, true, subscriptionIdentifiers)
      return
    }
    const delivery = { message, qos, retain: true, subscriptionIdentifiers }
    const { persistence } = this.#engine
    const stored =
      persistence.enqueueRetained === undefined
        ? persistence.enqueue(session.handle, [delivery])
        : persistence.enqueueRetained(session.handle, delivery)
    if (!isPromise(stored)) return
    this.#storing = true
    stored
      .finally(() => {
        this.#storing = false
      })
      .then(() => this.pump())
      // The connection ends, so that the client subscribes again and gets all of them.
      .catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    this.#filters.clear()
    this.#leave()
    this.#session.connection.fail(error)
  }
}
