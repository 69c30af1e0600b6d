import { isExpired, messageBytes } from '@x/contract'
import type { Delivery, Message, QueueEntry } from '@x/contract'
import { readEntry, writeEntry } from './entry-record.ts'
import type { EntryRecord } from './entry-record.ts'
import { kind, numberKey } from './keys.ts'
import { readMessage, writeMessage } from './message-record.ts'
import type { RecordWriter } from './record-writer.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedMessages } from './shared-messages.ts'

/** A delivery, and where its message stands. */
export interface StoredDelivery extends Delivery {
  /** Number of the message when it is shared; undefined: it stands in the entry. */
  readonly shared?: number | undefined
}

/** An entry as it was read: what its owner gets, and what the store knows of it beside that. */
export interface FoundEntry {
  readonly sequence: number
  readonly record: EntryRecord
  readonly message: Message
  readonly value: Buffer
}

/** The key of an entry. */
export function entryKey(session: SessionRecord, sequence: number): Buffer {
  return numberKey(kind.entry, session.number, sequence)
}

/** The value of an entry's row. */
export function encodeEntry(writer: RecordWriter, delivery: StoredDelivery, claimed: boolean): Buffer {
  const { message, qos, retain, subscriptionIdentifiers, shared } = delivery
  const bytes = messageBytes(message)
  const record = { qos, retain, subscriptionIdentifiers, released: false, claimed, bytes, message: shared }
  writeEntry(writer.begin(), record)
  if (shared === undefined) writeMessage(writer, message)
  return writer.take()
}

/** The entry of a row. */
export function decodeEntry(sequence: number, value: Buffer, messages: SharedMessages): FoundEntry {
  const { entry, rest } = readEntry(value)
  const message = entry.message === undefined ? readMessage(rest) : messages.get(entry.message)
  return { sequence, record: entry, message, value }
}

/** The entry as the contract has it. */
export function asQueueEntry({ sequence, record, message }: FoundEntry): QueueEntry {
  const { qos, retain, subscriptionIdentifiers, released } = record
  return { sequence, message, qos, retain, subscriptionIdentifiers, released }
}

/** Neither taken nor sent: it counts towards the limits, and may be dropped. */
export function isWaiting(session: SessionRecord, sequence: number, record: EntryRecord): boolean {
  return sequence > session.readThrough && !record.claimed && !record.released
}

/** An entry that was sent before stays: its delivery has begun ([MQTT5-3.3.2-5]), its packet identifier is in use. */
export function isLost(session: SessionRecord, entry: FoundEntry, now: number): boolean {
  return isWaiting(session, entry.sequence, entry.record) && isExpired(entry.message, now)
}
