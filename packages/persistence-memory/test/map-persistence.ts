import { PersistenceError, SESSION_NEVER_EXPIRES, isExpired, keepMessage, mergeSubscriptions } from '@x/contract'
import { isSameMessage, messageBytes } from '@x/contract'
import type { Delivery, Due, Message, OpenSessionRequest, OpenedSession, Persistence } from '@x/contract'
import type { PersistenceCounts, PersistenceHost, QueueEntry, Receipt, SessionClosing } from '@x/contract'
import type { SessionHandle, SessionOwner, Subscription, Will } from '@x/contract'
import { filterMatches } from '@x/topic-trie'

interface Session {
  readonly clientId: string
  epoch: string
  /** Of the open connection; undefined: the session waits for its client. */
  owner: SessionOwner | undefined
  /** The owner has entries to read before it is offered more. */
  isBehind: boolean
  /** Seconds that the session outlives its connection. */
  interval: number
  subscriptions: Map<string, Subscription>
  /** Packet identifiers of QoS 2 messages from the client. */
  received: Set<number>
  entries: QueueEntry[]
  lastSequence: number
  /** Entries up to this sequence have been taken by an owner; the others wait. */
  takenThrough: number
  will: Will | undefined
  /** ms of the clock. */
  willAt: number
  endsAt: number
}

/** Everything in Maps, found by looking at all of it. It forgets everything when it closes, and has no shared groups. */
export class MapPersistence implements Persistence {
  readonly supports = { durable: false, shared: false, sharedSubscriptions: false }
  readonly #sessions = new Map<string, Session>()
  readonly #retained = new Map<string, Message>()
  #host: PersistenceHost | undefined
  #openings = 0

