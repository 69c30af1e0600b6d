import type {
  Delivery,
  DueBatch,
  MaybePromise,
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
  StoredSessions,
  Subscription,
  Will,
} from '@x/contract'
import { isSameMessage, keepMessage, optionProblem, optionRules, PersistenceError, withDefaults } from '@x/contract'
import { RetainedShares } from './retained-shares.ts'
import type { RetainedLimits } from './retained-store.ts'
import { RetainedStore } from './retained-store.ts'
import { Deadlines } from './deadlines.ts'
import { distribute, sharedDelivery } from './distribution.ts'
import type { QueueContext } from './queue-context.ts'
import type { RestoredSession } from './session-store.ts'
import { SessionStore } from './session-store.ts'
import { ShownSessions } from './shown-sessions.ts'
import type { SubscriptionLimits } from './subscriptions.ts'
import { SubscriptionIndex } from './subscriptions.ts'

/** Bounds of one store; at each of them it refuses with `QUOTA_EXCEEDED` and changes nothing. */
export interface MemoryPersistenceOptions extends Partial<RetainedLimits>, Partial<SubscriptionLimits> {
  /** Sessions with an expiry interval above 0, connected or not. Default 1 000 000. At the limit `openSession` refuses a
   * session that isn't there yet. */
  readonly maximumSessions?: number
}

/** Expired messages that counting frees at most, so that it takes less than a millisecond. */
const freedByCounting = 1000

const defaults: Required<MemoryPersistenceOptions> = {
  maximumSessions: 1_000_000,
  maximumSubscriptions: 1_000_000,
  maximumSubscriptionBytes: 256 * 1024 * 1024,
  maximumRetainedMessages: 1_000_000,
  maximumRetainedBytes: 512 * 1024 * 1024,
}

const count = optionRules.whole(0, Number.MAX_SAFE_INTEGER)

const optionTable: OptionTable<keyof MemoryPersistenceOptions> = {
  maximumSessions: count,
  maximumSubscriptions: count,
  maximumSubscriptionBytes: count,
  maximumRetainedMessages: count,
  maximumRetainedBytes: count,
}

/** What exists between `open` and `close`. */
interface OpenStore {
  readonly host: PersistenceHost
  readonly context: QueueContext
  readonly subscriptions: SubscriptionIndex
  readonly sessions: SessionStore
  readonly retained: RetainedStore
}

/** Keeps everything in the memory of this process: no method returns a promise, and an entry is offered to its owner before `publish`
 * returns. `close` forgets everything. */
