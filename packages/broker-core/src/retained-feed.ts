import type { Message, Subscription } from '@x/contract'
import type { Engine } from './engine.ts'
import { isPromise } from './maybe-promise.ts'
import type { Session } from './session.ts'

interface Feed {
  readonly subscription: Subscription
  readonly messages: Iterator<Message>
}

/** Retained messages on their way to one session: taken from the store one by one, as fast as the client takes them, so that
 * a subscription to a million topics costs no more memory than one to ten. MQTT 5.0 §3.3.1.3 */
export class RetainedFeeds {
  readonly #session: Session
  readonly #engine: Engine
  readonly #feeds: Feed[] = []
  /** An asynchronous store is taking the last message. */
  #storing = false

  constructor(session: Session, engine: Engine) {
    this.#session = session
    this.#engine = engine
  }

  get isEmpty(): boolean {
    return this.#feeds.length === 0
  }

  add(subscription: Subscription, messages: Iterable<Message>): void {
    this.#feeds.push({ subscription, messages: messages[Symbol.iterator]() })
  }

  /** Sends what there is room for. */
  pump(): void {
    while (this.#feeds[0] !== undefined && this.#sendFrom(this.#feeds[0])) this.#feeds.shift()
  }

  /** True: nothing more comes from this feed. */
  #sendFrom({ subscription, messages }: Feed): boolean {
    const { outbox } = this.#session
    const { highWaterMark } = this.#engine.outboxContext
    // A subscription that was replaced has a feed of its own.
    while (this.#session.subscriptions.get(subscription.filter) === subscription) {
      if (this.#storing || (subscription.qos > 0 && !this.#session.hasRoom)) return false
      if (outbox.pending > highWaterMark) {
        outbox.overfill()
        return false
      }
      const next = messages.next()
      if (next.done === true) return true
      this.#send(subscription, next.value)
    }
    return true
  }

  #send(subscription: Subscription, message: Message): void {
    const session = this.#session
    if (subscription.noLocal && message.publisher === session.clientId) return
    const qos = message.qos < subscription.qos ? message.qos : subscription.qos
    const { subscriptionIdentifier } = subscription
    const subscriptionIdentifiers = subscriptionIdentifier === undefined ? undefined : [subscriptionIdentifier]
    if (qos === 0 || !session.stored) {
      session.send(this.#engine.publicationOf(message), qos, true, subscriptionIdentifiers)
      return
    }
    const delivery = { message, qos, retain: true, subscriptionIdentifiers }
    const stored = this.#engine.persistence.enqueue(session.handle, [delivery])
    if (!isPromise(stored)) return
    this.#storing = true
    const resumed = stored.finally(() => {
      this.#storing = false
    })
    this.#engine.watch(
      resumed.then(() => this.pump()),
      'enqueue',
    )
  }
}
