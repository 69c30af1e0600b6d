import type { Delivery, Message, QueueEntry } from '@x/contract'

/** An entry of a session's queue. The owner holds the same object; only `released` changes under its eyes. */
export class QueueItem implements QueueEntry {
  readonly sequence: number
  readonly message: Message
  readonly qos: Delivery['qos']
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[] | undefined
  released = false
  /** Not taken by the owner and not sent before: counts towards the limits and may be dropped. */
  waiting = false

  constructor(sequence: number, delivery: Delivery) {
    this.sequence = sequence
    this.message = delivery.message
    this.qos = delivery.qos
    this.retain = delivery.retain
    this.subscriptionIdentifiers = delivery.subscriptionIdentifiers
  }
}
