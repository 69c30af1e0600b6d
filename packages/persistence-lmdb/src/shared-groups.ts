import { isExpired, messageBytes } from '@x/contract'
import type { Clock, Drop, Message, QueueEntry, QueueLimits, Subscription } from '@x/contract'
import { parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { finish } from './batch.ts'
import type { Steps } from './batch.ts'
import type { Environment, Range, Row } from './environment.ts'
import { readGroup } from './group-record.ts'
import type { GroupRecord } from './group-record.ts'
import { kind, numberAt, numberKey } from './keys.ts'
import type { QueueExpiry } from './queue-expiry.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedMessages } from './shared-messages.ts'
import { readSubscription, writeSubscription } from './subscription-record.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { TotalRoom } from './total-room.ts'
import { decodeWaiting, deliveryOf, encodeWaiting } from './waiting-message.ts'
import type { WaitingMessage } from './waiting-message.ts'
import type { WorkingSet } from './working-set.ts'

/** What shared groups are kept with. */
export interface GroupParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly subscriptions: Subscriptions
  readonly queues: SessionQueues
  readonly messages: SharedMessages
  readonly room: TotalRoom
  readonly expiry: QueueExpiry
  readonly limits: QueueLimits
  readonly clock: Clock
  dropped(drop: Drop): void
}

/** Shared subscriptions: their members, the messages that wait for one of them, and who has claimed which. MQTT 5.0 §4.8.2 */
export class SharedGroups {
  readonly #parts: GroupParts
  readonly #writer = new RecordWriter()

  constructor(parts: GroupParts) {
    this.#parts = parts
  }

