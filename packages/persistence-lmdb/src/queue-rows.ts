import { messageBytes } from '@x/contract'
import type { Clock, Drop, Message, QueueLimits } from '@x/contract'
import type { Environment, Range, Row } from './environment.ts'
import { readEntry } from './entry-record.ts'
import type { EntryRecord } from './entry-record.ts'
import { kind, numberAt, numberKey } from './keys.ts'
import { decodeEntry, encodeEntry, entryKey, isWaiting } from './queue-entry.ts'
import type { FoundEntry, StoredDelivery } from './queue-entry.ts'
import type { QueueExpiry } from './queue-expiry.ts'
import { RecordWriter } from './record-writer.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedMessages } from './shared-messages.ts'
import type { TotalRoom } from './total-room.ts'
import type { WorkingSet } from './working-set.ts'

/** What the rows of queues are read and written with. */
export interface QueueParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly messages: SharedMessages
  readonly room: TotalRoom
  readonly expiry: QueueExpiry
  readonly limits: QueueLimits
  readonly clock: Clock
  dropped(drop: Drop): void
}

/** The rows of all queues of sessions, and what is counted of them. */
export class QueueRows {
  readonly #parts: QueueParts
  readonly #writer = new RecordWriter()

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  find(session: SessionRecord, sequence: number): FoundEntry | undefined {
    const value = this.#parts.environment.get(entryKey(session, sequence))
    return value === undefined ? undefined : decodeEntry(sequence, value, this.#parts.messages)
  }

  /** What is known of an entry beside its message; undefined: it is gone. */
  recordOf(session: SessionRecord, sequence: number): EntryRecord | undefined {
    const value = this.#parts.environment.get(entryKey(session, sequence))
    return value === undefined ? undefined : readEntry(value).entry
  }

  /** Returns the sequence of the new entry. */
  put(session: SessionRecord, delivery: StoredDelivery, claimed: boolean): number {
    session.lastSequence += 1
    session.entries += 1
    this.#parts.set.changed(session)
    this.#parts.set.count('queuedMessages', 1)
    const value = encodeEntry(this.#writer, delivery, claimed)
    this.#parts.environment.put(entryKey(session, session.lastSequence), value)
    return session.lastSequence
  }

  remove(session: SessionRecord, { sequence, record }: FoundEntry): void {
    this.#parts.environment.remove(entryKey(session, sequence))
    if (record.message !== undefined) this.#parts.messages.release(record.message)
    session.entries -= 1
    this.#parts.set.count('queuedMessages', -1)
    if (isWaiting(session, sequence, record)) this.uncount(session, record.bytes)
    this.#parts.set.changed(session)
  }

  /** The entries from a sequence on, in order. */
  *from(session: SessionRecord, sequence: number): Generator<FoundEntry> {
    if (session.entries === 0) return
    for (const row of this.#parts.environment.rows(rangeOf(session, sequence))) yield this.#decode(row)
  }

  /** Entries from one sequence to another one, both inclusive, in small parts; they may be removed meanwhile. */
  *parts(session: SessionRecord, from: number, through?: number): Generator<readonly FoundEntry[], void, undefined> {
    if (session.entries === 0) return
    for (const rows of this.#parts.environment.parts(rangeOf(session, from, through))) {
      yield rows.map(row => this.#decode(row))
    }
  }

  #decode({ key, value }: Row): FoundEntry {
    return decodeEntry(numberAt(key, 1), value, this.#parts.messages)
  }

  /** The message waits from now on. */
  count(session: SessionRecord, message: Message): void {
    this.#parts.room.count(session, 1, messageBytes(message))
    this.#parts.set.changed(session)
    this.#parts.expiry.waits(session, message)
  }

  /** A message does not wait any more. */
  uncount(session: SessionRecord, bytes: number): void {
    this.#parts.room.count(session, -1, -bytes)
    this.#parts.set.changed(session)
  }

  /** Tells of messages that were dropped. */
  tellDropped(session: SessionRecord, reason: Drop['reason'], count: number): void {
    const { clientId } = session
    this.#parts.set.afterwards(() => this.#parts.dropped({ queue: clientId, reason, count }))
  }
}

/** Entries from one sequence to another one, both inclusive. */
function rangeOf(session: SessionRecord, from: number, through = Number.POSITIVE_INFINITY): Range {
  const isAll = through === Number.POSITIVE_INFINITY
  return {
    start: entryKey(session, from),
    end: isAll ? numberKey(kind.entry, session.number + 1) : entryKey(session, through + 1),
  }
}
