import { readEntry } from '../entry-record.ts'
import { readGroup } from '../group-record.ts'
import { kind, metaKey, numberAt } from '../keys.ts'
import { RecordReader } from '../record-reader.ts'
import { decodeTotals } from '../totals.ts'
import type { Snapshot } from './snapshot.ts'

/** Kinds of rows whose keys begin with the number of a session. */
const ofSessions = {
  subscription: kind.subscription,
  'queue entry': kind.entry,
  'claim of a shared message': kind.claim,
  'received packet identifier': kind.received,
  will: kind.will,
} as const

/** Sentences about rows that nothing explains. */
export function unexplained(snapshot: Snapshot): readonly string[] {
  const sessions = new Set<number>()
  let queued = 0
  for (const { number, entries } of snapshot.sessions()) {
    sessions.add(number)
    queued += entries
  }
  const groups = new Set<number>()
  for (const { value } of snapshot.all(kind.group)) {
    const { number, waitingMessages } = readGroup(new RecordReader(value))
    groups.add(number)
    queued += waitingMessages
  }
  return [
    ...Object.entries(ofSessions).flatMap(([name, first]) => strangers(snapshot, { name, first, known: sessions })),
    ...strangers(snapshot, { name: 'message of a shared group', first: kind.waiting, known: groups }),
    ...strangers(snapshot, { name: 'member of a shared group', first: kind.member, known: groups }),
    ...strayMessages(snapshot),
    ...wrongTotals(snapshot, queued),
  ]
}

interface Kind {
  readonly name: string
  readonly first: number
  readonly known: ReadonlySet<number>
}

function strangers(snapshot: Snapshot, { name, first, known }: Kind): readonly string[] {
  let rows = 0
  for (const { key } of snapshot.all(first)) if (!known.has(numberAt(key, 0))) rows += 1
  return rows === 0 ? [] : [`${rows} × ${name} of nobody`]
}

/** Messages whose count is not that of the entries that point to them. */
function strayMessages(snapshot: Snapshot): readonly string[] {
  const pointers = new Map<number, number>()
  const point = (number: number | undefined): void => {
    if (number !== undefined) pointers.set(number, (pointers.get(number) ?? 0) + 1)
  }
  for (const { value } of snapshot.all(kind.entry)) point(readEntry(value).entry.message)
  for (const { value } of snapshot.all(kind.waiting)) {
    const reader = new RecordReader(value)
    reader.u8()
    point(reader.optional())
  }
  const found: string[] = []
  const messages = new Set<number>()
  for (const { key } of snapshot.all(kind.message)) messages.add(numberAt(key, 0))
  for (const { key, value } of snapshot.all(kind.references)) {
    const number = numberAt(key, 0)
    const [counted, real] = [value.readUInt32BE(0), pointers.get(number) ?? 0]
    if (counted !== real) found.push(`message ${number} counts ${counted} entries, ${real} point to it`)
    if (!messages.delete(number)) found.push(`message ${number} is missing, ${real} entries point to it`)
    pointers.delete(number)
  }
  for (const number of messages) found.push(`message ${number} is counted by nobody`)
  for (const number of pointers.keys()) found.push(`message ${number} has no count, but entries point to it`)
  return found
}

function wrongTotals(snapshot: Snapshot, queued: number): readonly string[] {
  const value = snapshot.get(metaKey('totals'))
  if (value === undefined) return []
  const { queuedMessages, retainedMessages } = decodeTotals(value)
  let retained = 0
  for (const first of [kind.retained, kind.longRetained]) for (const _ of snapshot.all(first)) retained += 1
  const found: string[] = []
  if (queuedMessages !== queued) found.push(`${queuedMessages} messages are counted in queues, ${queued} are there`)
  if (retainedMessages !== retained)
    found.push(`${retainedMessages} retained messages are counted, ${retained} are there`)
  return found
}
