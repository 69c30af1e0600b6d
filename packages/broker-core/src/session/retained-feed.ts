import type { MaybePromise, Message, SessionHandle, Subscription } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'
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

/** Retained messages on their way to one session: taken from the store one by one, as fast as the client takes them, so that
 * a subscription to a million topics costs no more memory than one to ten. MQTT 5.0 §3.3.1.3 */
export class RetainedFeeds {
  readonly #session: FeedSession
  readonly #engine: SessionHost
  /** Filters whose messages are yet to come, in the order of the subscriptions. */
  readonly #filters = new Set<string>()
  /** Of the first filter: others ask the store when it is their turn. */
  #source: RetainedSource | undefined
  /** Passes over the filters once, those to come included: looking for the first one anew each time would cost a step for each
   * that is gone. */
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

  /** Begins with the retained messages of a subscription; what is left of those for an earlier one with the same filter is not
   * sent. Settles when the store has given the first of them, if it was asked. */
  add(filter: string): MaybePromise<void> {
    if (this.#current === filter) this.#leave()
    this.#filters.delete(filter)
    this.#filters.add(filter)
    this.pump()
    return this.#source?.arriving
  }

  /** A newer message of the topic has gone out to the client, or waits for it. */
  overtaken(topic: string): void {
    this.#source?.overtaken(topic)
  }

  /** Sends what there is room for. */
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

  /** False: there is no more, or no room. */
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
    // As it is now: it may have been replaced since, or be gone.
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
    const qos = message.qos < subscription.qos ? message.qos : subscription.qos
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
      // Not left out: a client that subscribes again gets all of them.
      .catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    this.#filters.clear()
    this.#leave()
    this.#session.connection.fail(error)
  }
}
