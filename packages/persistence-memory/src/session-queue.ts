import type { Delivery, Drop, QueueEntry, SessionOwner } from '@x/contract'
import { isExpired, messageBytes } from '@x/contract'
import { QueueExpiry } from './queue-expiry.ts'
import type { ExpiringQueue } from './queue-expiry.ts'
import { countWaiting, makeRoomInStore } from './queue-context.ts'
import type { QueueContext, RoomyQueue } from './queue-context.ts'
import { QueueItem } from './queue-item.ts'
import { SequenceRing } from './sequence-ring.ts'

/** The queue of one session: entries from being queued to being acknowledged, in sequence order. */
export class SessionQueue implements RoomyQueue, ExpiringQueue {
  /** Sequence of the newest entry that was ever queued. */
  lastSequence = 0
  /** Entries up to here may have been sent on an earlier connection. */
  sentThrough = 0

  readonly #context: QueueContext
  readonly #clientId: string
  readonly #ring = new SequenceRing<QueueItem>()
  #owner: SessionOwner | undefined
  /** The owner has not seen the newest entry: it reads, and is offered nothing. */
  #behind = false
  #takenThrough = 0
  /** The session has ended: nothing is queued any more. */
  #ended = false
  /** No entry below this sequence is waiting. Keeps dropping the oldest from scanning those in flight. */
  #waitingFrom = 0
  #waitingMessages = 0
  #waitingBytes = 0
  /** Undefined until something waits that expires. */
  #expiry: QueueExpiry | undefined

  constructor(context: QueueContext, clientId: string) {
    this.#context = context
    this.#clientId = clientId
  }

  /** Takes in what another place has kept of the queue, which must be empty. Sequences ascend. */
  restore(entries: readonly QueueEntry[], sentThrough: number): void {
    for (const entry of entries) {
      this.lastSequence = entry.sequence - 1
      const item = this.#push(entry)
      if (entry.released) item.released = true
      if (entry.sequence > sentThrough) this.#wait(item)
    }
    this.sentThrough = sentThrough
    this.#takenThrough = sentThrough
    this.#waitingFrom = sentThrough + 1
  }

