import type { Subscription } from '@x/contract'
import { kind, numberAt, numberKey } from '../keys.ts'
import { readGroup } from '../group-record.ts'
import { RecordReader } from '../record-reader.ts'
import { messageOfRow } from '../retained-store.ts'
import { takenThrough } from '../session-record.ts'
import type { SessionRecord } from '../session-record.ts'
import { readSubscription } from '../subscription-record.ts'
import { decodeWill } from '../wills.ts'
import { dumpMessage, dumpVersion } from './dump.ts'
import type { DumpedWill, DumpRecord } from './dump.ts'
import { Snapshot } from './snapshot.ts'

/** Everything that is stored in a directory, as it is at one moment, also while brokers have it open; sessions that end with their
 * connection are left out. Closes the directory after the last record, or when the reader stops.
 * @throws PersistenceError `UNAVAILABLE` when there is no store in the directory */
export async function* exportData(directory: string): AsyncGenerator<DumpRecord> {
  const snapshot = new Snapshot(directory)
  try {
    yield { kind: 'dump', version: dumpVersion }
    for (const first of [kind.retained, kind.longRetained]) {
      for (const row of snapshot.all(first)) {
        const message = messageOfRow(row)
        // The next broker has statistics of its own.
        if (!message.topic.startsWith('$SYS/')) yield { kind: 'retained', message: dumpMessage(message) }
      }
    }
    for (const session of snapshot.sessions())
      if (session.sessionExpiryInterval > 0) yield* dumpSession(snapshot, session)
    for (const { value } of snapshot.all(kind.group)) yield* dumpGroup(snapshot, value)
  } finally {
    await snapshot.close()
  }
}

function* dumpSession(snapshot: Snapshot, session: SessionRecord): Generator<DumpRecord> {
  const { clientId, number, sessionExpiryInterval, expiresAt, lastSequence } = session
  yield {
    kind: 'session',
    clientId,
    sessionExpiryInterval,
    expiresAt,
    subscriptions: subscriptionsOf(snapshot, number),
    received: Array.from(snapshot.of(kind.received, number), ({ key }) => numberAt(key, 1)),
    sentThrough: takenThrough(session),
    lastSequence,
    will: willOf(snapshot, session),
  }
  for (const { sequence, record, message } of snapshot.entries(session)) {
    const { qos, retain, subscriptionIdentifiers, released } = record
    yield {
      kind: 'entry',
      clientId,
      sequence,
      qos,
      retain,
      subscriptionIdentifiers,
      released,
      message: dumpMessage(message),
    }
  }
}

function subscriptionsOf(snapshot: Snapshot, number: number): readonly Subscription[] {
  const stored = Array.from(snapshot.of(kind.subscription, number), ({ value }) =>
    readSubscription(new RecordReader(value)),
  )
  return stored.sort((one, other) => one.ordinal - other.ordinal).map(({ subscription }) => subscription)
}

/** The one that waits for its delay: that of an open session is not due yet. */
function willOf(snapshot: Snapshot, { number, willAt }: SessionRecord): DumpedWill | undefined {
  const value = snapshot.get(numberKey(kind.will, number))
  if (willAt === undefined || value === undefined) return undefined
  const { message, messageExpiryInterval } = decodeWill(value)
  return { message: dumpMessage(message), messageExpiryInterval, at: willAt }
}

function* dumpGroup(snapshot: Snapshot, value: Buffer): Generator<DumpRecord> {
  const { name, number } = readGroup(new RecordReader(value))
  for (const { value: waiting } of snapshot.of(kind.waiting, number)) {
    const reader = new RecordReader(waiting)
    // Whether it came back from a member.
    reader.u8()
    yield { kind: 'waiting', group: name, message: dumpMessage(snapshot.message(reader.optional(), reader)) }
  }
}
