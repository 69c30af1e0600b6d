import { PersistenceError, isSameMessage } from '@x/contract'
import type {
  Delivery,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceCounts,
  PersistenceHost,
  PersistenceSupports,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'
import { messageOf } from './aedes-packet.ts'
import type { AedesPacket } from './aedes-packet.ts'
import { assertFromAedesOptions } from './aedes-persistence-options.ts'
import type { FromAedesPersistenceOptions } from './aedes-persistence-options.ts'
import { CompatError } from './compat-error.ts'
import { DeadWills } from './dead-wills.ts'
import { hostOfMemory } from './memory-host.ts'
import { Mirrors, newMirror } from './mirrors.ts'
import type { Mqemitter, MqListener } from './old-emitter.ts'
import { missingMethods, prepare } from './old-persistence.ts'
import type { OldPersistence } from './old-persistence.ts'
import { OldQueue, watchedOwner } from './old-queue.ts'
import { OldRetained } from './old-retained.ts'
import { OldSessions } from './old-sessions.ts'
import { StoreBroker } from './store-broker.ts'

/** A store of Aedes as our own.
 * @throws CompatError `PERSISTENCE_NOT_USABLE`, naming what it lacks; `OPTION_INVALID` */
export function fromAedesPersistence(store: object, options: FromAedesPersistenceOptions = {}): AedesPersistence {
  assertFromAedesOptions(options)
  return new AedesPersistence(store, options)
}

/** Sessions are served from memory, as {@link MemoryPersistence} does it, and everything that an old store can hold is in the old
 * store before a call settles. What it can't hold ends with the process: see the README.
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
  readonly #mirrors = new Mirrors()
  readonly #sessions: OldSessions
  readonly #queue: OldQueue
  readonly #retained: OldRetained
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
    const parts = { broker: this.#broker, memory: this.#memory, mirrors: this.#mirrors }
    this.#sessions = new OldSessions(parts)
    this.#queue = new OldQueue(parts)
    this.#retained = new OldRetained({
      // Of a store that is ours alone, memory knows better than the store itself.
      ownMessages: filter => (this.#mq === undefined ? this.#memory.retained(filter) : []),
      now: () => this.#opened().clock.now(),
    })
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
    this.#mirrors.clear()
    this.#retained.clear()
  }

  async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#inOrder(async store => {
      const { clientId, cleanStart, sessionExpiryInterval, will } = request
      const known = this.#mirrors.get(clientId)
      if (cleanStart) await this.#sessions.wipe(store, clientId)
      else if (known === undefined) await this.#sessions.load(store, clientId)
      const owner = watchedOwner(request.owner, entry => this.#taken(clientId, entry))
      const opened = this.#memory.openSession({ ...request, owner })
      try {
        // It had expired, and nobody had noticed.
        if (!opened.present && !cleanStart && known !== undefined) await this.#sessions.wipe(store, clientId)
        const mirror = (opened.present ? this.#mirrors.get(clientId) : undefined) ?? newMirror()
        this.#mirrors.set(clientId, mirror)
        mirror.stored = sessionExpiryInterval > 0
        mirror.hasWill = known?.hasWill === true
        await this.#sessions.keepWill(store, clientId, will)
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
      if (mirror?.hasWill === true && !waits) await this.#sessions.keepWill(store, session.clientId, undefined)
      if (closing.sessionExpiryInterval === 0) await this.#sessions.wipe(store, session.clientId)
      else if (mirror !== undefined) mirror.stored = true
      return will
    })
  }

  async subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#inOrder(async store => {
      const existed = this.#memory.subscribe(session, subscriptions)
      await this.#sessions.subscribe(store, session.clientId, subscriptions)
      return existed
    })
  }

  async unsubscribe(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#inOrder(async store => {
      const existed = this.#memory.unsubscribe(session, filters)
      const removed = filters.filter((_, index) => existed[index] === true)
      await this.#sessions.unsubscribe(store, session.clientId, removed)
      return existed
    })
  }

  async publish(message: Message, receipt?: Receipt): Promise<number> {
    return this.#inOrder(async store => {
      if (receipt !== undefined) this.#check(receipt.session)
      if (receipt !== undefined && (await this.#sessions.isRepeated(store, receipt))) return 0
      if (message.retain) await this.#retained.keep(store, message)
      const others = message.qos > 0 ? await this.#sessions.enqueueForAll(store, message) : 0
      if (receipt !== undefined) await this.#sessions.receive(store, message, receipt)
      return others + this.#memory.publish(message, receipt)
    })
  }

  async enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    await this.#inOrder(async store => this.#enqueue(store, session, deliveries))
  }

  async enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    await this.#inOrder(async store => {
      this.#check(session)
      const [retained] = await this.#retained.find(store, delivery.message.topic)
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

  async entry(session: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    return this.#inOrder(async () => this.#memory.entry(session, sequence))
  }

  async acknowledge(session: SessionHandle, sequence: number): Promise<void> {
    await this.#inOrder(async store => {
      const entry = this.#memory.entry(session, sequence)
      this.#memory.acknowledge(session, sequence)
      await this.#queue.acknowledge(store, session.clientId, entry)
    })
  }

  async release(session: SessionHandle, sequence: number): Promise<void> {
    await this.#inOrder(async store => {
      this.#memory.release(session, sequence)
      await this.#queue.release(store, session.clientId, sequence)
    })
  }

  async complete(session: SessionHandle, packetId: number): Promise<void> {
    await this.#inOrder(async store => {
      this.#memory.complete(session, packetId)
      await this.#sessions.complete(store, session.clientId, packetId)
    })
  }

  async claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#inOrder(async () => this.#memory.claim(session, group, limit))
  }

  async retained(filter: string): Promise<RetainedPage> {
    return this.#inOrder(async store => this.#retained.page(store, filter))
  }

  async claimDue(limit: number): Promise<readonly Due[]> {
    return this.#inOrder(async store => {
      const due = this.#memory.claimDue(limit)
      for (const item of due) {
        if (item.kind === 'will') await this.#sessions.keepWill(store, item.will.clientId, undefined)
        else await this.#sessions.wipe(store, item.clientId)
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
    await this.#queue.append(store, session, deliveries)
    this.#memory.enqueue(session, deliveries)
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

  /** Throws when the handle is of an earlier opening. */
  #check(session: SessionHandle): void {
    this.#memory.read(session, Infinity, 0)
  }

  /** The old store is told in its turn, before anything that is asked about the entry. */
  #taken(clientId: string, entry: QueueEntry): void {
    const tell = this.#queue.taken(clientId, entry)
    if (tell !== undefined) this.#inOrder(tell).catch(() => undefined)
  }

  async #takeForeign(packet: AedesPacket): Promise<void> {
    this.#memory.publish({ ...messageOf(packet), retain: false })
  }
}
