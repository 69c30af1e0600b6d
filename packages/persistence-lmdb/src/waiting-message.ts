import type { Delivery, Message, Subscription } from '@x/contract'
import type { Row } from './environment.ts'
import { numberAt } from './keys.ts'
import { readMessage, writeMessage } from './message-record.ts'
import { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'
import type { SharedMessages } from './shared-messages.ts'

/** Waits in a shared group for a member. */
export interface WaitingMessage {
  readonly sequence: number
  readonly message: Message
  /** Number of the message when it is shared. */
  readonly shared: number | undefined
  /** It came back from a member, so it may have been sent before, and is never dropped. */
  readonly returned: boolean
}

/** The value of the row of a message that waits in a shared group. */
export function encodeWaiting(
  writer: RecordWriter,
  { message, shared, returned }: Omit<WaitingMessage, 'sequence'>,
): Buffer {
  writer
    .begin()
    .u8(returned ? 1 : 0)
    .optional(shared)
  if (shared === undefined) writeMessage(writer, message)
  return writer.take()
}

/** Reads what `encodeWaiting` has written. */
export function decodeWaiting({ key, value }: Row, messages: SharedMessages): WaitingMessage {
  const reader = new RecordReader(value)
  const returned = reader.u8() === 1
  const shared = reader.optional()
  const message = shared === undefined ? readMessage(reader) : messages.get(shared)
  return { sequence: numberAt(key, 1), message, shared, returned }
}

/** The message as a member with this subscription gets it. */
export function deliveryOf(
  message: Message,
  { qos, retainAsPublished, subscriptionIdentifier }: Subscription,
): Delivery {
  return {
    message,
    qos: qos < message.qos ? qos : message.qos,
    retain: message.retain && retainAsPublished,
    subscriptionIdentifiers: subscriptionIdentifier === undefined ? undefined : [subscriptionIdentifier],
  }
}