  open(host: PersistenceHost): void {
    if (this.#host !== undefined) throw new PersistenceError('ALREADY_OPEN', { message: 'the store is open' })
    this.#host = host
  }

  close(): void {
    this.#host = undefined
    this.#sessions.clear()
    this.#retained.clear()
  }

  openSession(request: OpenSessionRequest): OpenedSession {
    const { clientId, cleanStart, sessionExpiryInterval, will, owner } = request
    const now = this.#opened().clock.now()
    const previous = this.#sessions.get(clientId)
    const lives = previous !== undefined && (previous.owner ? previous.interval > 0 : previous.endsAt > now)
    const session = lives && !cleanStart ? previous : newSession(clientId)
    const isWillDue = previous?.owner ? previous.will?.delayInterval === 0 : (previous?.willAt ?? Infinity) <= now
    const dueWill = session !== previous || isWillDue ? previous?.will : undefined
    const fenced = previous?.owner
    session.epoch = `${(this.#openings += 1)}`
    session.owner = owner
    session.isBehind = session.entries.length > 0
    session.interval = sessionExpiryInterval
    session.will = will && { ...will, message: keepMessage(will.message) }
    session.willAt = session.endsAt = Infinity
    this.#sessions.set(clientId, session)
    fenced?.fenced()
    return {
      handle: { clientId, epoch: session.epoch },
      present: session === previous,
      subscriptions: [...session.subscriptions.values()],
      received: [...session.received],
      sentThrough: session.takenThrough,
      lastSequence: session.lastSequence,
      dueWill,
    }
  }

  closeSession(handle: SessionHandle, closing: SessionClosing): Will | undefined {
    const session = this.#session(handle)
    const now = this.#opened().clock.now()
    const interval = closing.sessionExpiryInterval
    const will = closing.will === 'publish' ? session.will : undefined
    const isDue = will === undefined || will.delayInterval === 0 || interval === 0
    session.owner = undefined
    session.interval = interval
    session.takenThrough = closing.sentThrough
    session.will = isDue ? undefined : will
    session.willAt = isDue ? Infinity : now + Math.min(will.delayInterval, interval) * 1000
    session.endsAt = interval === SESSION_NEVER_EXPIRES ? Infinity : now + interval * 1000
    if (interval === 0) this.#sessions.delete(session.clientId)
    return isDue ? will : undefined
  }

  subscribe(handle: SessionHandle, subscriptions: readonly Subscription[]): readonly boolean[] {
    const session = this.#session(handle)
    if (subscriptions.some(({ filter }) => filter.startsWith('$share/')))
      throw new PersistenceError('NOT_SUPPORTED', { message: 'there are no shared groups here' })
    return subscriptions.map(subscription => {
      const wasThere = session.subscriptions.has(subscription.filter)
      session.subscriptions.set(subscription.filter, subscription)
      return wasThere
    })
  }

  unsubscribe(handle: SessionHandle, filters: readonly string[]): readonly boolean[] {
    const session = this.#session(handle)
    return filters.map(filter => session.subscriptions.delete(filter))
  }

  publish(given: Message, receipt?: Receipt): number {
    this.#opened()
    if (receipt !== undefined) {
      const { received } = this.#session(receipt.session)
      if (received.has(receipt.packetId)) return 0
      received.add(receipt.packetId)
    }
    const message = keepMessage(given)
    if (message.retain && message.payload.length === 0) this.#retained.delete(message.topic)
    else if (message.retain) this.#retained.set(message.topic, message)
    let sessions = 0
    for (const session of message.qos === 0 ? [] : this.#sessions.values()) {
      const matching = [...session.subscriptions.values()].filter(({ filter }) => filterMatches(filter, message.topic))
      const merged = mergeSubscriptions(matching, message.publisher === session.clientId)
      if (session.interval === 0 || merged === undefined || merged.qos === 0) continue
      const { retainAsPublished, subscriptionIdentifiers } = merged
      const qos = merged.qos < message.qos ? merged.qos : message.qos
      this.#queue(session, { message, qos, retain: message.retain && retainAsPublished, subscriptionIdentifiers })
      sessions += 1
    }
    return sessions
  }

  enqueue(handle: SessionHandle, deliveries: readonly Delivery[]): void {
    const session = this.#session(handle)
    for (const delivery of deliveries) {
      // Its owner may end the session while it is offered an entry.
      if (this.#sessions.get(session.clientId) === session)
        this.#queue(session, { ...delivery, message: keepMessage(delivery.message) })
    }
  }

  enqueueRetained(handle: SessionHandle, delivery: Delivery): void {
    this.#session(handle)
    const { message } = delivery
    const retained = this.#retained.get(message.topic)
    if (retained !== undefined && isSameMessage(retained, message)) this.enqueue(handle, [delivery])
  }

  read(handle: SessionHandle, after: number, limit: number): readonly QueueEntry[] {
    const session = this.#session(handle)
    this.#dropExpired(session)
    const above = session.entries.filter(({ sequence }) => sequence > after)
    const read = above.slice(0, limit)
    session.takenThrough = Math.max(session.takenThrough, read.at(-1)?.sequence ?? 0)
    if (above.length === read.length) session.isBehind = false
    return read
  }

  entry(handle: SessionHandle, sequence: number): QueueEntry | undefined {
    return this.#session(handle).entries.find(entry => entry.sequence === sequence)
  }

  acknowledge(handle: SessionHandle, sequence: number): void {
    const session = this.#session(handle)
    session.entries = session.entries.filter(entry => entry.sequence !== sequence)
  }

  release(handle: SessionHandle, sequence: number): void {
    const session = this.#session(handle)
    session.entries = session.entries.map(entry => (entry.sequence === sequence ? { ...entry, released: true } : entry))
  }

  complete(handle: SessionHandle, packetId: number): void {
    this.#session(handle).received.delete(packetId)
  }

  claim(handle: SessionHandle): readonly QueueEntry[] {
    this.#session(handle)
    return []
  }

  retained(filter: string): readonly Message[] {
    const now = this.#opened().clock.now()
    return [...this.#retained.values()].filter(one => filterMatches(filter, one.topic) && !isExpired(one, now))
  }

  claimDue(limit: number): readonly Due[] {
    const now = this.#opened().clock.now()
    const due: Due[] = []
    for (const session of this.#sessions.values()) {
      const { clientId, will } = session
      if (will !== undefined && session.willAt <= now && due.length < limit) {
        due.push({ kind: 'will', will })
        session.will = undefined
      }
      if (session.endsAt > now || due.length >= limit) continue
      due.push({ kind: 'sessionExpired', clientId })
      this.#sessions.delete(clientId)
    }
    return due
  }

  counts(): PersistenceCounts {
    this.#opened()
    const sessions = [...this.#sessions.values()]
    return {
      sessions: sessions.filter(({ interval }) => interval > 0).length,
      subscriptions: sessions.reduce((sum, { subscriptions }) => sum + subscriptions.size, 0),
      queuedMessages: sessions.reduce((sum, { entries }) => sum + entries.length, 0),
      retainedMessages: this.#retained.size,
    }
  }

  #opened(): PersistenceHost {
    if (this.#host === undefined) throw new PersistenceError('NOT_OPEN', { message: 'the store is not open' })
    return this.#host
  }

  #session({ clientId, epoch }: SessionHandle): Session {
    this.#opened()
    const session = this.#sessions.get(clientId)
    if (session?.epoch === epoch && session.owner !== undefined) return session
    throw new PersistenceError('FENCED', { message: `the session of ${clientId} has another owner, or none` })
  }

  /** Offers it to the owner, unless that has others to read first, and drops what waits beyond the limits. */
  #queue(session: Session, delivery: Delivery): void {
    const { limits, dropped } = this.#opened()
    const entry = { ...delivery, sequence: (session.lastSequence += 1), released: false }
    session.entries.push(entry)
    if (session.owner !== undefined && !session.isBehind) {
      if (session.owner.deliver(entry)) session.takenThrough = entry.sequence
      else session.isBehind = true
    }
    for (;;) {
      const waiting = session.entries.filter(({ sequence }) => sequence > session.takenThrough)
      const bytes = waiting.reduce((sum, { message }) => sum + messageBytes(message), 0)
      if (waiting.length <= limits.maximumQueuedMessages && bytes <= limits.maximumQueuedBytes) return
      const victim = limits.overflow === 'dropOldest' ? waiting[0] : waiting.at(-1)
      session.entries = session.entries.filter(one => one !== victim)
      dropped({ queue: session.clientId, reason: 'queueFull', count: 1 })
    }
  }

  #dropExpired(session: Session): void {
    const { clock, dropped } = this.#opened()
    const isLost = ({ sequence, message }: QueueEntry): boolean =>
      sequence > session.takenThrough && isExpired(message, clock.now())
    const count = session.entries.filter(isLost).length
    session.entries = session.entries.filter(entry => !isLost(entry))
    if (count > 0) dropped({ queue: session.clientId, reason: 'expired', count })
  }
}

function newSession(clientId: string): Session {
  const [subscriptions, received, entries] = [new Map<string, Subscription>(), new Set<number>(), []]
  const open = { owner: undefined, isBehind: false, interval: 0 }
  const none = { lastSequence: 0, takenThrough: 0, will: undefined, willAt: Infinity, endsAt: Infinity }
  return { clientId, epoch: '', ...open, subscriptions, received, entries, ...none }
}
