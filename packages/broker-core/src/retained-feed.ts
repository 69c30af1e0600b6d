import type { Message, Subscription } from '@x/contract'
import type { Engine } from './engine.ts'
import { isPromise } from './maybe-promise.ts'
import { Publication } from './publication.ts'
import type { Session } from './session.ts'

interface Feed {
  readonly filter: string
  readonly messages: Iterator<Message>
}

/** Retained messages on their way to one session: taken from the store one by one, as fast as the client takes them, so that
 * a subscription to a million topics costs no more memory than one to ten. MQTT 5.0 §3.3.1.3 */
export class RetainedFeeds {
  readonly #session: Session
  readonly #engine: Engine
  /** By filter, in the order of the subscriptions. */
  readonly #feeds = new Map<string, Feed>()
  /** Passes over the feeds once, those to come included: looking for the first one anew each time would cost a step for each that
   * is gone. */
  #turns: Iterator<Feed> | undefined
  #current: Feed | undefined
  /** An asynchronous store is taking the last message. */
  #storing = false

  constructor(session: Session, engine: Engine) {
    this.#session = session
    this.#engine = engine
  }

  get isEmpty(): boolean {
    return this.#feeds.size === 0
  }

  /** Begins with the retained messages of a subscription; what is left of those for an earlier one with the same filter is not
   * sent. */
  add(filter: string, messages: Iterable<Message>): void {
    if (this.#current?.filter === filter) this.#current = undefined
    this.#feeds.delete(filter)
    this.#feeds.set(filter, { filter, messages: messages[Symbol.iterator]() })
  }

  /** Sends what there is room for. */
  pump(): void {
    for (let feed = this.#next(); feed !== undefined; feed = this.#next()) {
      if (!this.#sendFrom(feed)) return
      this.#feeds.delete(feed.filter)
      this.#current = undefined
    }
  }

  #next(): Feed | undefined {
    if (this.#current !== undefined || this.isEmpty) return this.#current
    this.#turns ??= this.#feeds.values()
    const { value } = this.#turns.next() as IteratorResult<Feed, undefined>
    this.#current = value
    if (value === undefined) this.#turns = undefined
    return value ?? this.#next()
  }

  /** True: nothing more comes from this feed. */
  #sendFrom({ filter, messages }: Feed): boolean {
    const { outbox } = this.#session
    for (;;) {
      // As it is now: it may have been replaced since, or be gone.
      const subscription = this.#session.subscriptions.get(filter)
      if (subscription === undefined) return true
      if (this.#storing || (subscription.qos > 0 && !this.#session.hasRoom)) return false
      if (outbox.isOverfull) {
        outbox.overfill()
        return false
      }
      const next = messages.next()
      if (next.done === true) return true
      this.#send(subscription, next.value)
    }
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
    const stored = this.#engine.persistence.enqueue(session.handle, [delivery])
    if (!isPromise(stored)) return
    this.#storing = true
    stored
      .finally(() => {
        this.#storing = false
      })
      .then(() => this.pump())
      // Not left out: a client that subscribes again gets all of them.
      .catch((error: unknown) => session.connection.fail(error))
  }
}
