import type { QoS } from '@x/packet'
import type { Message } from './message.ts'

/** Where a message has come from: a client, the broker or its program (a will comes from the broker), or another broker. */
export type MessageEntrance = 'client' | 'program' | 'broker'

/** What a broker does with a message before it has it done: keeps it in the store, tells other brokers, calls the program's
 * subscribers. */
export type MessageStep = 'store' | 'emit' | 'deliver'

/** How a message was sent to a client. */
export interface TracedDelivery {
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
}

/** Follows single messages on their way through a broker. `brokerId` and `brokerCounter` name a message all the way; hooks may change the
 * rest of it.
 *
 * The methods are called synchronously in the middle of that way, and what they are given is theirs for the length of the call. What
 * they throw becomes the broker's `error` (`PLUGIN_FAILED`) and changes nothing for the message. */
export interface MessageTracer {
  /** Returns whether a client's PUBLISH is to be followed. It is called for each PUBLISH that comes, so it must be quick. The bytes of
   * `source` from `start` to `end` are the properties of the packet; there are none in MQTT 3. */
  chooses(source: Uint8Array, start: number, end: number): boolean
  /** A message has come in: one of a client that was chosen, or any one of the program or of another broker. */
  accepted(message: Message, entrance: MessageEntrance): void
  /** A step begins. The broker calls what is returned when the step has ended, with the error if it has failed; undefined: this step is
   * not followed. */
  begins(step: MessageStep, message: Message): ((error?: unknown) => void) | undefined
  /** The message was written to the connection of a client, perhaps long after it came in. */
  delivered(message: Message, clientId: string, delivery: TracedDelivery): void
  /** The broker has done what it does with a message when it comes, and acknowledged it; or has refused it with an error. Deliveries may
   * follow. A message whose publisher leaves in the middle of it may have no such call. */
  ended(message: Message, error?: unknown): void
}