export class MemoryPersistence implements Persistence {
  readonly supports: PersistenceSupports = {
    durable: false,
    shared: false,
    sharedSubscriptions: true,
    queuesAtMostOnce: true,
    storeLimits: true,
  }
  readonly storedSessions: StoredSessions = new ShownSessions(() => this.#opened().sessions)

  readonly #options: Required<MemoryPersistenceOptions>
  #store: OpenStore | undefined
  /** Never reset, so that no epoch comes twice. */
  #openings = 0

  /** @throws PersistenceError `OPTION_INVALID` */
  constructor(options: MemoryPersistenceOptions = {}) {
    const problem = optionProblem(options, optionTable, 'MemoryPersistence')
    if (problem !== undefined) throw new PersistenceError('OPTION_INVALID', { message: problem })
    this.#options = withDefaults(options, defaults)
  }

  open(host: PersistenceHost): void {
    if (this.#store !== undefined) {
      throw new PersistenceError('ALREADY_OPEN', { message: 'the store is open already' })
    }
    const context: QueueContext = {
      limits: host.limits,
      queuesAtMostOnce: host.queuesAtMostOnce === true,
      clock: host.clock,
      dropped: drop => host.dropped(drop),
      queuedMessages: 0,
      waitingBytes: 0,
      expiries: new Deadlines(),
      largest: undefined,
    }
    const subscriptions = new SubscriptionIndex(context, this.#options, host.slices)
    const sessions = new SessionStore({
      context,
      subscriptions,
      maximumSessions: this.#options.maximumSessions,
      groupReady: group => host.groupReady(group, undefined),
      nextEpoch: () => String((this.#openings += 1)),
    })
    const retained = new RetainedStore(host.clock, this.#options, new RetainedShares(host.limits))
    this.#store = { host, context, subscriptions, sessions, retained }
  }

  close(): void {
    this.#store = undefined
  }

  openSession(request: OpenSessionRequest): OpenedSession {
    return this.#opened().sessions.open(request)
  }

  closeSession(session: SessionHandle, closing: SessionClosing): Will | undefined {
    return this.#opened().sessions.close(session, closing)
  }

  /** Adds a closed session that another place has kept; it lives until it is opened, and replaces one of the same client. Settles when
   * all its subscriptions are there. For stores that keep sessions elsewhere and serve them from here. */
  restoreSession(session: RestoredSession): MaybePromise<void> {
    return this.#opened().sessions.restore(session)
  }

  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): readonly boolean[] {
    const store = this.#opened()
    const subscriber = store.sessions.resolve(session)
    store.subscriptions.checkRoom(subscriber, subscriptions)
    return subscriptions.map(subscription => store.subscriptions.add(subscriber, subscription))
  }

  unsubscribe(session: SessionHandle, filters: readonly string[]): readonly boolean[] {
    const store = this.#opened()
    const subscriber = store.sessions.resolve(session)
    return filters.map(filter => store.subscriptions.remove(subscriber, filter))
  }

  publish(message: Message, receipt?: Receipt): number {
    const store = this.#opened()
    const publisher = receipt === undefined ? undefined : store.sessions.resolve(receipt.session)
    // Stored with its id before: this is the repetition of a call whose answer got lost.
    if (receipt !== undefined && publisher?.received?.has(receipt.packetId) === true) return 0
    if (message.retain) store.retained.checkRoom(message)
    if (publisher !== undefined && receipt !== undefined) (publisher.received ??= new Set()).add(receipt.packetId)
    const kept = message.retain ? retain(store.retained, message) : undefined
    return message.qos > 0 || store.context.queuesAtMostOnce ? distribute(store, message, kept) : 0
  }

  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): void {
    const store = this.#opened()
    const queue = store.sessions.queueOf(store.sessions.resolve(session))
    for (const delivery of deliveries) {
      const { message } = delivery
      // A retained message of this store has bytes of its own already.
      const kept = store.retained.get(message.topic) === message ? message : keepMessage(message)
      queue.append({ ...delivery, message: kept })
    }
  }

  enqueueRetained(session: SessionHandle, delivery: Delivery): void {
    const store = this.#opened()
    const retained = store.retained.get(delivery.message.topic)
    if (retained !== undefined && isSameMessage(retained, delivery.message)) this.enqueue(session, [delivery])
    else store.sessions.resolve(session)
  }

  read(session: SessionHandle, after: number, limit: number): readonly QueueEntry[] {
    return this.#opened().sessions.resolve(session).queue?.read(after, limit) ?? []
  }

  entry(session: SessionHandle, sequence: number): QueueEntry | undefined {
    return this.#opened().sessions.resolve(session).queue?.entry(sequence)
  }

  acknowledge(session: SessionHandle, sequence: number): void {
    const { queue, claims } = this.#opened().sessions.resolve(session)
    queue?.acknowledge(sequence)
    claims?.delete(sequence)
  }

  release(session: SessionHandle, sequence: number): void {
    this.#opened().sessions.resolve(session).queue?.release(sequence)
  }

  complete(session: SessionHandle, packetId: number): void {
    this.#opened().sessions.resolve(session).received?.delete(packetId)
  }

  claim(session: SessionHandle, group: string, limit: number): readonly QueueEntry[] {
    const store = this.#opened()
    const member = store.sessions.resolve(session)
    const claimed = store.subscriptions.group(group)
    const subscription = claimed?.members.get(member)
    if (claimed === undefined || subscription === undefined) return []
    const queue = store.sessions.queueOf(member)
    const entries: QueueEntry[] = []
    while (entries.length < limit) {
      const waiting = claimed.take()
      if (waiting === undefined) break
      const entry = queue.appendTaken(sharedDelivery(waiting.message, subscription))
      if (entry.qos > 0) (member.claims ??= new Map()).set(entry.sequence, { group: claimed, waiting })
      entries.push(entry)
    }
    return entries
  }

  retained(filter: string): RetainedPage {
    return this.#opened().retained.match(filter)
  }

  claimDue(limit: number): DueBatch {
    const store = this.#opened()
    const freed = store.retained.dropExpired(limit) + dropExpired(store, limit)
    const due = store.sessions.claimDue(limit)
    return freed >= limit ? Object.assign(due, { more: true }) : due
  }

  counts(): PersistenceCounts {
    const store = this.#opened()
    store.retained.dropExpired(freedByCounting)
    return {
      sessions: store.sessions.storedCount,
      subscriptions: store.subscriptions.size,
      queuedMessages: store.context.queuedMessages,
      retainedMessages: store.retained.size,
      queuedBytes: store.context.waitingBytes,
      retainedBytes: store.retained.bytes,
      willBytes: store.sessions.willBytes,
    }
  }

  #opened(): OpenStore {
    if (this.#store === undefined) throw new PersistenceError('NOT_OPEN', { message: 'the store is not open' })
    return this.#store
  }
}

/** In queues; returns how many, beyond the limit when the last queue had more. */
function dropExpired({ context }: OpenStore, limit: number): number {
  let freed = 0
  while (freed < limit) {
    const due = context.expiries.take(context.clock.now())
    if (due === undefined) break
    freed += Math.max(1, due.subject.dropExpired())
  }
  return freed
}

/** Returns the copy that it has kept, which the queues can share. */
function retain(retained: RetainedStore, message: Message): Message | undefined {
  if (message.payload.length === 0) {
    retained.delete(message.topic)
    return undefined
  }
  const kept = keepMessage(message)
  retained.set(kept)
  return kept
}
