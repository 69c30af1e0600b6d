import type { QoS } from '@x/packet'
import type { Message } from './message.ts'

/** A message on its way to one session. */
export interface Delivery {
  readonly message: Message
  /** The QoS it is delivered with. */
  readonly qos: QoS
  /** The RETAIN flag it is delivered with. */
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[] | undefined
}

/** A message in the queue of a session. */
export interface QueueEntry extends Delivery {
  /** Place in the session's queue: ascending by one in the order of queueing; the packet id is derived from it. */
  readonly sequence: number
  /** PUBREC has arrived: what is left to do is PUBREL. */
  readonly released: boolean
}
