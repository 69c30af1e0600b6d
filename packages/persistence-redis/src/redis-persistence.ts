import { randomBytes } from 'node:crypto'
import type {
  Delivery,
  Due,
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
import { PersistenceError, optionProblem, optionRules } from '@x/contract'
import type { RedisConnectionOptions, RedisError, RedisTarget } from '@x/redis-connection'
import { RedisConnection } from '@x/redis-connection'
import { OpenStore } from './open-store.ts'

/** Options of `RedisPersistence`. */
export interface RedisPersistenceOptions extends Pick<
  RedisConnectionOptions,
  'connectTimeout' | 'commandTimeout' | 'scripting' | 'onError'
> {
  /** A URL (`redis://`, `redis-sentinel://`, `redis-cluster://`, `rediss…://`) or a client of ioredis. */
  readonly redis: RedisTarget
  /** First part of every key: brokers with the same prefix share sessions. Letters, digits, `_`, `-`. Default `x`. */
  readonly prefix?: string
  /** What an answer promises. `redis`: Redis has it. `replicated`: so has at least one replica. Default `redis`. */
  readonly durability?: 'redis' | 'replicated'
  /** Sessions with an expiry interval above 0. Default 1 000 000. At the limit `openSession` refuses a session that isn't
   * there yet with `QUOTA_EXCEEDED`. */
  readonly maximumSessions?: number
}

const milliseconds = optionRules.whole(1, 3_600_000)

/** The options, and what each may be. */
export const redisPersistenceOptions: OptionTable<keyof RedisPersistenceOptions> = {
  // Checked where it is connected to.
  redis: optionRules.any,
  connectTimeout: milliseconds,
  commandTimeout: milliseconds,
  scripting: optionRules.oneOf('functions', 'scripts'),
  onError: optionRules.function,
  prefix: {
    text: '1 to 64 letters, digits, _ or -',
    allows: (value: unknown) => typeof value === 'string' && /^[\w-]{1,64}$/.test(value),
  },
  durability: optionRules.oneOf('redis', 'replicated'),
  maximumSessions: optionRules.whole(0, Number.MAX_SAFE_INTEGER),
}

/** Keeps everything in Redis, for any number of brokers. Every method is one function that Redis runs by itself, so brokers
 * see all of a change or nothing; an answer means that Redis has it. */
export class RedisPersistence implements Persistence {
  readonly supports: PersistenceSupports = { durable: true, shared: true, sharedSubscriptions: true, tasks: true }

  readonly storedSessions: StoredSessions = {
    list: () => this.#opened().shown.list(),
    find: clientId => this.#opened().shown.find(clientId),
    subscriptions: clientId => this.#opened().shown.subscriptions(clientId),
    queue: (clientId, after, limit) => this.#opened().shown.queue(clientId, after, limit),
    clearQueue: clientId => this.#opened().shown.clearQueue(clientId),
  }

  readonly #options: RedisPersistenceOptions
  readonly #prefix: string
  #state: 'closed' | 'opening' | OpenStore = 'closed'

  /** @throws PersistenceError `OPTION_INVALID`; RedisError `REDIS_URL_INVALID` */
  constructor(options: RedisPersistenceOptions) {
    const { prefix = 'x' } = options ?? {}
    const problem = optionProblem(options, redisPersistenceOptions, 'RedisPersistence')
    if (problem !== undefined) throw new PersistenceError('OPTION_INVALID', { message: problem })
    this.#options = options
    this.#prefix = prefix
    // Refuses a bad URL here, where the program is, instead of at `open`.
    this.#connection().close()
  }

  /** @throws RedisError that says why this Redis can't be used (`REDIS_AUTH_FAILED`, `REDIS_EVICTION_POLICY`, …) */
  async open(host: PersistenceHost): Promise<void> {
    if (this.#state !== 'closed') throw new PersistenceError('ALREADY_OPEN', { message: 'the store is open already' })
    this.#state = 'opening'
    try {
      this.#state = await OpenStore.open({
        host,
        connection: this.#connection(),
        prefix: this.#prefix,
        maximumSessions: this.#options.maximumSessions ?? 1_000_000,
        // Unique for each opening: what an earlier life of this broker has left is swept like that of a dead one.
        instance: `${host.brokerId}~${randomBytes(6).toString('hex')}`,
      })
    } catch (error) {
      this.#state = 'closed'
      throw error
    }
  }

  async close(): Promise<void> {
    const state = this.#state
    if (!(state instanceof OpenStore)) return
    this.#state = 'closed'
    await state.close()
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

  publishWill(will: Will, message: Message): Promise<number> {
    return this.#opened().publishWill(will, message)
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

  acknowledge(session: SessionHandle, sequence: number): Promise<void> {
    return this.#opened().settlements.add(session, 'a', sequence)
  }

  release(session: SessionHandle, sequence: number): Promise<void> {
    return this.#opened().settlements.add(session, 'r', sequence)
  }

  complete(session: SessionHandle, packetId: number): Promise<void> {
    return this.#opened().settlements.add(session, 'c', packetId)
  }

  claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#opened().claim(session, group, limit)
  }

  retained(filter: string): Promise<RetainedPage> {
    return this.#opened().retained(filter)
  }

  claimDue(limit: number): Promise<readonly Due[]> {
    return this.#opened().claimDue(limit)
  }

  confirmWill(will: Will): Promise<void> {
    return this.#opened().confirmWill(will)
  }

  holdTask(name: string): Promise<boolean> {
    return this.#opened().holdTask(name)
  }

  giveUpTask(name: string): Promise<void> {
    return this.#opened().giveUpTask(name)
  }

  counts(): Promise<PersistenceCounts> {
    return this.#opened().counts()
  }

  #opened(): OpenStore {
    if (this.#state instanceof OpenStore) return this.#state
    throw new PersistenceError('NOT_OPEN', { message: 'the store is not open' })
  }

  #connection(): RedisConnection {
    const { redis, connectTimeout, commandTimeout, scripting, onError, durability } = this.#options
    return new RedisConnection({
      redis,
      scripting,
      replicas: durability === 'replicated' ? 1 : 0,
      ...(connectTimeout !== undefined && { connectTimeout }),
      ...(commandTimeout !== undefined && { commandTimeout }),
      ...(onError !== undefined && { onError: (error: RedisError) => onError(error) }),
    })
  }
}
