import { PersistenceError, isExpired, isSameMessage, optionProblem, optionRules } from '@x/contract'
import type {
  Delivery,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  OptionTable,
  Persistence,
  PersistenceCounts,
  PersistenceHost,
  PersistenceSupports,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  SessionOwner,
  Subscription,
  Will,
} from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'
import { FilterTrie, filterMatches } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import {
  aedesSubscription,
  entriesOf,
  keyOf,
  messageIdOf,
  messageOf,
  packetOf,
  queuedPacketOf,
  subscriptionOf,
} from './aedes-packet.ts'
import type { AedesPacket, AedesSubscription } from './aedes-packet.ts'
import { CompatError } from './compat-error.ts'
import { DeadWills } from './dead-wills.ts'
import { newMirror } from './mirror.ts'
import type { Mirror } from './mirror.ts'
import type { Mqemitter, MqListener } from './old-emitter.ts'
import { missingMethods, prepare } from './old-persistence.ts'
import type { OldPersistence, StoreClient } from './old-persistence.ts'
import { receiversOf } from './receivers.ts'
import { StoreBroker } from './store-broker.ts'

const pageSize = 256

export interface FromAedesPersistenceOptions {
  /** The mqemitter that brokers with the same store share: the store tells its subscriptions over it, and sessions here get what
   * other brokers have queued for them. */
  readonly mq?: object
  /** ms between two heartbeats of brokers, 60 000 by default: the wills of one that has missed three are published. */
  readonly heartbeatInterval?: number
}

const optionTable: OptionTable<keyof FromAedesPersistenceOptions> = {
  mq: optionRules.has('an mqemitter', 'on', 'emit'),
  heartbeatInterval: optionRules.whole(1, 86_400_000),
}

/** A store of Aedes as our own.
 * @throws CompatError `PERSISTENCE_NOT_USABLE`, naming what it lacks; `OPTION_INVALID` */
export function fromAedesPersistence(store: object, options: FromAedesPersistenceOptions = {}): AedesPersistence {
  const problem = optionProblem(options, optionTable, 'fromAedesPersistence')
  if (problem !== undefined) throw new CompatError('OPTION_INVALID', problem)
  return new AedesPersistence(store, options)
}

/** Sessions are served from memory, as {@link MemoryPersistence} does it, and everything that an old store can hold is in the old
 * store before a call answers. What it can't hold ends with the process: see the README.
 *
 * All calls are carried out one after the other: an old store promises no order of its own. */
export class AedesPersistence implements Persistence {
  readonly supports: PersistenceSupports = { durable: 'partly', shared: true, sharedSubscriptions: true }

  readonly #given: object
  readonly #mq: Mqemitter | undefined
  readonly #memory = new MemoryPersistence()
  readonly #broker: StoreBroker
  readonly #deadWills: DeadWills
  /** Set up once, at the first `open`. */
  #store: OldPersistence | undefined
  #phase: 'closed' | 'opening' | 'open' = 'closed'
  #host: PersistenceHost | undefined
  /** Settles when everything that was asked is done. */
  #last: Promise<unknown> = Promise.resolve()
  /** Sessions that are in memory, by client. Others are in the old store alone. */
  readonly #mirrors = new Map<string, Mirror>()
  /** What those sessions subscribe to and the old store has: it need not be asked about them, and some of them find too little. */
  readonly #subscriptions = new FilterTrie<AedesSubscription & { clientId: string }>()
  /** Retained messages of this life with what an old store would lose: properties and expiry. By topic. */
  readonly #retained = new Map<string, Message>()
  /** What other brokers publish is in the old store already; sessions here have to be told. */
  readonly #hearForeign: MqListener = (packet, done) => {
    const isForeign = packet.qos > 0 && packet.brokerId !== this.#host?.brokerId
    if (isForeign && this.#phase === 'open') void this.#inOrder(() => this.#takeForeign(packet)).catch(() => undefined)
    done()
  }

  /** @throws CompatError `PERSISTENCE_NOT_USABLE`, naming what it lacks */
  constructor(store: object, { mq, heartbeatInterval = 60_000 }: FromAedesPersistenceOptions = {}) {
    const missing = missingMethods(store)
    if (missing.length > 0) {
      throw new CompatError('PERSISTENCE_NOT_USABLE', `the store lacks ${missing.map(name => `${name}()`).join(', ')}`)
    }
    this.#given = store
    this.#mq = mq as Mqemitter | undefined
    this.#broker = new StoreBroker(this.#mq)
    this.#deadWills = new DeadWills(this.#broker, this.#mq, heartbeatInterval)
  }

