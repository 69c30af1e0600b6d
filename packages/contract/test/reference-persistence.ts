import type {
  Delivery,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceCounts,
  PersistenceHost,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '../src/index.ts'
import { isExpired, isSameMessage, keepMessage, PersistenceError, SESSION_NEVER_EXPIRES } from '../src/index.ts'
import { matches } from './naive-filter.ts'
import type { ReferenceSession } from './reference-data.ts'
import { ReferenceData } from './reference-data.ts'

/** A store that keeps every promise in the plainest way and answers each call one turn later, in order. Several can share
 * their data, and data outlive a `close`. */
export class ReferencePersistence implements Persistence {
  readonly supports = { durable: true, shared: true, sharedSubscriptions: true }
  readonly data: ReferenceData
  protected host: PersistenceHost | undefined
  #state: 'closed' | 'opening' | 'open' = 'closed'

  constructor(data: ReferenceData = new ReferenceData()) {
    this.data = data
  }

  async open(host: PersistenceHost): Promise<void> {
    if (this.#state !== 'closed') throw new PersistenceError('ALREADY_OPEN', { message: 'open already' })
    this.#state = 'opening'
    await Promise.resolve()
    this.#state = 'open'
    this.host = host
    this.data.hosts.add(host)
  }

  async close(): Promise<void> {
    if (this.host !== undefined) this.data.hosts.delete(this.host)
    for (const session of this.data.sessions.values()) if (session.open?.host === this.host) session.open = undefined
    this.host = undefined
    this.#state = 'closed'
  }

  async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    const host = this.opened()
    const { clientId, owner, sessionExpiryInterval, cleanStart } = request
    const now = host.clock.now()
    const previous = this.data.sessions.get(clientId)
    const fenced = previous?.open?.owner
    const lives =
      previous !== undefined && (previous.open ? previous.interval > 0 : (previous.endsAt ?? Infinity) > now)
    const present = lives && !cleanStart
    const over = previous?.open ? previous.will?.delayInterval === 0 : (previous?.willAt ?? Infinity) <= now
    const dueWill = !present || over ? previous?.will : undefined
    if (previous !== undefined && !present) this.data.end(previous, previous.takenThrough)
    const session: ReferenceSession = present ? previous : emptySession(clientId)
    this.data.sessions.set(clientId, session)
    session.epoch = `epoch ${(this.data.counter += 1)}`
    session.interval = sessionExpiryInterval
    session.open = { owner, host, behind: session.entries.length > 0 }
    session.sentThrough = session.takenThrough
    session.will = request.will && { ...request.will, message: keepMessage(request.will.message) }
    session.willAt = undefined
    session.endsAt = undefined
    fenced?.fenced()
    return {
      handle: { clientId, epoch: session.epoch },
      present,
      subscriptions: [...session.subscriptions.values()],
      received: [...session.received],
      sentThrough: session.sentThrough,
      lastSequence: session.lastSequence,
      dueWill: this.#answered(dueWill),
    }
  }

  async closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    const session = this.session(handle)
    const now = this.opened().clock.now()
    const will = closing.will === 'publish' ? session.will : undefined
    const interval = closing.sessionExpiryInterval
    session.will = undefined
    session.open = undefined
    session.interval = interval
    session.sentThrough = Math.max(session.sentThrough, closing.sentThrough)
    session.takenThrough = session.sentThrough
    if (interval === 0) {
      this.data.end(session, closing.sentThrough)
      return this.#answered(will)
    }
    this.data.putBack(session, closing.sentThrough)
    session.endsAt = interval === SESSION_NEVER_EXPIRES ? undefined : now + interval * 1000
    if (will === undefined || will.delayInterval === 0) return this.#answered(will)
    session.will = will
    session.willAt = now + Math.min(will.delayInterval, interval) * 1000
    return undefined
  }

  async subscribe(handle: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    const session = this.session(handle)
    return subscriptions.map(subscription => {
      const existed = session.subscriptions.has(subscription.filter)
      session.subscriptions.set(subscription.filter, subscription)
      return existed
    })
  }

  async unsubscribe(handle: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    const session = this.session(handle)
    const answers = filters.map(filter => session.subscriptions.delete(filter))
    this.data.endEmptyGroups()
    return answers
  }

  async publish(message: Message, receipt?: Receipt): Promise<number> {
    const host = this.opened()
    const received = receipt && this.session(receipt.session).received
    if (receipt !== undefined && received?.has(receipt.packetId)) return 0
    const kept = keepMessage(message)
    if (receipt !== undefined) received?.add(receipt.packetId)
    if (message.retain && message.payload.length === 0) this.data.retained.delete(message.topic)
    else if (message.retain) this.data.retained.set(message.topic, kept)
    return message.qos > 0 ? this.data.distribute(host, kept) : 0
  }

  async enqueue(handle: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    const session = this.session(handle)
    for (const delivery of deliveries) {
      const message = keepMessage(delivery.message)
      this.data.queue(this.opened(), session, { ...delivery, message, sequence: 0, released: false })
    }
  }

  async enqueueRetained(handle: SessionHandle, delivery: Delivery): Promise<void> {
    this.session(handle)
    const retained = this.data.retained.get(delivery.message.topic)
    if (retained !== undefined && isSameMessage(retained, delivery.message)) await this.enqueue(handle, [delivery])
  }

  async entry(handle: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    const found = this.session(handle).entries.find(entry => entry.sequence === sequence)
    return found && { ...found }
  }

  async read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    const session = this.session(handle)
    const waits = (entry: QueueEntry): boolean => entry.sequence > session.takenThrough
    this.data.dropExpired(this.opened(), session.clientId, session.entries, waits)
    const above = session.entries.filter(entry => entry.sequence > after)
    const entries = above.slice(0, limit)
    session.takenThrough = Math.max(session.takenThrough, entries.at(-1)?.sequence ?? 0)
    if (session.open !== undefined && above.length <= limit) session.open.behind = false
    return Array.from(entries, entry => ({ ...entry }))
  }

  async acknowledge(handle: SessionHandle, sequence: number): Promise<void> {
    const session = this.session(handle)
    session.entries = session.entries.filter(entry => entry.sequence !== sequence)
  }

  async release(handle: SessionHandle, sequence: number): Promise<void> {
    for (const entry of this.session(handle).entries) if (entry.sequence === sequence) entry.released = true
  }

  async complete(handle: SessionHandle, packetId: number): Promise<void> {
    this.session(handle).received.delete(packetId)
  }

  async claim(handle: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    const session = this.session(handle)
    const subscription = session.subscriptions.get(group)
    const waiting = this.data.groups.get(group)
    if (subscription === undefined || waiting === undefined) return []
    this.data.dropExpired(this.opened(), group, waiting, () => true)
    return waiting.splice(0, limit).map(claimedFrom => {
      const { message } = claimedFrom
      const identifier = subscription.subscriptionIdentifier
      const entry = {
        message,
        qos: subscription.qos < message.qos ? subscription.qos : message.qos,
        retain: message.retain && subscription.retainAsPublished,
        subscriptionIdentifiers: identifier === undefined ? undefined : [identifier],
        sequence: (session.lastSequence += 1),
        released: false,
        claimedFrom,
      }
      if (entry.qos > 0) session.entries.push(entry)
      session.takenThrough = entry.sequence
      return entry
    })
  }

  async retained(filter: string): Promise<RetainedPage> {
    const now = this.opened().clock.now()
    return [...this.data.retained.values()].filter(one => matches(filter, one.topic) && !isExpired(one, now))
  }

  async claimDue(limit: number): Promise<readonly Due[]> {
    const now = this.opened().clock.now()
    const due: Due[] = []
    for (const [will, again] of this.data.claimedWills) {
      if (again > now || due.length === limit) continue
      due.push({ kind: 'will', will })
      this.#answered(will)
    }
    for (const session of this.data.sessions.values()) {
      if (session.open !== undefined) continue
      if (due.length < limit && session.will !== undefined && (session.willAt ?? Infinity) <= now) {
        due.push({ kind: 'will', will: session.will })
        this.#answered(session.will)
        session.will = undefined
      }
      if (due.length < limit && (session.endsAt ?? Infinity) <= now) {
        due.push({ kind: 'sessionExpired', clientId: session.clientId })
        this.data.end(session, session.takenThrough)
      }
    }
    return due
  }

  async confirmWill(will: Will): Promise<void> {
    this.opened()
    this.data.claimedWills.delete(will)
  }

  async counts(): Promise<PersistenceCounts> {
    this.opened()
    const sessions = [...this.data.sessions.values()]
    const waiting = [...this.data.groups.values()].reduce((sum, { length }) => sum + length, 0)
    return {
      sessions: sessions.filter(({ interval }) => interval > 0).length,
      subscriptions: sessions.reduce((sum, { subscriptions }) => sum + subscriptions.size, 0),
      queuedMessages: sessions.reduce((sum, { entries }) => sum + entries.length, waiting),
      retainedMessages: this.data.retained.size,
    }
  }

  /** Its broker may die before it has published it. */
  #answered(will: Will | undefined): Will | undefined {
    if (will !== undefined) this.data.claimedWills.set(will, this.opened().clock.now() + 30_000)
    return will
  }

  protected opened(): PersistenceHost {
    if (this.host === undefined) throw new PersistenceError('NOT_OPEN', { message: 'not open' })
    return this.host
  }

  protected session(handle: SessionHandle): ReferenceSession {
    this.opened()
    const session = this.data.sessions.get(handle.clientId)
    if (session?.epoch === handle.epoch && session.open !== undefined) return session
    throw new PersistenceError('FENCED', { message: `${handle.clientId} has another owner` })
  }
}

function emptySession(clientId: string): ReferenceSession {
  return {
    clientId,
    epoch: '',
    open: undefined,
    interval: 0,
    subscriptions: new Map(),
    received: new Set(),
    entries: [],
    lastSequence: 0,
    sentThrough: 0,
    takenThrough: 0,
    will: undefined,
    willAt: undefined,
    endsAt: undefined,
  }
}
