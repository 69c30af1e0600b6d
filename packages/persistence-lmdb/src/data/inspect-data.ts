import { statSync } from 'node:fs'
import { join } from 'node:path'
import { messageBytes } from '@x/contract'
import type { Subscription } from '@x/contract'
import { isGone, readInstance } from '../instances.ts'
import { kind, textKey } from '../keys.ts'
import { RecordReader } from '../record-reader.ts'
import { messageOfRow } from '../retained-store.ts'
import { readSession } from '../session-record.ts'
import type { SessionRecord } from '../session-record.ts'
import { readSubscription } from '../subscription-record.ts'
import { Snapshot } from './snapshot.ts'
import { unexplained } from './unexplained.ts'

/** What stands in a directory. */
export interface DataSummary {
  readonly schema: string
  /** Of the file, with its free pages. */
  readonly fileBytes: number
  /** That have the directory open. */
  readonly brokers: readonly { readonly brokerId: string; readonly pid: number; readonly durability: string }[]
  readonly sessions: number
  /** Of these, those whose clients are connected, or were when their broker died. */
  readonly openSessions: number
  readonly subscriptions: number
  readonly groups: number
  readonly queued: Amount
  readonly retained: Amount
  /** Of clients that are connected, and those that wait for their delay. */
  readonly wills: number
  /** The longest queues, the longest first. */
  readonly longestQueues: readonly { readonly clientId: string; readonly messages: number }[]
  /** Rows that nothing explains, each with a sentence; a sound directory has none. */
  readonly unexplained: readonly string[]
}

interface Amount {
  readonly messages: number
  /** As counted by `messageBytes`. */
  readonly bytes: number
}

/** What `inspect` shows of a client. */
export interface ClientSummary {
  readonly clientId: string
  readonly isOpen: boolean
  /** Seconds; 4 294 967 295: it never ends. */
  readonly sessionExpiryInterval: number
  /** ms since the epoch; undefined: its client is connected, or it never ends. */
  readonly expiresAt: number | undefined
  readonly subscriptions: readonly Subscription[]
  readonly queue: readonly QueuedSummary[]
}

/** What `inspect` shows of a queued message. */
export interface QueuedSummary {
  readonly sequence: number
  readonly topic: string
  readonly qos: number
  readonly bytes: number
  readonly state: 'waits' | 'may have been sent' | 'released'
}

const longest = 10

/** Looks at a directory as it is at one moment, also while brokers have it open.
 * @throws PersistenceError `UNAVAILABLE` when there is no store in it */
export async function inspectData(directory: string): Promise<DataSummary> {
  const snapshot = new Snapshot(directory)
  try {
    const sessions = [...snapshot.sessions()].filter(({ sessionExpiryInterval }) => sessionExpiryInterval > 0)
    const instances = Array.from(snapshot.all(kind.instance), row => readInstance(row))
    return {
      schema: snapshot.schema,
      fileBytes: statSync(join(directory, 'data.mdb')).size,
      brokers: instances.filter(instance => !isGone(instance)),
      sessions: sessions.length,
      openSessions: sessions.filter(({ owner }) => owner !== 0).length,
      subscriptions: sessions.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
      groups: count(snapshot, kind.group),
      queued: queuedIn(snapshot, sessions),
      retained: retainedIn(snapshot),
      wills: count(snapshot, kind.will),
      longestQueues: sessions
        .filter(({ entries }) => entries > 0)
        .toSorted((one, other) => other.entries - one.entries)
        .slice(0, longest)
        .map(({ clientId, entries }) => ({ clientId, messages: entries })),
      unexplained: unexplained(snapshot),
    }
  } finally {
    await snapshot.close()
  }
}

/** One session; undefined: there is none.
 * @throws PersistenceError `UNAVAILABLE` when there is no store in the directory */
export async function inspectClient(directory: string, clientId: string): Promise<ClientSummary | undefined> {
  const snapshot = new Snapshot(directory)
  try {
    const value = snapshot.get(textKey(kind.session, clientId))
    if (value === undefined) return undefined
    const session = readSession(new RecordReader(value))
    const { owner, sessionExpiryInterval, expiresAt, number, readThrough, sentThrough } = session
    const stored = Array.from(snapshot.of(kind.subscription, number), row =>
      readSubscription(new RecordReader(row.value)),
    )
    return {
      clientId,
      isOpen: owner !== 0,
      sessionExpiryInterval,
      expiresAt,
      subscriptions: stored.sort((one, other) => one.ordinal - other.ordinal).map(({ subscription }) => subscription),
      queue: Array.from(snapshot.entries(session), ({ sequence, record, message }) => ({
        sequence,
        topic: message.topic,
        qos: record.qos,
        bytes: message.payload.length,
        state: stateOf(record.released, sequence <= Math.max(readThrough, sentThrough) || record.claimed),
      })),
    }
  } finally {
    await snapshot.close()
  }
}

function stateOf(isReleased: boolean, isTaken: boolean): QueuedSummary['state'] {
  if (isReleased) return 'released'
  return isTaken ? 'may have been sent' : 'waits'
}

function count(snapshot: Snapshot, first: number): number {
  let rows = 0
  for (const { key } of snapshot.all(first)) if (key.length > 0) rows += 1
  return rows
}

function queuedIn(snapshot: Snapshot, sessions: readonly SessionRecord[]): Amount {
  let messages = 0
  let bytes = 0
  for (const session of sessions) {
    for (const { record } of snapshot.entries(session)) {
      messages += 1
      bytes += record.bytes
    }
  }
  return { messages, bytes }
}

function retainedIn(snapshot: Snapshot): Amount {
  let messages = 0
  let bytes = 0
  for (const first of [kind.retained, kind.longRetained]) {
    for (const row of snapshot.all(first)) {
      messages += 1
      bytes += messageBytes(messageOfRow(row))
    }
  }
  return { messages, bytes }
}
