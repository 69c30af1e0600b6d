import { messageBytes } from '@x/contract'
import type { Clock, Delivery, Drop, QueueEntry, QueueLimits } from '@x/contract'
import type { Steps } from './commits.ts'
import { withFlags } from './entry-record.ts'
import type { Environment, Range, Row } from './environment.ts'
import { kind, numberAt, numberKey } from './keys.ts'
import { asQueueEntry, decodeEntry, encodeEntry, entryKey, isLost, isWaiting } from './queue-entry.ts'
import type { FoundEntry, StoredDelivery } from './queue-entry.ts'
import { RecordWriter } from './record-writer.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedMessages } from './shared-messages.ts'
import type { WorkingSet } from './working-set.ts'

export interface QueueParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly messages: SharedMessages
  readonly limits: QueueLimits
  readonly clock: Clock
  dropped(drop: Drop): void
}

/** The queues of all sessions: entries from being queued to being acknowledged, in sequence order. */
export class SessionQueues {
  readonly #parts: QueueParts
  readonly #writer = new RecordWriter()

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /** Queues a delivery. `offered`: its owner has seen everything before it, so it may take this one before the limits matter. Undefined:
   * dropped by the limits. */
  append(session: SessionRecord, delivery: StoredDelivery, offered: boolean): QueueEntry | undefined {
    if (!offered && !this.#makeRoom(session, messageBytes(delivery.message))) return undefined
    const sequence = this.#put(session, delivery, false)
    if (offered) session.offeredThrough = sequence
    session.waitingMessages += 1
    session.waitingBytes += messageBytes(delivery.message)
    return toEntry(sequence, delivery)
  }

  /** Queues a delivery that the owner takes at this moment; one of QoS 0 gets a sequence but no place. */
  appendClaimed(session: SessionRecord, delivery: Delivery): QueueEntry {
    let sequence: number
    if (delivery.qos === 0) {
      session.lastSequence += 1
      sequence = session.lastSequence
      this.#parts.set.changed(session)
    } else sequence = this.#put(session, delivery, true)
    session.claimedThrough = sequence
    return toEntry(sequence, delivery)
  }

  /** As `Persistence.read`; whether that was all there is. What is returned counts as taken. */
  read(session: SessionRecord, after: number, limit: number): { entries: readonly QueueEntry[]; complete: boolean } {
    const now = this.#parts.clock.now()
    const entries: FoundEntry[] = []
    const expired: FoundEntry[] = []
    let complete = true
    for (const row of this.#rows(session, after + 1)) {
      if (entries.length >= limit) {
        complete = false
        break
      }
      const entry = this.#decode(row)
      if (isLost(session, entry, now)) expired.push(entry)
      else entries.push(entry)
    }
    for (const { sequence, record } of entries) {
      if (isWaiting(session, sequence, record)) this.#uncount(session, record.bytes)
    }
    this.#dropExpired(session, expired)
    const last = entries.at(-1)?.sequence ?? 0
    if (last > session.readThrough) session.readThrough = last
    if (entries.length > 0) this.#parts.set.changed(session)
    return { entries: entries.map(entry => asQueueEntry(entry)), complete }
  }

  /** At most `limit` entries above this sequence that wait for their owner, who is offered them. Nothing is taken by that, but what has
   * expired is dropped. */
  waitingAbove(session: SessionRecord, sequence: number, limit: number): readonly QueueEntry[] {
    const now = this.#parts.clock.now()
    const entries: QueueEntry[] = []
    const expired: FoundEntry[] = []
    for (const row of this.#rows(session, sequence + 1)) {
      if (entries.length >= limit) break
      const entry = this.#decode(row)
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      if (isLost(session, entry, now)) expired.push(entry)
      else entries.push(asQueueEntry(entry))
    }
    this.#dropExpired(session, expired)
    const last = entries.at(-1)
    if (last !== undefined) {
      session.offeredThrough = last.sequence
      this.#parts.set.changed(session)
    }
    return entries
  }

  /** The owner has taken an entry that it was offered. */
  taken(session: SessionRecord, { sequence, message }: QueueEntry): void {
    if (sequence <= session.readThrough) return
    session.readThrough = sequence
    this.#uncount(session, messageBytes(message))
  }

  /** The owner had no room for what it was offered: now the limits matter. */
  refused(session: SessionRecord): void {
    session.offeredThrough = session.readThrough
    const { maximumQueuedMessages, maximumQueuedBytes } = this.#parts.limits
    if (session.waitingMessages <= maximumQueuedMessages && session.waitingBytes <= maximumQueuedBytes) return
    this.#shed(session)
  }

  find(session: SessionRecord, sequence: number): FoundEntry | undefined {
    const value = this.#parts.environment.get(entryKey(session, sequence))
    return value === undefined ? undefined : decodeEntry(sequence, value, this.#parts.messages)
  }

  acknowledge(session: SessionRecord, sequence: number): void {
    const entry = this.find(session, sequence)
    if (entry !== undefined) this.#remove(session, entry)
  }

  release(session: SessionRecord, sequence: number): void {
    const entry = this.find(session, sequence)
    if (entry === undefined || entry.record.released) return
    if (isWaiting(session, sequence, entry.record)) this.#uncount(session, entry.record.bytes)
    this.#parts.environment.put(entryKey(session, sequence), withFlags(entry.value, { released: true }))
  }

  /** A claimed entry whose group is gone is an ordinary one from now on. */
  keepClaimed(session: SessionRecord, entry: FoundEntry): void {
    this.#parts.environment.put(entryKey(session, entry.sequence), withFlags(entry.value, { claimed: false }))
    const record = { ...entry.record, claimed: false }
    if (isWaiting(session, entry.sequence, record)) this.#count(session, record.bytes)
  }

  /** The owner is gone. What it had taken but not sent waits again. */
  *detach(session: SessionRecord, sentThrough: number): Steps<void> {
    const before = session.readThrough
    session.sentThrough = Math.max(session.sentThrough, sentThrough)
    const [from, through] = [Math.min(before, session.sentThrough), Math.max(before, session.sentThrough)]
    for (const rows of this.#parts.environment.parts(rangeOf(session, from + 1, through))) {
      for (const row of rows) {
        const { record } = this.#decode(row)
        if (record.claimed || record.released) continue
        if (before > session.sentThrough) this.#count(session, record.bytes)
        else this.#uncount(session, record.bytes)
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
    if (session.entries === 0) return
    for (const rows of this.#parts.environment.parts(rangeOf(session, 0))) {
      for (const row of rows) this.#remove(session, this.#decode(row))
      yield
    }
    session.waitingMessages = 0
    session.waitingBytes = 0
  }

  #put(session: SessionRecord, delivery: StoredDelivery, claimed: boolean): number {
    session.lastSequence += 1
    session.entries += 1
    this.#parts.set.changed(session)
    this.#parts.set.count('queuedMessages', 1)
    const value = encodeEntry(this.#writer, delivery, claimed)
    this.#parts.environment.put(entryKey(session, session.lastSequence), value)
    return session.lastSequence
  }

  #remove(session: SessionRecord, { sequence, record }: FoundEntry): void {
    this.#parts.environment.remove(entryKey(session, sequence))
    if (record.message !== undefined) this.#parts.messages.release(record.message)
    session.entries -= 1
    this.#parts.set.count('queuedMessages', -1)
    if (isWaiting(session, sequence, record)) this.#uncount(session, record.bytes)
    this.#parts.set.changed(session)
  }

  /** Whether one more message of this size may wait, after dropping what the limits ask for. */
  #makeRoom(session: SessionRecord, bytes: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.limits
    const fits = (): boolean =>
      session.waitingMessages < maximumQueuedMessages && session.waitingBytes + bytes <= maximumQueuedBytes
    if (fits()) return true
    // What could not wait even alone must not push out everybody else.
    const possible = overflow === 'dropOldest' && maximumQueuedMessages > 0 && bytes <= maximumQueuedBytes
    const dropped = possible ? this.#dropOldest(session, fits) : 0
    const isRoom = fits()
    if (dropped > 0 || !isRoom) this.#drop(session, 'queueFull', dropped + (isRoom ? 0 : 1))
    return isRoom
  }

  /** Drops what is too much of what was queued beyond the limits. */
  #shed(session: SessionRecord): void {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.limits
    const fits = (): boolean =>
      session.waitingMessages <= maximumQueuedMessages && session.waitingBytes <= maximumQueuedBytes
    const dropped = overflow === 'dropOldest' ? this.#dropOldest(session, fits) : this.#dropNewest(session, fits)
    if (dropped > 0) this.#drop(session, 'queueFull', dropped)
  }

  #dropOldest(session: SessionRecord, enough: () => boolean): number {
    const dropped: FoundEntry[] = []
    let messages = session.waitingMessages
    for (const row of this.#rows(session, session.readThrough + 1)) {
      if (messages === 0 || enough()) break
      const entry = this.#decode(row)
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      dropped.push(entry)
      messages -= 1
      this.#uncount(session, entry.record.bytes)
    }
    return this.#discard(session, dropped)
  }