  join(session: SessionRecord, subscription: Subscription): void {
    const { environment, set, subscriptions } = this.#parts
    const name = subscription.filter
    const shared = parseSharedFilter(name as TopicFilter)
    if (shared === undefined) return
    let group = set.group(name)
    if (group === undefined) {
      group = set.addGroup(name, shared.filter)
      subscriptions.addGroupRoute(shared.filter, group)
    }
    const key = numberKey(kind.member, group.number, session.number)
    if (!environment.has(key)) {
      group.members += 1
      set.groupChanged(group)
    }
    writeSubscription(this.#writer.begin(), { subscription, ordinal: 0 })
    environment.put(key, this.#writer.take())
  }

  /** The last member to leave takes the group and what waits in it along. */
  *leave(session: SessionRecord, filter: string): Steps<void> {
    const { environment, set, subscriptions } = this.#parts
    const group = set.group(filter)
    if (group === undefined) return
    const key = numberKey(kind.member, group.number, session.number)
    if (!environment.has(key)) return
    environment.remove(key)
    group.members -= 1
    set.groupChanged(group)
    if (group.members > 0) return
    for (const rows of environment.parts(rangeOf(group))) {
      for (const row of rows) this.#remove(group, decodeWaiting(row, this.#parts.messages), 'gone')
      yield
    }
    this.#parts.expiry.end(group)
    subscriptions.removeGroupRoute(group.filter, group.number)
    set.removeGroup(group)
  }

  /** Whether the message now waits in the group; otherwise the limits dropped it. */
  add(name: string, message: Message, shared: number | undefined): boolean {
    const group = this.#parts.set.group(name)
    if (group === undefined || !this.#makeRoom(group, messageBytes(message))) return false
    group.lastSequence += 1
    this.#put(group, { sequence: group.lastSequence, message, shared, returned: false })
    return true
  }

  /** As `Persistence.claim`. */
  claim(session: SessionRecord, name: string, limit: number): readonly QueueEntry[] {
    const { environment, set, queues } = this.#parts
    const group = set.group(name)
    const member = group && environment.get(numberKey(kind.member, group.number, session.number))
    if (group === undefined || member === undefined) return []
    const { subscription } = readSubscription(new RecordReader(member))
    const entries: QueueEntry[] = []
    for (const waiting of this.#take(group, limit)) {
      const delivery = deliveryOf(waiting.message, subscription)
      if (delivery.qos === 0) {
        if (waiting.shared !== undefined) this.#parts.messages.release(waiting.shared)
        entries.push(queues.appendClaimed(session, delivery))
        continue
      }
      const entry = queues.appendClaimed(session, { ...delivery, ...(waiting.shared && { shared: waiting.shared }) })
      const origin = this.#writer.begin().text(name).u48(group.number).u48(waiting.sequence).take()
      environment.put(numberKey(kind.claim, session.number, entry.sequence), origin)
      session.claims += 1
      entries.push(entry)
    }
    return entries
  }

  /** A claimed message was acknowledged: it goes back nowhere. */
  settle(session: SessionRecord, sequence: number): void {
    if (session.claims === 0) return
    const key = numberKey(kind.claim, session.number, sequence)
    if (!this.#parts.environment.has(key)) return
    this.#parts.environment.remove(key)
    session.claims -= 1
    this.#parts.set.changed(session)
  }

  /** Shared messages go back to their groups, except those of QoS 2 whose delivery has begun ([MQTT5-4.8.2-4]). One whose group is gone
   * is an ordinary entry of the session from now on. Returns the groups that got some. */
  *returnClaims(session: SessionRecord, sentThrough: number): Steps<readonly string[]> {
    if (session.claims === 0) return []
    const { environment } = this.#parts
    const range = { start: numberKey(kind.claim, session.number), end: numberKey(kind.claim, session.number + 1) }
    const names = new Set<string>()
    for (const rows of environment.parts(range)) {
      for (const row of rows) {
        const name = this.#returnClaim(session, row, sentThrough)
        if (name !== undefined) names.add(name)
      }
      yield
    }
    return [...names]
  }

  /** Returns the group that the message waits in again. */
  #returnClaim(session: SessionRecord, { key, value }: Row, sentThrough: number): string | undefined {
    const { environment, set, queues } = this.#parts
    const sequence = numberAt(key, 1)
    const entry = queues.find(session, sequence)
    const stays = entry?.record.qos === 2 && (sequence <= sentThrough || entry.record.released)
    if (stays) return undefined
    environment.remove(key)
    session.claims -= 1
    set.changed(session)
    if (entry === undefined) return undefined
    const origin = new RecordReader(value)
    const group = set.group(origin.text())
    if (group === undefined || group.number !== origin.u48()) {
      queues.keepClaimed(session, entry)
      return undefined
    }
    this.#put(group, { sequence: origin.u48(), message: entry.message, shared: undefined, returned: true })
    queues.acknowledge(session, sequence)
    return group.name
  }

  /** Drops what has expired of what waits. */
  *lookThrough(group: GroupRecord): Steps<void> {
    const now = this.#parts.clock.now()
    let earliest = Infinity
    let expired = 0
    const entries = group.waitingMessages
    for (const rows of this.#parts.environment.parts(rangeOf(group))) {
      for (const row of rows) {
        const waiting = decodeWaiting(row, this.#parts.messages)
        if (isExpired(waiting.message, now)) {
          this.#remove(group, waiting, 'gone')
          expired += 1
        } else earliest = Math.min(earliest, waiting.message.expiresAt ?? Infinity)
      }
      yield
    }
    if (expired > 0) this.#drop(group, 'expired', expired)
    this.#parts.expiry.looked(group, earliest, entries)
  }

  /** Drops the oldest message that waits, for another queue; false: there is none that may be dropped. */
  giveWay(group: GroupRecord): boolean {
    const bytes = group.waitingBytes
    const dropped = this.#dropOldest(group, () => group.waitingBytes < bytes)
    if (dropped > 0) this.#drop(group, 'queueFull', dropped)
    return dropped > 0
  }

  /** Groups in which messages wait. */
  *waiting(): Steps<readonly string[]> {
    const names: string[] = []
    for (const rows of this.#parts.environment.parts({ start: Buffer.of(kind.group), end: afterGroups })) {
      for (const { value } of rows) {
        const { name, waitingMessages } = readGroup(new RecordReader(value))
        if (waitingMessages > 0) names.push(name)
      }
      yield
    }
    return names
  }

  /** Takes the oldest messages; expired ones are dropped on the way. */
  #take(group: GroupRecord, limit: number): readonly WaitingMessage[] {
    const now = this.#parts.clock.now()
    const taken: WaitingMessage[] = []
    const expired: WaitingMessage[] = []
    for (const waiting of this.#waiting(group)) {
      if (taken.length >= limit) break
      ;(isExpired(waiting.message, now) ? expired : taken).push(waiting)
    }
    for (const waiting of taken) this.#remove(group, waiting, 'claimed')
    for (const waiting of expired) this.#remove(group, waiting, 'gone')
    if (expired.length > 0) this.#drop(group, 'expired', expired.length)
    return taken
  }

  *#waiting(group: GroupRecord): Generator<WaitingMessage> {
    if (group.waitingMessages === 0) return
    for (const row of this.#parts.environment.rows(rangeOf(group))) yield decodeWaiting(row, this.#parts.messages)
  }

  #put(group: GroupRecord, waiting: WaitingMessage): void {
    const { sequence, message } = waiting
    const value = encodeWaiting(this.#writer, waiting)
    this.#parts.environment.put(numberKey(kind.waiting, group.number, sequence), value)
    this.#parts.room.count(group, 1, messageBytes(message))
    this.#parts.expiry.waits(group, message)
    this.#parts.set.groupChanged(group)
    this.#parts.set.count('queuedMessages', 1)
  }

  /** `claimed`: the message goes on to a session's queue, and is not released. */
  #remove(group: GroupRecord, { sequence, message, shared }: WaitingMessage, why: 'claimed' | 'gone'): void {
    this.#parts.environment.remove(numberKey(kind.waiting, group.number, sequence))
    if (why === 'gone' && shared !== undefined) this.#parts.messages.release(shared)
    this.#parts.room.count(group, -1, -messageBytes(message))
    this.#parts.set.groupChanged(group)
    this.#parts.set.count('queuedMessages', -1)
  }

  /** As in a session's queue. */
  #makeRoom(group: GroupRecord, bytes: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.limits
    const fits = (): boolean =>
      group.waitingMessages < maximumQueuedMessages && group.waitingBytes + bytes <= maximumQueuedBytes
    if (!fits() && this.#parts.expiry.isDue(group)) finish(this.lookThrough(group))
    if (fits()) return this.#makeTotalRoom(group, bytes)
    const possible = overflow === 'dropOldest' && maximumQueuedMessages > 0 && bytes <= maximumQueuedBytes
    const dropped = possible ? this.#dropOldest(group, fits) : 0
    const isRoom = fits()
    this.#drop(group, 'queueFull', dropped + (isRoom ? 0 : 1))
    return isRoom && this.#makeTotalRoom(group, bytes)
  }

  #makeTotalRoom(group: GroupRecord, bytes: number): boolean {
    const isRoom = this.#parts.room.make(group, bytes)
    if (!isRoom) this.#drop(group, 'queueFull', 1)
    return isRoom
  }

  #dropOldest(group: GroupRecord, enough: () => boolean): number {
    let dropped = 0
    for (const rows of this.#parts.environment.parts(rangeOf(group))) {
      for (const row of rows) {
        if (enough()) return dropped
        const waiting = decodeWaiting(row, this.#parts.messages)
        if (waiting.returned) continue
        this.#remove(group, waiting, 'gone')
        dropped += 1
      }
    }
    return dropped
  }

  #drop(group: GroupRecord, reason: Drop['reason'], count: number): void {
    this.#parts.set.afterwards(() => this.#parts.dropped({ queue: group.name, reason, count }))
  }
}

const afterGroups: Buffer = Buffer.of(kind.group + 1)

function rangeOf({ number }: GroupRecord): Range {
  return { start: numberKey(kind.waiting, number), end: numberKey(kind.waiting, number + 1) }
}
