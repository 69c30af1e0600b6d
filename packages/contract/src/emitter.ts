import type { Message } from './message.ts'
import type { MaybePromise } from './maybe-promise.ts'

/** Carries messages between brokers. A broker alone has none.
 *
 * Messages of one publisher on one topic and of one QoS arrive in the order they were published. A message is never delivered to
 * the broker that published it. */
export interface Emitter {
  open(host: EmitterHost): MaybePromise<void>
  /** Idempotent. Routes of this broker are gone for the others. */
  close(): MaybePromise<void>
  /** Once this has resolved, messages of other brokers that match the filter arrive here. Counted: each `addRoute` needs its
   * `removeRoute` with the same parameters; one that is rejected was not added. Brokers call it once for each distinct filter, not
   * for each client.
   *
   * Messages above `maximumQoS` (default 2) need not be brought for this route: something else brings them. With a shared filter
   * (`$share/NAME/FILTER`) only QoS 0 is asked for: see {@link takesTurn}. */
  addRoute(filter: string, maximumQoS?: 0 | 2): MaybePromise<void>
  removeRoute(filter: string, maximumQoS?: 0 | 2): MaybePromise<void>
  /** Resolves once the others have all routes that were added here. An emitter over which they can be lost, by a broker that was away for
   * long, has this method: a client that subscribes by a route that is there already waits for it. */
  routesStand?(): MaybePromise<void>
  /** Whether it is the turn of this broker, which has a route of this shared filter, to serve the group with the QoS 0 message that
   * it publishes next. If not, `publish` brings the message to the broker whose turn it is. An emitter that can't do that always
   * returns true and delivers without `groups`. */
  takesTurn(group: string): boolean
  /** False: no other broker has a route that matches the topic, and publishing there would bring a message to nobody. */
  reaches(topic: string): boolean
  /** Brings the message to all brokers with a matching route; one copy each. Once this has resolved, a message of QoS 1 or 2
   * can't get lost any more by the end of this process. */
  publish(message: Message): MaybePromise<void>
  /** Resolves once everything of QoS 1 and 2 has been delivered here that other brokers had for this one when it was called, or could not be
   * for a while; does not reject. An emitter that may know of less has this method: a client that has published elsewhere, and connects
   * here, waits for it, so that what it publishes now comes behind that. */
  arrived?(): MaybePromise<void>
  /** Tells all other brokers that this client is connected here now: who else has it closes it. */
  announce(clientId: string): MaybePromise<void>
}

/** The broker of an emitter, which it tells what it hears of other brokers. */
export interface EmitterHost {
  readonly brokerId: string
  /** A message of another broker. A promise that this returns holds back further messages of that broker; it does not reject.
   *
   * `groups`: the shared filters that this broker serves with it, a QoS 0 message; undefined: all that match. */
  deliver(message: Message, groups?: readonly string[]): MaybePromise<void>
  /** The client has connected to another broker. */
  takenOver(clientId: string): void
  /** Another broker can no longer be reached, or can be again. */
  presence(brokerId: string, present: boolean): void
}