  #dropNewest(session: SessionRecord, enough: () => boolean): number {
    const dropped: FoundEntry[] = []
    for (const row of Array.from(this.#rows(session, session.readThrough + 1)).toReversed()) {
      if (enough()) break
      const entry = this.#decode(row)
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      dropped.push(entry)
      this.#uncount(session, entry.record.bytes)
    }
    return this.#discard(session, dropped)
  }

  /** Removes entries that no longer count as waiting. */
  #discard(session: SessionRecord, entries: readonly FoundEntry[]): number {
    for (const entry of entries) {
      this.#count(session, entry.record.bytes)
      this.#remove(session, entry)
    }
    return entries.length
  }

  #dropExpired(session: SessionRecord, entries: readonly FoundEntry[]): void {
    if (entries.length === 0) return
    for (const entry of entries) this.#remove(session, entry)
    this.#drop(session, 'expired', entries.length)
  }

  #rows(session: SessionRecord, from: number): Iterable<Row> {
    if (session.entries === 0) return []
    return this.#parts.environment.rows(rangeOf(session, from))
  }

  #decode({ key, value }: Row): FoundEntry {
    return decodeEntry(numberAt(key, 1), value, this.#parts.messages)
  }

  #count(session: SessionRecord, bytes: number): void {
    session.waitingMessages += 1
    session.waitingBytes += bytes
  }

  #uncount(session: SessionRecord, bytes: number): void {
    session.waitingMessages -= 1
    session.waitingBytes -= bytes
  }

  #drop(session: SessionRecord, reason: Drop['reason'], count: number): void {
    const { clientId } = session
    this.#parts.set.afterwards(() => this.#parts.dropped({ queue: clientId, reason, count }))
  }
}

function toEntry(sequence: number, delivery: Delivery): QueueEntry {
  const { message, qos, retain, subscriptionIdentifiers } = delivery
  return { sequence, message, qos, retain, subscriptionIdentifiers, released: false }
}

/** Entries from one sequence to another one, both inclusive. */
function rangeOf(session: SessionRecord, from: number, through = Number.POSITIVE_INFINITY): Range {
  const isAll = through === Number.POSITIVE_INFINITY
  return {
    start: entryKey(session, from),
    end: isAll ? numberKey(kind.entry, session.number + 1) : entryKey(session, through + 1),
  }
}
