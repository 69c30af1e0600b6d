import { PersistenceError } from '@x/contract'
import type {
  Delivery,
  DueBatch,
  MaybePromise,
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
  StoredSessions,
  Subscription,
  Will,
} from '@x/contract'
import type { OpenStore } from './open-store.ts'
import { checkOptions } from './options.ts'
import type { CheckedOptions, LmdbPersistenceOptions } from './options.ts'

/** Keeps everything in a directory, so that it is there again when the process was ended, killed or the machine lost its power. Several
 * processes of one machine may open the same directory. All calls of a turn of the event loop are one transaction, committed
 * while the event loop goes on. */
export class LmdbPersistence implements Persistence {
  readonly supports: PersistenceSupports = {
    durable: true,
    shared: true,
    sharedSubscriptions: true,
    queuesAtMostOnce: true,
    storeLimits: true,
  }
  readonly storedSessions: StoredSessions = {
    list: () => this.#opened().shown.list(),
    find: clientId => this.#opened().shown.find(clientId),
    subscriptions: clientId => this.#opened().shown.subscriptions(clientId),
    queue: (clientId, after, limit) => this.#opened().shown.queue(clientId, after, limit),
    clearQueue: clientId => this.#opened().shown.clearQueue(clientId),
  }

  readonly #options: CheckedOptions
  #state: 'closed' | 'opening' | OpenStore = 'closed'

  /** @throws PersistenceError `NOT_SUPPORTED` for an option that can't be */
  constructor(options: LmdbPersistenceOptions) {
    this.#options = checkOptions(options)
  }

  async open(host: PersistenceHost): Promise<void> {
    if (this.#state !== 'closed') {
      throw new PersistenceError('ALREADY_OPEN', { message: 'the store is open already' })
    }
    this.#state = 'opening'
    try {
      this.#state = await this.#begin(host, this.#options)
    } catch (error) {
      this.#state = 'closed'
      throw error
    }
  }

  async #begin(host: PersistenceHost, options: CheckedOptions): Promise<OpenStore> {
    // Imported when a store is opened: a bundle can't contain the native module.
    const { Environment, OpenStore: Store, OtherDurability } = await import('./open-store.ts')
    await Environment.whenIdle(options.directory)
    const store = new Store(options, host)
    try {
      await store.begin()
      return store
    } catch (error) {
      await store.close()
      const { adoptsDurability } = options
      if (!adoptsDurability || !(error instanceof OtherDurability) || error.theirs !== 'process') throw error
      return this.#begin(host, { ...options, durability: error.theirs, adoptsDurability: false })
    }
  }

  async close(): Promise<void> {
    const store = this.#state
    if (typeof store === 'string') return
    this.#state = 'closed'
    await store.close()
  }

  openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#opened().openSession(request)
  }

  closeSession(session: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    return this.#opened().closeSession(session, closing)
  }

  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#opened().subscribe(session, subscriptions)
  }

  unsubscribe(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#opened().unsubscribe(session, filters)
  }

  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    return this.#opened().publish(message, receipt)
  }

  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    return this.#opened().enqueue(session, deliveries)
  }

  enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    return this.#opened().enqueueRetained(session, delivery)
  }

  read(session: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#opened().read(session, after, limit)
  }

  entry(session: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    return this.#opened().entry(session, sequence)
  }

  acknowledge(session: SessionHandle, sequence: number): void {
    this.#opened().acknowledge(session, sequence)
  }

  release(session: SessionHandle, sequence: number): Promise<void> {
    return this.#opened().release(session, sequence)
  }

  complete(session: SessionHandle, packetId: number): Promise<void> {
    return this.#opened().complete(session, packetId)
  }

  claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#opened().claim(session, group, limit)
  }

  retained(filter: string): Promise<RetainedPage> {
    return this.#opened().retained(filter)
  }

  claimDue(limit: number): Promise<DueBatch> {
    return this.#opened().claimDue(limit)
  }

  confirmWill(will: Will): Promise<void> {
    return this.#opened().confirmWill(will)
  }

  publishWill(will: Will, message: Message): Promise<number> {
    return this.#opened().publishWill(will, message)
  }

  counts(): Promise<PersistenceCounts> {
    return this.#opened().counts()
  }

  #opened(): OpenStore {
    if (typeof this.#state === 'string') throw new PersistenceError('NOT_OPEN', { message: 'the store is not open' })
    return this.#state
  }
}
