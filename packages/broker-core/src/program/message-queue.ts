import { brokerClosed } from '../ground/broker-closed.ts'
import type { DeliverFunction, ProgramBroker } from '../hooks/client.ts'
import { assertDeliver } from '../routing/program-subscribers.ts'
import type { ProgramSubscribers } from '../routing/program-subscribers.ts'
import { after, all } from '../ground/maybe-promise.ts'
import type { PublishRequest } from '../message/broker-packet.ts'
import type { ProgramFaults } from '../hooks/program-faults.ts'

type Done = (error?: Error | null) => void

/** `broker.mq`: the interface of mqemitter, for plugins written for Aedes. `emit` publishes a message, `on` subscribes a function of the
 * program. */
export class MessageQueue {
  readonly #broker: ProgramBroker
  readonly #subscribers: ProgramSubscribers
  readonly #faults: ProgramFaults
  readonly #listeners = new Map<string, Set<DeliverFunction>>()

  constructor(broker: ProgramBroker, subscribers: ProgramSubscribers, faults: ProgramFaults) {
    this.#broker = broker
    this.#faults = faults
    this.#subscribers = subscribers
  }

  get concurrency(): number {
    return this.#subscribers.concurrency
  }

  /** Number of messages whose listeners have not ended. */
  get current(): number {
    return this.#subscribers.running
  }

  /** Number of messages that wait for a listener. */
  get length(): number {
    return this.#subscribers.waiting
  }

  get closed(): boolean {
    return this.#broker.closed
  }

  on(topic: string, listener: DeliverFunction, done?: Done): this {
    // Checked here, since without `done` a later error would reach nobody.
    assertDeliver(listener)
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    if (done) this.#broker.subscribe(topic, listener, callback(done))
    else void this.#broker.subscribe(topic, listener)
    return this
  }

  removeListener(topic: string, listener: DeliverFunction, done?: Done): this {
    const listeners = this.#listeners.get(topic)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(topic)
    if (done) this.#broker.unsubscribe(topic, listener, callback(done))
    else void this.#broker.unsubscribe(topic, listener)
    return this
  }

  /** Removes the listeners that `on` has added. */
  removeAllListeners(topic: string, done?: Done): this {
    const listeners = [...(this.#listeners.get(topic) ?? [])]
    this.#listeners.delete(topic)
    void this.#faults.settle(
      () =>
        after(
          all(listeners, listener => this.#broker.unsubscribe(topic, listener)),
          () => undefined,
        ),
      done && callback(done),
    )
    return this
  }

  emit(message: PublishRequest, done?: Done): this {
    if (this.closed) {
      const error = brokerClosed('mqemitter')
      if (done) queueMicrotask(() => this.#faults.callBack(() => done(error)))
      else this.#faults.report(error)
      return this
    }
    if (done) this.#broker.publish(message, callback(done))
    else void this.#broker.publish(message)
    return this
  }

  /** Does nothing: it closes with the broker. */
  close(done?: Done): void {
    queueMicrotask(() => this.#faults.callBack(done))
  }
}

function callback(done: Done): (error?: Error) => void {
  return error => done(error)
}