  /** Offers new entries to this owner, after it has read what is there already. */
  attach(owner: SessionOwner): void {
    this.#owner = owner
    this.#behind = this.#ring.size > 0
    // A previous owner that was cut off could not say what it had sent: all it had taken may have been.
    this.sentThrough = Math.max(this.sentThrough, this.#takenThrough)
  }

  /** Offers nothing more; what was taken but not sent is waiting again. */
  detach(sentThrough: number): void {
    this.#owner = undefined
    const previouslyTaken = this.#takenThrough
    this.sentThrough = Math.max(this.sentThrough, sentThrough)
    this.#takenThrough = this.sentThrough
    for (const item of this.#between(this.#waitingFrom, this.sentThrough)) this.#take(item)
    for (const item of this.#between(this.sentThrough + 1, previouslyTaken)) this.#wait(item)
    this.#waitingFrom = this.sentThrough + 1
  }

  /** Queues a delivery, or drops by the limits; offers it to the owner unless that one is behind. */
  append(delivery: Delivery): void {
    const owner = this.#owner
    if (owner === undefined || this.#behind) {
      if (!this.#ended && this.#makeRoom(messageBytes(delivery.message))) this.#wait(this.#push(delivery))
      return
    }
    // Nothing waits here, so an entry that the owner takes never meets the limits.
    const item = this.#push(delivery)
    const before = this.#takenThrough
    // Beforehand, since the owner may close the session, end it, or publish while it is offered the entry.
    this.#takenThrough = item.sequence
    if (owner.deliver(item) || this.#owner !== owner) return
    if (this.#takenThrough === item.sequence) this.#takenThrough = before
    this.#behind = true
    if (this.#makeRoom(messageBytes(item.message))) this.#wait(item)
    else this.#remove(item.sequence)
  }

  /** Queues a delivery that the owner takes at this moment; one of QoS 0 gets a sequence but no place. */
  appendTaken(delivery: Delivery): QueueItem {
    const item = delivery.qos === 0 ? new QueueItem((this.lastSequence += 1), delivery) : this.#push(delivery)
    this.#takenThrough = item.sequence
    return item
  }

  /** As `Persistence.read`: what it returns counts as taken. */
  read(after: number, limit: number): readonly QueueItem[] {
    const ring = this.#ring
    const now = this.#context.clock.now()
    const entries: QueueItem[] = []
    const expired: QueueItem[] = []
    let place = ring.placeOf(after + 1)
    for (; place < ring.length && entries.length < limit; place += 1) {
      const item = ring.itemAt(place)
      if (item === undefined) continue
      // An entry that was sent before stays: its delivery has begun ([MQTT5-3.3.2-5]), its packet id is in use.
      if (item.waiting && isExpired(item.message, now)) expired.push(item)
      else entries.push(item)
    }
    while (place < ring.length && ring.itemAt(place) === undefined) place += 1
    if (place >= ring.length) this.#behind = false
    for (const item of entries) this.#take(item)
    this.#takenThrough = Math.max(this.#takenThrough, entries.at(-1)?.sequence ?? 0)
    for (const item of expired) this.#remove(item.sequence)
    if (expired.length > 0) this.#drop('expired', expired.length)
    return entries
  }

  entry(sequence: number): QueueItem | undefined {
    return this.#ring.get(sequence)
  }

  /** Highest sequence that the owner has taken, or that was sent before. */
  get takenThrough(): number {
    return this.#takenThrough
  }

  acknowledge(sequence: number): void {
    this.#remove(sequence)
  }

  release(sequence: number): void {
    const item = this.#ring.get(sequence)
    if (item === undefined) return
    item.released = true
    this.#take(item)
  }

  /** The session has ended. */
  clear(): void {
    this.#owner = undefined
    this.#ended = true
    this.#expiry?.end()
    this.#context.queuedMessages -= this.#ring.size
    this.#ring.clear()
    this.#waitingMessages = 0
    this.#context.waitingBytes -= this.#waitingBytes
    this.#waitingBytes = 0
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Entries that are there. */
  get size(): number {
    return this.#ring.size
  }

  /** The entries above a sequence, at most `limit`; nothing is taken by that. */
  look(after: number, limit: number): readonly QueueItem[] {
    return this.#between(after + 1, Infinity, limit)
  }

  /** Drops all that waits; returns how many. */
  dropWaiting(): number {
    let dropped = 0
    for (let item = this.#oldestWaiting(); item !== undefined; item = this.#oldestWaiting()) {
      this.#remove(item.sequence)
      dropped += 1
    }
    return dropped
  }

  dropExpired(): number {
    const now = this.#context.clock.now()
    const ring = this.#ring
    const expired: number[] = []
    let earliest = Infinity
    for (let place = ring.placeOf(this.#waitingFrom); place < ring.length; place += 1) {
      const item = ring.itemAt(place)
      if (item?.waiting !== true) continue
      if (isExpired(item.message, now)) expired.push(item.sequence)
      else earliest = Math.min(earliest, item.message.expiresAt ?? Infinity)
    }
    this.#expiry?.looked(now, earliest)
    for (const sequence of expired) this.#remove(sequence)
    if (expired.length > 0) this.#drop('expired', expired.length)
    return expired.length
  }

  dropOldest(): boolean {
    const oldest = this.#oldestWaiting()
    if (oldest === undefined) return false
    this.#remove(oldest.sequence)
    this.#drop('queueFull', 1)
    return true
  }

  #push(delivery: Delivery): QueueItem {
    const item = new QueueItem((this.lastSequence += 1), delivery)
    this.#ring.push(item)
    this.#context.queuedMessages += 1
    return item
  }

  #remove(sequence: number): void {
    const item = this.#ring.remove(sequence)
    if (item === undefined) return
    this.#context.queuedMessages -= 1
    this.#take(item)
  }

  #wait(item: QueueItem): void {
    if (item.waiting || item.released) return
    item.waiting = true
    this.#waitingMessages += 1
    this.#countBytes(messageBytes(item.message))
    const { expiresAt } = item.message
    if (expiresAt !== undefined) (this.#expiry ??= new QueueExpiry(this.#context.expiries, this)).waits(expiresAt)
  }

  #take(item: QueueItem): void {
    if (!item.waiting) return
    item.waiting = false
    this.#waitingMessages -= 1
    this.#countBytes(-messageBytes(item.message))
  }

  /** Whether one more message of this size may wait, after dropping what the limits ask for. */
  #makeRoom(bytes: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#context.limits
    // What could not wait even alone must not push out everybody else.
    const possible = maximumQueuedMessages > 0 && bytes <= maximumQueuedBytes
    let dropped = 0
    const isFull = this.#waitingMessages >= maximumQueuedMessages || this.#waitingBytes + bytes > maximumQueuedBytes
    if (isFull && this.#expiry?.isDue(this.#context.clock.now()) === true) this.dropExpired()
    while (this.#waitingMessages >= maximumQueuedMessages || this.#waitingBytes + bytes > maximumQueuedBytes) {
      const oldest = possible && overflow === 'dropOldest' ? this.#oldestWaiting() : undefined
      dropped += 1
      if (oldest === undefined) {
        this.#drop('queueFull', dropped)
        return false
      }
      this.#remove(oldest.sequence)
    }
    if (dropped > 0) this.#drop('queueFull', dropped)
    if (makeRoomInStore(this.#context, this, bytes)) return true
    this.#drop('queueFull', 1)
    return false
  }

  #countBytes(bytes: number): void {
    this.#waitingBytes += bytes
    countWaiting(this.#context, this, bytes)
  }

  #oldestWaiting(): QueueItem | undefined {
    const ring = this.#ring
    for (let place = ring.placeOf(this.#waitingFrom); place < ring.length; place += 1) {
      const item = ring.itemAt(place)
      if (item?.waiting === true) {
        this.#waitingFrom = item.sequence + 1
        return item
      }
    }
    return undefined
  }

  #between(from: number, through: number, limit = Infinity): QueueItem[] {
    const ring = this.#ring
    const items: QueueItem[] = []
    for (let place = ring.placeOf(from); place < ring.length; place += 1) {
      const item = ring.itemAt(place)
      if (item === undefined) continue
      if (item.sequence > through || items.length >= limit) break
      items.push(item)
    }
    return items
  }

  #drop(reason: Drop['reason'], count: number): void {
    this.#context.dropped({ queue: this.#clientId, reason, count })
  }
}