  async open(host: PersistenceHost): Promise<void> {
    if (this.#phase !== 'closed') throw new PersistenceError('ALREADY_OPEN', { message: 'the store is open already' })
    this.#phase = 'opening'
    try {
      this.#host = host
      this.#broker.id = host.brokerId
      this.#store ??= await prepare(this.#given, this.#broker)
      this.#memory.open(hostOfMemory(host))
      this.#mq?.on('#', this.#hearForeign)
      this.#phase = 'open'
    } catch (error) {
      this.#phase = 'closed'
      throw error
    }
  }

  /** The old store itself is ended by the program that made it, with its `destroy`. */
  async close(): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'closed'
    this.#mq?.removeListener('#', this.#hearForeign)
    await this.#last.catch(() => undefined)
    this.#memory.close()
    for (const [clientId, { filters }] of this.#mirrors) for (const filter of filters) this.#forget(clientId, filter)
    this.#mirrors.clear()
    this.#retained.clear()
  }

  async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#inOrder(async store => {
      const { clientId, cleanStart, sessionExpiryInterval, will } = request
      const known = this.#mirrors.get(clientId)
      if (cleanStart) await this.#wipe(store, clientId)
      else if (known === undefined) await this.#load(store, clientId)
      const opened = this.#memory.openSession({ ...request, owner: this.#watch(clientId, request.owner) })
      try {
        // It had expired, and nobody had noticed.
        if (!opened.present && !cleanStart && known !== undefined) await this.#wipe(store, clientId)
        const mirror = (opened.present ? this.#mirrors.get(clientId) : undefined) ?? newMirror()
        this.#mirrors.set(clientId, mirror)
        mirror.stored = sessionExpiryInterval > 0
        mirror.hasWill = known?.hasWill === true
        await this.#keepWill(store, clientId, will)
        return { ...opened, received: [...mirror.received] }
      } catch (error) {
        this.#memory.closeSession(opened.handle, { sessionExpiryInterval, will: 'discard', sentThrough: 0 })
        throw error
      }
    })
  }

  async closeSession(session: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    return this.#inOrder(async store => {
      const will = this.#memory.closeSession(session, closing)
      const mirror = this.#mirrors.get(session.clientId)
      const waits = closing.will === 'publish' && will === undefined && closing.sessionExpiryInterval > 0
      if (mirror?.hasWill === true && !waits) await this.#keepWill(store, session.clientId, undefined)
      if (closing.sessionExpiryInterval === 0) await this.#wipe(store, session.clientId)
      else if (mirror !== undefined) mirror.stored = true
      return will
    })
  }

  async subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#inOrder(async store => {
      const existed = this.#memory.subscribe(session, subscriptions)
      const kept = subscriptions.filter(({ filter }) => isKept(filter))
      if (this.#isStored(session) && kept.length > 0) {
        await store.addSubscriptions(this.#client(session.clientId), kept.map(aedesSubscription))
        this.#know(session.clientId, kept.map(aedesSubscription))
      }
      return existed
    })
  }

  async unsubscribe(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#inOrder(async store => {
      const existed = this.#memory.unsubscribe(session, filters)
      // Some stores wait for ever when there is nothing to remove.
      const kept = filters.filter((filter, index) => existed[index] === true && isKept(filter))
      if (this.#isStored(session) && kept.length > 0) {
        await store.removeSubscriptions(this.#client(session.clientId), kept)
        for (const filter of kept) this.#forget(session.clientId, filter)
      }
      return existed
    })
  }

  async publish(message: Message, receipt?: Receipt): Promise<number> {
    return this.#inOrder(async store => {
      if (receipt !== undefined && (await this.#isRepeated(store, receipt))) return 0
      if (message.retain) await this.#retain(store, message)
      const others = message.qos > 0 ? await this.#enqueueForAll(store, message) : 0
      if (receipt !== undefined) await this.#receive(store, message, receipt)
      return others + this.#memory.publish(message, receipt)
    })
  }

  async enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    await this.#inOrder(async store => this.#enqueue(store, session, deliveries))
  }

  async enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    await this.#inOrder(async store => {
      this.#check(session)
      const [retained] = await this.#findRetained(store, delivery.message.topic)
      if (retained !== undefined && isSameMessage(retained, delivery.message))
        await this.#enqueue(store, session, [delivery])
    })
  }

  async read(session: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#inOrder(async () => {
      const entries = this.#memory.read(session, after, limit)
      for (const entry of entries) this.#taken(session.clientId, entry)
      return entries
    })
  }

  async acknowledge(session: SessionHandle, sequence: number): Promise<void> {
    await this.#inOrder(async store => {
      const [entry] = this.#memory.read(session, sequence - 1, 1)
      this.#memory.acknowledge(session, sequence)
      const mirror = this.#mirrors.get(session.clientId)
      if (mirror === undefined || entry?.sequence !== sequence || !mirror.sent.delete(sequence)) return
      mirror.queued.delete(keyOf(entry.message))
      await store.outgoingClearMessageId(this.#client(session.clientId), { messageId: messageIdOf(sequence) })
    })
  }

  async release(session: SessionHandle, sequence: number): Promise<void> {
    await this.#inOrder(async store => {
      this.#memory.release(session, sequence)
      if (this.#mirrors.get(session.clientId)?.sent.has(sequence) !== true) return
      const pubrel = { cmd: 'pubrel', messageId: messageIdOf(sequence) }
      await store.outgoingUpdate(this.#client(session.clientId), pubrel)
    })
  }

  async complete(session: SessionHandle, packetId: number): Promise<void> {
    await this.#inOrder(async store => {
      this.#memory.complete(session, packetId)
      this.#mirrors.get(session.clientId)?.received.delete(packetId)
      if (!this.#isStored(session)) return
      // Refused when it is not there, which is what is wanted.
      await store.incomingDelPacket(this.#client(session.clientId), { messageId: packetId }).catch(() => undefined)
    })
  }

  async claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#inOrder(async () => this.#memory.claim(session, group, limit))
  }

  async retained(filter: string): Promise<RetainedPage> {
    return this.#inOrder(async store => pageOf(await this.#findRetained(store, filter), 0))
  }

  async claimDue(limit: number): Promise<readonly Due[]> {
    return this.#inOrder(async store => {
      const due = this.#memory.claimDue(limit)
      for (const item of due) {
        if (item.kind === 'will') await this.#keepWill(store, item.will.clientId, undefined)
        else await this.#wipe(store, item.clientId)
      }
      if (due.length > 0) return due
      const now = this.#opened().clock.now()
      return this.#deadWills.claim(store, now, clientId => this.#mirrors.get(clientId)?.hasWill === true)
    })
  }

  async counts(): Promise<PersistenceCounts> {
    return this.#inOrder(async store => {
      const counts = this.#memory.counts()
      const { clientsCount, subsCount } = await store.countOffline()
      return {
        ...counts,
        sessions: Math.max(counts.sessions, clientsCount),
        subscriptions: Math.max(counts.subscriptions, subsCount),
      }
    })
  }

  async #enqueue(store: OldPersistence, session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    this.#check(session)
    if (this.#isStored(session)) {
      for (const { message, qos, retain } of deliveries) {
        this.#mirrors.get(session.clientId)?.queued.add(keyOf(message))
        await store.outgoingEnqueue({ clientId: session.clientId }, queuedPacketOf(message, { qos, retain }))
      }
    }
    this.#memory.enqueue(session, deliveries)
  }

  async #findRetained(store: OldPersistence, filter: string): Promise<Message[]> {
    const found = new Map<string, Message>()
    for await (const packet of store.createRetainedStream(filter)) {
      // Stores differ in what they find for a wildcard, and some find too much.
      if (filterMatches(filter, packet.topic)) found.set(packet.topic, this.#withProperties(messageOf(packet)))
    }
    // They find too little where a level is empty; of a store that is ours alone, memory knows better.
    if (this.#mq === undefined) {
      for (const message of this.#memory.retained(filter)) if (message !== undefined) found.set(message.topic, message)
    }
    const now = this.#opened().clock.now()
    return [...found.values()].filter(message => !isExpired(message, now))
  }

  #opened(): PersistenceHost {
    if (this.#phase !== 'open' || this.#host === undefined) {
      throw new PersistenceError('NOT_OPEN', { message: 'the store is not open' })
    }
    return this.#host
  }

  /** Runs the step when everything that was asked before is done. */
  async #inOrder<Answer>(step: (store: OldPersistence) => Promise<Answer>): Promise<Answer> {
    this.#opened()
    const store = this.#store as OldPersistence
    const answer = this.#last.then(async () => step(store))
    this.#last = answer.catch(() => undefined)
    return answer
  }

  #client(id: string): StoreClient {
    return { id, brokerId: this.#broker.id, broker: this.#broker }
  }

  #isStored({ clientId }: SessionHandle): boolean {
    return this.#mirrors.get(clientId)?.stored === true
  }

  /** Throws when the handle is of an earlier opening. */
  #check(session: SessionHandle): void {
    this.#memory.read(session, Infinity, 0)
  }

  /** Brings a session from the old store into memory, if there is one. */
  async #load(store: OldPersistence, clientId: string): Promise<void> {
    const client = this.#client(clientId)
    const subscriptions = (await store.subscriptionsByClient(client)) ?? []
    const packets: AedesPacket[] = []
    for await (const packet of store.outgoingStream(client)) packets.push(packet)
    if (subscriptions.length === 0 && packets.length === 0) return
    const { entries, sentThrough } = entriesOf(packets)
    const mirror = newMirror()
    for (const { message } of entries) mirror.queued.add(keyOf(message))
    this.#mirrors.set(clientId, mirror)
    this.#know(clientId, subscriptions)
    const restored = subscriptions.map(subscriptionOf)
    await this.#memory.restoreSession({ clientId, subscriptions: restored, entries, sentThrough })
  }

  /** The session is over: nothing of it stays in the old store. */
  async #wipe(store: OldPersistence, clientId: string): Promise<void> {
    for (const filter of this.#mirrors.get(clientId)?.filters ?? []) this.#forget(clientId, filter)
    this.#mirrors.delete(clientId)
    const client = this.#client(clientId)
    const packets: AedesPacket[] = []
    for await (const packet of store.outgoingStream(client)) packets.push(packet)
    let last = 0
    for (const packet of packets) {
      // Only what has an identifier can be removed. Without one it is 0, undefined, or null in stores that keep it as JSON.
      let messageId = packet.messageId ?? 0
      if (messageId === 0) {
        last += 1
        messageId = messageIdOf(last)
        packet.messageId = messageId
        await store.outgoingUpdate(client, packet)
      }
      await store.outgoingClearMessageId(client, { messageId })
    }
    await store.cleanSubscriptions(client)
    await store.cleanIncoming?.(client)
  }

  #know(clientId: string, subscriptions: readonly AedesSubscription[]): void {
    const filters = this.#mirrors.get(clientId)?.filters
    for (const subscription of subscriptions) {
      filters?.add(subscription.topic)
      this.#subscriptions.add(subscription.topic as TopicFilter, clientId, { ...subscription, clientId })
    }
  }

  #forget(clientId: string, filter: string): void {
    this.#mirrors.get(clientId)?.filters.delete(filter)
    this.#subscriptions.remove(filter as TopicFilter, clientId)
  }

  #watch(clientId: string, owner: SessionOwner): SessionOwner {
    return {
      deliver: entry => {
        const taken = owner.deliver(entry)
        if (taken) this.#taken(clientId, entry)
        return taken
      },
      fenced: () => owner.fenced(),
    }
  }

  /** The entry goes out now, under an identifier that the old store has to know: what is repeated after a restart is repeated under
   * the same one. Written in its turn, before anything that is asked about the entry. */
  #taken(clientId: string, entry: QueueEntry): void {
    const mirror = this.#mirrors.get(clientId)
    const { message, sequence, qos, retain } = entry
    const isThere = mirror?.queued.has(keyOf(message)) === true || message.brokerId !== this.#host?.brokerId
    if (mirror === undefined || !mirror.stored || entry.released || mirror.sent.has(sequence) || !isThere) return
    mirror.sent.add(sequence)
    const packet = { ...queuedPacketOf(message, { qos, retain }), messageId: messageIdOf(sequence) }
    const tell = async (store: OldPersistence): Promise<void> => {
      // The session may have ended while it was offered the entry, and some stores would have the entry again.
      if (this.#mirrors.get(clientId) === mirror) await store.outgoingUpdate(this.#client(clientId), packet)
    }
    // Refused when the store no longer has it, and then there is nothing to remember.
    this.#inOrder(tell).catch(() => mirror.sent.delete(sequence))
  }

  async #keepWill(store: OldPersistence, clientId: string, will: Will | undefined): Promise<void> {
    const mirror = this.#mirrors.get(clientId)
    if (will !== undefined) await store.putWill(this.#client(clientId), packetOf(will.message))
    else if (mirror?.hasWill === true) await store.delWill(this.#client(clientId))
    if (mirror !== undefined) mirror.hasWill = will !== undefined
  }

  async #isRepeated(store: OldPersistence, { session, packetId }: Receipt): Promise<boolean> {
    this.#check(session)
    const mirror = this.#mirrors.get(session.clientId)
    if (mirror?.received.has(packetId) === true) return true
    if (mirror?.stored !== true) return false
    // Received by an earlier life of this broker, or by another one.
    const stored = store.incomingGetPacket(this.#client(session.clientId), { messageId: packetId })
    return stored.then(
      packet => packet !== undefined && packet !== null,
      () => false,
    )
  }

  async #receive(store: OldPersistence, message: Message, { session, packetId }: Receipt): Promise<void> {
    const mirror = this.#mirrors.get(session.clientId)
    mirror?.received.add(packetId)
    if (mirror?.stored !== true) return
    await store.incomingStorePacket(this.#client(session.clientId), { ...packetOf(message), messageId: packetId })
  }

  async #retain(store: OldPersistence, message: Message): Promise<void> {
    await store.storeRetained(packetOf(message))
    const { topic, payload, properties, expiresAt } = message
    const isMore = payload.length > 0 && (properties !== undefined || expiresAt !== undefined)
    if (isMore) this.#retained.set(topic, { ...messageOf(packetOf(message)), properties, expiresAt })
    else this.#retained.delete(topic)
  }

  /** With what the old store has lost of it, if it is still the same message. */
  #withProperties(message: Message): Message {
    const whole = this.#retained.get(message.topic)
    return whole !== undefined && keyOf(whole) === keyOf(message) ? whole : message
  }

  /** Puts the message in the outgoing queue of everybody the old store knows to subscribe; answers how many of these are not in
   * memory, and so not counted there. */
  async #enqueueForAll(store: OldPersistence, message: Message): Promise<number> {
    const inStore = await store.subscriptionsByTopic(message.topic)
    const ofOthers = inStore.filter(({ clientId }) => !this.#mirrors.has(clientId))
    const receivers = receiversOf([...ofOthers, ...this.#subscriptions.match(message.topic)], message)
    let others = 0
    for (const { qos, retain, clientIds } of receivers) {
      for (const clientId of clientIds) {
        const mirror = this.#mirrors.get(clientId)
        if (mirror === undefined) others += 1
        else mirror.queued.add(keyOf(message))
      }
      await store.outgoingEnqueueCombi(
        clientIds.map(clientId => ({ clientId })),
        queuedPacketOf(message, { qos, retain }),
      )
    }
    return others
  }

  async #takeForeign(packet: AedesPacket): Promise<void> {
    this.#memory.publish({ ...messageOf(packet), retain: false })
  }
}

/** What memory would refuse by the limits of the store as a whole is in the old store by then. */
function hostOfMemory(host: PersistenceHost): PersistenceHost {
  const { brokerId, clock, slices, limits } = host
  const { maximumQueuedMessages, maximumQueuedBytes, overflow, maximumTotalQueuedBytes } = limits
  return {
    brokerId,
    clock,
    slices,
    limits: { maximumQueuedMessages, maximumQueuedBytes, overflow, maximumTotalQueuedBytes },
    groupReady: (group, publisher) => host.groupReady(group, publisher),
    dropped: drop => host.dropped(drop),
  }
}

/** Old stores know no pages; whoever gets the messages takes some at a time. */
function pageOf(messages: readonly Message[], from: number): RetainedPage {
  const page = messages.slice(from, from + pageSize)
  const next = from + pageSize
  return next < messages.length ? Object.assign(page, { more: () => pageOf(messages, next) }) : page
}

/** What old stores can't keep: shared filters mean nothing to them, and filters are keys of their objects. Such subscriptions are
 * in memory only. */
function isKept(filter: string): boolean {
  return !filter.startsWith('$share/') && filter !== '__proto__'
}
