import type { Delivery } from '@x/contract'
import { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'

/** One entry of a queue. Its message stands in it, or under its number when several queues share it. */
export interface EntryRecord {
  readonly qos: Delivery['qos']
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[] | undefined
  readonly released: boolean
  /** It came by `claim`, so the owner has taken it wherever it stands. */
  readonly claimed: boolean
  /** What the message costs by the queue's limits. */
  readonly bytes: number
  /** Number of the shared message; undefined: the message follows. */
  readonly message: number | undefined
}

const retainBit = 4
const releasedBit = 8
const claimedBit = 16

/** Writes an entry as its row has it. */
export function writeEntry(writer: RecordWriter, entry: EntryRecord): void {
  let flags: number = entry.qos
  if (entry.retain) flags |= retainBit
  if (entry.released) flags |= releasedBit
  if (entry.claimed) flags |= claimedBit
  writer.u8(flags).u32(entry.bytes).optional(entry.message)
  const identifiers = entry.subscriptionIdentifiers ?? []
  writer.u32(identifiers.length)
  for (const identifier of identifiers) writer.u32(identifier)
}

/** The entry, and a reader that stands before its message when that is not shared. */
export function readEntry(value: Buffer): { readonly entry: EntryRecord; readonly rest: RecordReader } {
  const reader = new RecordReader(value)
  const flags = reader.u8()
  const bytes = reader.u32()
  const message = reader.optional()
  const count = reader.u32()
  const identifiers = Array.from({ length: count }, () => reader.u32())
  const entry: EntryRecord = {
    qos: (flags & 3) as Delivery['qos'],
    retain: (flags & retainBit) !== 0,
    released: (flags & releasedBit) !== 0,
    claimed: (flags & claimedBit) !== 0,
    subscriptionIdentifiers: count === 0 ? undefined : identifiers,
    bytes,
    message,
  }
  return { entry, rest: reader }
}

/** The same entry's value with other flags; everything else stays as it is. */
export function withFlags(value: Buffer, flags: Partial<Pick<EntryRecord, 'released' | 'claimed'>>): Buffer {
  const changed = Buffer.from(value)
  let bits = changed.readUInt8(0)
  if (flags.released !== undefined) bits = flags.released ? bits | releasedBit : bits & ~releasedBit
  if (flags.claimed !== undefined) bits = flags.claimed ? bits | claimedBit : bits & ~claimedBit
  changed[0] = bits
  return changed
}
