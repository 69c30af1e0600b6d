import type { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'

/** What is stored of one session beside its subscriptions, entries, received packet ids and will. Changed in place within a
 * transaction; `WorkingSet` writes it. */
export interface SessionRecord {
  readonly clientId: string
  /** Names the session in keys, since client identifiers may be long. */
  readonly number: number
  /** Of its present or last opening. */
  epoch: number
  /** Number of the instance that has it open; 0: closed. */
  owner: number
  /** Seconds. 0: ends with its connection, and has no queue. */
  sessionExpiryInterval: number
  /** Milliseconds since the epoch; set while it is closed and does not live for ever. */
  expiresAt: number | undefined
  /** When the will that waits is due; set while it is closed and one waits. */
  willAt: number | undefined
  /** Sequence of the newest entry that was ever queued. */
  lastSequence: number
  /** Entries up to here may have been sent on an earlier connection. */
  sentThrough: number
  /** The owner has taken the entries up to here, but for those that were dropped. What is above waits, unless it was claimed. */
  readThrough: number
  /** Entries up to here are offered to the owner as soon as they are durable. It may have sent them, also when it died before it could
   * say what it took. */
  offeredThrough: number
  /** Highest sequence that the owner has claimed. */
  claimedThrough: number
  /** Entries that are there. */
  entries: number
  waitingMessages: number
  waitingBytes: number
  subscriptions: number
  /** Given to the next new subscription. */
  nextOrdinal: number
  /** Members of shared groups keep claims; a session without any needs no look at them. */
  claims: number
  /** When its queue is to be looked through for what has expired; undefined: nothing expires. */
  lookAt: number | undefined
}

/** The record of a session that has just begun. */
export function newSession(clientId: string, number: number): SessionRecord {
  return {
    clientId,
    number,
    epoch: 0,
    owner: 0,
    sessionExpiryInterval: 0,
    expiresAt: undefined,
    willAt: undefined,
    lastSequence: 0,
    sentThrough: 0,
    readThrough: 0,
    offeredThrough: 0,
    claimedThrough: 0,
    entries: 0,
    waitingMessages: 0,
    waitingBytes: 0,
    subscriptions: 0,
    nextOrdinal: 1,
    claims: 0,
    lookAt: undefined,
  }
}

/** Writes a session as its row has it. */
export function writeSession(writer: RecordWriter, record: SessionRecord): void {
  writer.text(record.clientId).u48(record.number).u48(record.epoch).u48(record.owner)
  writer.u48(record.sessionExpiryInterval).optional(record.expiresAt).optional(record.willAt)
  writer.u48(record.lastSequence).u48(record.sentThrough).u48(record.readThrough)
  writer.u48(record.offeredThrough).u48(record.claimedThrough)
  writer.u48(record.entries).u48(record.waitingMessages).u48(record.waitingBytes)
  writer.u48(record.subscriptions).u48(record.nextOrdinal).u48(record.claims).optional(record.lookAt)
}

/** Reads what `writeSession` has written. */
export function readSession(reader: RecordReader): SessionRecord {
  return {
    clientId: reader.text(),
    number: reader.u48(),
    epoch: reader.u48(),
    owner: reader.u48(),
    sessionExpiryInterval: reader.u48(),
    expiresAt: reader.optional(),
    willAt: reader.optional(),
    lastSequence: reader.u48(),
    sentThrough: reader.u48(),
    readThrough: reader.u48(),
    offeredThrough: reader.u48(),
    claimedThrough: reader.u48(),
    entries: reader.u48(),
    waitingMessages: reader.u48(),
    waitingBytes: reader.u48(),
    subscriptions: reader.u48(),
    nextOrdinal: reader.u48(),
    claims: reader.u48(),
    lookAt: reader.isAtEnd ? undefined : reader.optional(),
  }
}

/** The sequence up to which entries may have been sent, if its owner was cut off now. */
export function takenThrough({ sentThrough, readThrough, offeredThrough, claimedThrough }: SessionRecord): number {
  return Math.max(sentThrough, readThrough, offeredThrough, claimedThrough)
}
