import type { MaybePromise } from '@x/contract'
import type { Connection } from './connection.ts'
import { Hold } from './hold.ts'

/** Publishes of one connection that wait for an asynchronous store, hook or subscriber. They all are on their way at the
 * same time, and complete in the order they came ([MQTT5-4.6.0-5]); it exists only while there are any. */
export class Acceptance {
  readonly #connection: Connection
  #last: Promise<void> = Promise.resolve()
  #size = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get size(): number {
    return this.#size
  }

  /** Calls `complete` once `stored`, which does not reject, has settled and everything before it is complete. */
  add<Outcome>(stored: MaybePromise<Outcome>, complete: (outcome: Outcome) => MaybePromise<void>): void {
    const connection = this.#connection
    this.#size += 1
    if (this.#size >= connection.engine.receiveMaximum) connection.hold(Hold.pending)
    const previous = this.#last
    this.#last = Promise.all([stored, previous])
      .then(([outcome]) => complete(outcome))
      .catch((error: unknown) => connection.fail(error))
      .then(() => this.#done())
  }

  #done(): void {
    this.#size -= 1
    const connection = this.#connection
    if (this.#size === 0 && connection.pending === this) connection.pending = undefined
    connection.release(Hold.pending)
  }
}
