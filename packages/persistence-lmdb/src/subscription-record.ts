import type { Subscription } from '@x/contract'
import type { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'

/** A subscription with its place among those of its session. */
export interface StoredSubscription {
  readonly subscription: Subscription
  /** Order of subscribing; a replaced subscription keeps its place. */
  readonly ordinal: number
}

const noLocalBit = 4
const retainAsPublishedBit = 8
const retainHandlingShift = 4

/** Writes a subscription as its row has it. */
export function writeSubscription(writer: RecordWriter, { subscription, ordinal }: StoredSubscription): void {
  let flags: number = subscription.qos | (subscription.retainHandling << retainHandlingShift)
  if (subscription.noLocal) flags |= noLocalBit
  if (subscription.retainAsPublished) flags |= retainAsPublishedBit
  writer.u8(flags).text(subscription.filter).optional(subscription.subscriptionIdentifier).u48(ordinal)
}

/** Reads what `writeSubscription` has written. */
export function readSubscription(reader: RecordReader): StoredSubscription {
  const flags = reader.u8()
  const subscription: Subscription = {
    qos: (flags & 3) as Subscription['qos'],
    noLocal: (flags & noLocalBit) !== 0,
    retainAsPublished: (flags & retainAsPublishedBit) !== 0,
    retainHandling: ((flags >> retainHandlingShift) & 3) as Subscription['retainHandling'],
    filter: reader.text(),
    subscriptionIdentifier: reader.optional(),
  }
  return { subscription, ordinal: reader.u48() }
}
