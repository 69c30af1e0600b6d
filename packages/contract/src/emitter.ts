import type { Message } from './message.ts'
import type { MaybePromise } from './persistence.ts'

/** Carries messages between brokers. A broker alone has none.
 *
 * Messages of one publisher on one topic arrive in the order they were published. A message is never delivered to the
 * broker that published it. */
export interface Emitter {
  open(host: EmitterHost): MaybePromise<void>
  /** Idempotent. Routes of this broker are gone for the others. */
  close(): MaybePromise<void>
  /** From the answer on, messages of other brokers that match the filter arrive here. Counted: each `addRoute` needs its
   * `removeRoute`. Brokers call it once for each distinct filter, not for each client. */
  addRoute(filter: string): MaybePromise<void>
  removeRoute(filter: string): MaybePromise<void>
  /** Brings the message to all brokers with a matching route; one copy each. An answer means, for QoS 1 and 2, that it
   * can't get lost any more by the end of this process. */
  publish(message: Message): MaybePromise<void>
  /** Tells all other brokers that this client is connected here now: who else has it closes it. */
  announce(clientId: string): MaybePromise<void>
}

export interface EmitterHost {
  readonly brokerId: string
  /** A message of another broker. An answer that is a promise holds back further messages of that broker. */
  deliver(message: Message): MaybePromise<void>
  /** The client has connected to another broker. */
  takenOver(clientId: string): void
  /** Another broker can no longer be reached, or can be again. */
  presence(brokerId: string, present: boolean): void
}
