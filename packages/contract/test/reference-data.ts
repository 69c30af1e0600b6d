import type {
  Message,
  PersistenceHost,
  QueueEntry,
  QueueLimits,
  SessionOwner,
  Subscription,
  Will,
} from '../src/index.ts'
import { isExpired, mergeSubscriptions, messageBytes } from '../src/index.ts'
import { matches } from './naive-filter.ts'

export type Entry = { -readonly [Key in keyof QueueEntry]: QueueEntry[Key] } & { claimedFrom?: Waiting | undefined }

export interface Waiting {
  readonly group: string
  readonly place: number
  readonly message: Message
}

export interface ReferenceSession {
  readonly clientId: string
  epoch: string
  open: { owner: SessionOwner; host: PersistenceHost; behind: boolean } | undefined
  interval: number
  subscriptions: Map<string, Subscription>
  received: Set<number>
  entries: Entry[]
  lastSequence: number
  sentThrough: number
  takenThrough: number
  will: Will | undefined
  willAt: number | undefined
  endsAt: number | undefined
}

/** What several reference stores share: a database, as it were. Everything is a scan; nothing is clever. */
export class ReferenceData {
  readonly hosts: Set<PersistenceHost> = new Set()
  /** Wills that were answered and not confirmed, with the time to answer them again. */
  readonly claimedWills: Map<Will, number> = new Map()
  readonly sessions: Map<string, ReferenceSession> = new Map()
  readonly retained: Map<string, Message> = new Map()
  readonly groups: Map<string, Waiting[]> = new Map()
  counter = 0

  members(group: string): ReferenceSession[] {
    return [...this.sessions.values()].filter(session => session.subscriptions.has(group))
  }

  tellGroup(group: string, publisher?: string): void {
    for (const host of this.hosts) host.groupReady(group, publisher)
  }

  distribute(host: PersistenceHost, message: Message): number {
    let reached = 0
    const groups = new Set<string>()
    for (const session of this.sessions.values()) {
      const matching: Subscription[] = []
      for (const subscription of session.subscriptions.values()) {
        const [, , ...rest] = subscription.filter.split('/')
        if (subscription.filter.startsWith('$share/')) {
          if (matches(rest.join('/'), message.topic)) groups.add(subscription.filter)
        } else if (matches(subscription.filter, message.topic)) matching.push(subscription)
      }
      const reception = mergeSubscriptions(matching, message.publisher === session.clientId)
      if (session.interval === 0 || reception === undefined || reception.qos === 0) continue
      reached += 1
      this.queue(host, session, {
        message,
        qos: reception.qos < message.qos ? reception.qos : message.qos,
        retain: message.retain && reception.retainAsPublished,
        subscriptionIdentifiers: reception.subscriptionIdentifiers,
        sequence: 0,
        released: false,
      })
    }
    for (const group of groups) {
      // The last member may have gone while it was offered the message.
      if (this.members(group).length === 0) continue
      const waiting = this.groups.get(group) ?? []
      this.groups.set(group, waiting)
      waiting.push({ group, place: (this.counter += 1), message })
      if (this.#shorten(host, group, waiting, () => true)) this.tellGroup(group, message.publisher)
    }
    return reached + groups.size
  }

  queue(host: PersistenceHost, session: ReferenceSession, entry: Entry): void {
    const { open } = session
    session.lastSequence += 1
    entry.sequence = session.lastSequence
    session.entries.push(entry)
    if (open !== undefined && !open.behind) {
      if (open.owner.deliver(entry)) session.takenThrough = entry.sequence
      else open.behind = true
    }
    this.#shorten(host, session.clientId, session.entries, one => one.sequence > session.takenThrough)
  }

  /** Returns whether the newest is still there. */
  #shorten<Item extends { message: Message }>(
    host: PersistenceHost,
    queue: string,
    items: Item[],
    waits: (item: Item) => boolean,
  ): boolean {
    const limits: QueueLimits = host.limits
    const newest = items.at(-1)
    for (;;) {
      const waiting = items.filter(waits)
      const bytes = waiting.reduce((sum, { message }) => sum + messageBytes(message), 0)
      const dropped = limits.overflow === 'dropOldest' ? waiting[0] : waiting.at(-1)
      if (dropped === undefined || newest === undefined) break
      if (waiting.length <= limits.maximumQueuedMessages && bytes <= limits.maximumQueuedBytes) break
      items.splice(items.indexOf(dropped), 1)
      host.dropped({ queue, reason: 'queueFull', count: 1 })
    }
    return newest !== undefined && items.includes(newest)
  }

  dropExpired<Item extends { message: Message }>(
    host: PersistenceHost,
    queue: string,
    items: Item[],
    waits: (item: Item) => boolean,
  ): void {
    const expired = items.filter(item => waits(item) && isExpired(item.message, host.clock.now()))
    for (const item of expired) items.splice(items.indexOf(item), 1)
    if (expired.length > 0) host.dropped({ queue, reason: 'expired', count: expired.length })
  }

  putBack(session: ReferenceSession, sentThrough: number): void {
    const back = session.entries.filter(
      entry => entry.claimedFrom !== undefined && (entry.qos !== 2 || entry.sequence > sentThrough),
    )
    session.entries = session.entries.filter(entry => !back.includes(entry))
    for (const { claimedFrom } of back) {
      if (claimedFrom === undefined) continue
      const waiting = [...(this.groups.get(claimedFrom.group) ?? []), claimedFrom]
      this.groups.set(
        claimedFrom.group,
        waiting.sort((one, other) => one.place - other.place),
      )
    }
    for (const group of new Set(back.map(entry => entry.claimedFrom?.group ?? ''))) this.tellGroup(group)
  }

  end(session: ReferenceSession, sentThrough: number): void {
    this.putBack(session, sentThrough)
    this.sessions.delete(session.clientId)
    session.open = undefined
    this.endEmptyGroups()
  }

  endEmptyGroups(): void {
    for (const group of this.groups.keys()) if (this.members(group).length === 0) this.groups.delete(group)
  }
}
