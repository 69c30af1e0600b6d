import type { PersistenceCounts } from '@x/contract'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'

/** What is counted over the whole directory. Changed in place within a transaction. */
export interface Totals {
  /** Given to the next session, message, group, retained message, will or opening. */
  nextNumber: number
  /** Of stored sessions. */
  sessions: number
  subscriptions: number
  queuedMessages: number
  retainedMessages: number
  retainedBytes: number
  /** Routes whose filter is too long for a key: each topic is compared with all of them. */
  longRoutes: number
  /** Another one with each change of a route, so that what was found out about a topic is known to be old. */
  routesVersion: number
  /** Bytes that wait in the queues of sessions and groups. */
  waitingBytes: number
  /** Bytes of wills of open sessions, and of those that wait for their delay. */
  willBytes: number
}

/** Where `routesVersion` stands in the row, and its bytes. */
const versionAt = { offset: 42, length: 6 } as const

/** Only the version of the routes, from the row of totals. */
export function routesVersionIn(value: Buffer | undefined): number {
  return value?.readUIntBE(versionAt.offset, versionAt.length) ?? 0
}

/** The totals of an empty store. */
export function newTotals(): Totals {
  return {
    nextNumber: 1,
    sessions: 0,
    subscriptions: 0,
    queuedMessages: 0,
    retainedMessages: 0,
    retainedBytes: 0,
    longRoutes: 0,
    routesVersion: 0,
    waitingBytes: 0,
    willBytes: 0,
  }
}

/** Those that everybody may know. */
export function countsOf(totals: Totals): PersistenceCounts {
  const { sessions, subscriptions, queuedMessages, retainedMessages } = totals
  const { waitingBytes: queuedBytes, retainedBytes, willBytes } = totals
  return { sessions, subscriptions, queuedMessages, retainedMessages, queuedBytes, retainedBytes, willBytes }
}

/** The value of the row of totals. */
export function encodeTotals(totals: Totals): Buffer {
  return new RecordWriter()
    .u48(totals.nextNumber)
    .u48(totals.sessions)
    .u48(totals.subscriptions)
    .u48(totals.queuedMessages)
    .u48(totals.retainedMessages)
    .u48(totals.retainedBytes)
    .u48(totals.longRoutes)
    .u48(totals.routesVersion)
    .u48(totals.waitingBytes)
    .u48(totals.willBytes)
    .take()
}

/** Reads what `encodeTotals` has written. */
export function decodeTotals(value: Buffer): Totals {
  const reader = new RecordReader(value)
  return {
    nextNumber: reader.u48(),
    sessions: reader.u48(),
    subscriptions: reader.u48(),
    queuedMessages: reader.u48(),
    retainedMessages: reader.u48(),
    retainedBytes: reader.u48(),
    longRoutes: reader.u48(),
    routesVersion: reader.u48(),
    waitingBytes: reader.isAtEnd ? 0 : reader.u48(),
    willBytes: reader.isAtEnd ? 0 : reader.u48(),
  }
}
