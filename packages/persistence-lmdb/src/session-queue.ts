import { messageBytes } from '@x/contract'
import type { Delivery, QueueEntry } from '@x/contract'
import type { Steps } from './batch.ts'
import { withFlags } from './entry-record.ts'
import { asQueueEntry, entryKey, isLost, isWaiting } from './queue-entry.ts'
import type { FoundEntry, StoredDelivery } from './queue-entry.ts'
import { QueueOverflow } from './queue-overflow.ts'
import { QueueRows } from './queue-rows.ts'
import type { QueueParts } from './queue-rows.ts'
import { takenThrough } from './session-record.ts'
import type { SessionRecord } from './session-record.ts'

/** The queues of all sessions: entries from being queued to being acknowledged, in sequence order. */
export class SessionQueues {
  readonly #parts: QueueParts
  readonly #rows: QueueRows
  readonly #overflow: QueueOverflow

  constructor(parts: QueueParts) {
    this.#parts = parts
    this.#rows = new QueueRows(parts)
    this.#overflow = new QueueOverflow({ ...parts, rows: this.#rows })
  }

  /** Queues a delivery. `offered`: its owner has seen everything before it, so it may take this one before the limits matter. Undefined:
   * dropped by the limits. */
  append(session: SessionRecord, delivery: StoredDelivery, offered: boolean): QueueEntry | undefined {
    if (!offered && !this.#overflow.makeRoom(session, messageBytes(delivery.message))) return undefined
    const sequence = this.#rows.put(session, delivery, false)
    if (offered) session.offeredThrough = sequence
    this.#rows.count(session, delivery.message)
    return toEntry(sequence, delivery)
  }

  /** Queues a delivery that the owner takes at this moment; one of QoS 0 gets a sequence but no place. */
  appendClaimed(session: SessionRecord, delivery: Delivery): QueueEntry {
    let sequence: number
    if (delivery.qos === 0) {
      session.lastSequence += 1
      sequence = session.lastSequence
      this.#parts.set.changed(session)
    } else sequence = this.#rows.put(session, delivery, true)
    session.claimedThrough = sequence
    return toEntry(sequence, delivery)
  }

  /** As `Persistence.read`; whether that was all there is. What is returned counts as taken. */
  read(session: SessionRecord, after: number, limit: number): { entries: readonly QueueEntry[]; complete: boolean } {
    const now = this.#parts.clock.now()
    const entries: FoundEntry[] = []
    const expired: FoundEntry[] = []
    let complete = true
    for (const entry of this.#rows.from(session, after + 1)) {
      if (entries.length >= limit) {
        complete = false
        break
      }
      if (isLost(session, entry, now)) expired.push(entry)
      else entries.push(entry)
    }
    for (const { sequence, record } of entries) {
      if (isWaiting(session, sequence, record)) this.#rows.uncount(session, record.bytes)
    }
    this.#overflow.dropExpired(session, expired)
    const last = entries.at(-1)?.sequence ?? 0
    if (last > session.readThrough) session.readThrough = last
    if (entries.length > 0) this.#parts.set.changed(session)
    return { entries: entries.map(entry => asQueueEntry(entry)), complete }
  }

  entry(session: SessionRecord, sequence: number): QueueEntry | undefined {
    const found = this.#rows.find(session, sequence)
    return found && asQueueEntry(found)
  }

  /** At most `limit` entries above this sequence that wait for their owner, who is offered them. Nothing is taken by that, but what has
   * expired is dropped. */
  waitingAbove(session: SessionRecord, sequence: number, limit: number): readonly QueueEntry[] {
    const now = this.#parts.clock.now()
    const entries: QueueEntry[] = []
    const expired: FoundEntry[] = []
    for (const entry of this.#rows.from(session, sequence + 1)) {
      if (entries.length >= limit) break
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      if (isLost(session, entry, now)) expired.push(entry)
      else entries.push(asQueueEntry(entry))
    }
    this.#overflow.dropExpired(session, expired)
    const last = entries.at(-1)
    if (last !== undefined) {
      session.offeredThrough = last.sequence
      this.#parts.set.changed(session)
    }
    return entries
  }

  /** The owner has taken an entry that it was offered. It may have been dropped before that was known here. */
  taken(session: SessionRecord, { sequence }: QueueEntry): void {
    if (sequence <= session.readThrough) return
    const record = this.#rows.recordOf(session, sequence)
    if (record !== undefined && isWaiting(session, sequence, record)) this.#rows.uncount(session, record.bytes)
    session.readThrough = sequence
  }

  /** The owner had no room for what it was offered: now the limits matter. */
  refused(session: SessionRecord): void {
    session.offeredThrough = session.readThrough
    const { maximumQueuedMessages, maximumQueuedBytes } = this.#parts.limits
    if (session.waitingMessages <= maximumQueuedMessages && session.waitingBytes <= maximumQueuedBytes) return
    this.#overflow.shed(session)
  }

  /** Counts an entry that was put into the queue from a dump. */
  adopt(session: SessionRecord, sequence: number, entry: Pick<QueueEntry, 'message' | 'released'>): void {
    session.entries += 1
    session.lastSequence = Math.max(session.lastSequence, sequence)
    this.#parts.set.count('queuedMessages', 1)
    if (sequence > session.readThrough && !entry.released) this.#rows.count(session, entry.message)
    this.#parts.set.changed(session)
  }

  /** The entries above a sequence, at most `limit`; nothing is taken by that. */
  look(session: SessionRecord, after: number, limit: number): readonly QueueEntry[] {
    const entries: QueueEntry[] = []
    for (const entry of this.#rows.from(session, after + 1)) {
      if (entries.length >= limit) break
      entries.push(asQueueEntry(entry))
    }
    return entries
  }

  /** Drops all that waits and was not offered; returns how many. */
  *dropWaiting(session: SessionRecord): Steps<number> {
    let dropped = 0
    for (const part of this.#rows.parts(session, takenThrough(session) + 1)) {
      for (const entry of part) {
        if (!isWaiting(session, entry.sequence, entry.record)) continue
        this.#rows.remove(session, entry)
        dropped += 1
      }
      yield
    }
    return dropped
  }

  find(session: SessionRecord, sequence: number): FoundEntry | undefined {
    return this.#rows.find(session, sequence)
  }

  /** Drops what has expired of what waits. */
  lookThrough(session: SessionRecord): Steps<void> {
    return this.#overflow.lookThrough(session)
  }

  /** Drops the oldest message that waits, for another queue; false: none does. */
  giveWay(session: SessionRecord): boolean {
    return this.#overflow.giveWay(session)
  }

  acknowledge(session: SessionRecord, sequence: number): void {
    const entry = this.#rows.find(session, sequence)
    if (entry !== undefined) this.#rows.remove(session, entry)
  }

  release(session: SessionRecord, sequence: number): void {
    const entry = this.#rows.find(session, sequence)
    if (entry === undefined || entry.record.released) return
    if (isWaiting(session, sequence, entry.record)) this.#rows.uncount(session, entry.record.bytes)
    this.#parts.environment.put(entryKey(session, sequence), withFlags(entry.value, { released: true }))
  }

  /** A claimed entry whose group is gone is an ordinary one from now on. */
  keepClaimed(session: SessionRecord, entry: FoundEntry): void {
    this.#parts.environment.put(entryKey(session, entry.sequence), withFlags(entry.value, { claimed: false }))
    const record = { ...entry.record, claimed: false }
    if (isWaiting(session, entry.sequence, record)) this.#rows.count(session, entry.message)
  }

  /** The owner is gone. What it had taken but not sent waits again. */
  *detach(session: SessionRecord, sentThrough: number): Steps<void> {
    const before = session.readThrough
    session.sentThrough = Math.max(session.sentThrough, sentThrough)
    const [from, through] = [Math.min(before, session.sentThrough), Math.max(before, session.sentThrough)]
    for (const part of this.#rows.parts(session, from + 1, through)) {
      for (const { record, message } of part) {
        if (record.claimed || record.released) continue
        if (before > session.sentThrough) this.#rows.count(session, message)
        else this.#rows.uncount(session, record.bytes)
      }
      yield
    }
    session.readThrough = session.sentThrough
    session.offeredThrough = 0
    session.claimedThrough = 0
    this.#parts.set.changed(session)
  }

  /** The session has ended. */
  *clear(session: SessionRecord): Steps<void> {
    this.#parts.expiry.end(session)
    if (session.entries === 0) return
    for (const part of this.#rows.parts(session, 0)) {
      for (const entry of part) this.#rows.remove(session, entry)
      yield
    }
    this.#parts.room.count(session, -session.waitingMessages, -session.waitingBytes)
  }
}

function toEntry(sequence: number, delivery: Delivery): QueueEntry {
  const { message, qos, retain, subscriptionIdentifiers } = delivery
  return { sequence, message, qos, retain, subscriptionIdentifiers, released: false }
}
