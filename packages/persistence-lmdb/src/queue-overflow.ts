import type { Clock, QueueLimits } from '@x/contract'
import { finish } from './batch.ts'
import type { Steps } from './batch.ts'
import { isLost, isWaiting } from './queue-entry.ts'
import type { FoundEntry } from './queue-entry.ts'
import type { QueueExpiry } from './queue-expiry.ts'
import type { QueueRows } from './queue-rows.ts'
import type { SessionRecord } from './session-record.ts'
import type { TotalRoom } from './total-room.ts'

/** What the limits of queues are kept with. */
export interface OverflowParts {
  readonly rows: QueueRows
  readonly room: TotalRoom
  readonly expiry: QueueExpiry
  readonly limits: QueueLimits
  readonly clock: Clock
}

/** What queues of sessions drop: what has expired, and what the limits ask for. */
export class QueueOverflow {
  readonly #parts: OverflowParts

  constructor(parts: OverflowParts) {
    this.#parts = parts
  }

  /** Whether one more message of this size may wait, after dropping what the limits ask for. */
  makeRoom(session: SessionRecord, bytes: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.limits
    const fits = (): boolean =>
      session.waitingMessages < maximumQueuedMessages && session.waitingBytes + bytes <= maximumQueuedBytes
    if (!fits() && this.#parts.expiry.isDue(session)) finish(this.lookThrough(session))
    if (fits()) return this.#makeTotalRoom(session, bytes)
    // What could not wait even alone must not push out everybody else.
    const possible = overflow === 'dropOldest' && maximumQueuedMessages > 0 && bytes <= maximumQueuedBytes
    const dropped = possible ? this.#dropOldest(session, fits) : 0
    const isRoom = fits()
    if (dropped > 0 || !isRoom) this.#parts.rows.tellDropped(session, 'queueFull', dropped + (isRoom ? 0 : 1))
    return isRoom && this.#makeTotalRoom(session, bytes)
  }

  #makeTotalRoom(session: SessionRecord, bytes: number): boolean {
    const isRoom = this.#parts.room.make(session, bytes)
    if (!isRoom) this.#parts.rows.tellDropped(session, 'queueFull', 1)
    return isRoom
  }

  /** Drops what is too much of what was queued beyond the limits. */
  shed(session: SessionRecord): void {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.limits
    const fits = (): boolean =>
      session.waitingMessages <= maximumQueuedMessages && session.waitingBytes <= maximumQueuedBytes
    const dropped = overflow === 'dropOldest' ? this.#dropOldest(session, fits) : this.#dropNewest(session, fits)
    if (dropped > 0) this.#parts.rows.tellDropped(session, 'queueFull', dropped)
  }

  #dropOldest(session: SessionRecord, enough: () => boolean): number {
    const dropped: FoundEntry[] = []
    let messages = session.waitingMessages
    for (const entry of this.#parts.rows.from(session, session.readThrough + 1)) {
      if (messages === 0 || enough()) break
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      dropped.push(entry)
      messages -= 1
      this.#parts.rows.uncount(session, entry.record.bytes)
    }
    return this.#discard(session, dropped)
  }

  #dropNewest(session: SessionRecord, enough: () => boolean): number {
    const dropped: FoundEntry[] = []
    for (const entry of Array.from(this.#parts.rows.from(session, session.readThrough + 1)).toReversed()) {
      if (enough()) break
      if (!isWaiting(session, entry.sequence, entry.record)) continue
      dropped.push(entry)
      this.#parts.rows.uncount(session, entry.record.bytes)
    }
    return this.#discard(session, dropped)
  }

  /** Removes entries that no longer count as waiting. */
  #discard(session: SessionRecord, entries: readonly FoundEntry[]): number {
    for (const entry of entries) {
      this.#parts.room.count(session, 1, entry.record.bytes)
      this.#parts.rows.remove(session, entry)
    }
    return entries.length
  }

  dropExpired(session: SessionRecord, entries: readonly FoundEntry[]): void {
    if (entries.length === 0) return
    for (const entry of entries) this.#parts.rows.remove(session, entry)
    this.#parts.rows.tellDropped(session, 'expired', entries.length)
  }

  /** Drops what has expired of what waits. */
  *lookThrough(session: SessionRecord): Steps<void> {
    const now = this.#parts.clock.now()
    let earliest = Infinity
    const { entries } = session
    for (const part of this.#parts.rows.parts(session, session.readThrough + 1)) {
      const expired: FoundEntry[] = []
      for (const entry of part) {
        if (isLost(session, entry, now)) expired.push(entry)
        else if (isWaiting(session, entry.sequence, entry.record)) {
          earliest = Math.min(earliest, entry.message.expiresAt ?? Infinity)
        }
      }
      this.dropExpired(session, expired)
      yield
    }
    this.#parts.expiry.looked(session, earliest, entries)
  }

  /** Drops the oldest message that waits, for another queue; false: none does. */
  giveWay(session: SessionRecord): boolean {
    const bytes = session.waitingBytes
    const dropped = this.#dropOldest(session, () => session.waitingBytes < bytes)
    if (dropped > 0) this.#parts.rows.tellDropped(session, 'queueFull', dropped)
    return dropped > 0
  }
}
