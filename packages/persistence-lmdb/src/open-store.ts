import { keepMessage, PersistenceError } from '@x/contract'
import type {
  Delivery,
  DueBatch,
  Message,
  OpenedSession,
  OpenSessionRequest,
  PersistenceCounts,
  PersistenceHost,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '@x/contract'
import { Commits } from './commits.ts'
import type { Steps } from './commits.ts'
import { Deadlines } from './deadlines.ts'
import { prepareDirectory } from './directory.ts'
import { Distribution } from './distribution.ts'
import { Environment } from './environment.ts'
import { Instances } from './instances.ts'
import { kind, metaKey, numberKey } from './keys.ts'
import { Lookout } from './lookout.ts'
import { MachineTime } from './machine-time.ts'
import { Neighbours } from './neighbours.ts'
import type { CheckedOptions } from './options.ts'
import { OwnedSessions } from './owned-sessions.ts'
import { RetainedStore } from './retained-store.ts'
import { SessionQueues } from './session-queue.ts'
import { SessionStore } from './session-store.ts'
import { Settlements } from './settlements.ts'
import { SharedGroups } from './shared-groups.ts'
import { SharedMessages } from './shared-messages.ts'
import { StoredWills } from './stored-wills.ts'
import { Subscriptions } from './subscriptions.ts'
import { WorkingSet } from './working-set.ts'

/** Names what stands in the directory, and how. */
const schema = '1'
const schemaKey: Buffer = metaKey('schema')

/** What exists between `open` and `close`: the directory, and the parts that read and write it. */
export class OpenStore {
  readonly #options: CheckedOptions
  readonly #environment: Environment
  readonly #set: WorkingSet
  readonly #commits: Commits
  readonly #owned: OwnedSessions
  readonly #time: MachineTime
  readonly #instances: Instances
  readonly #lookout: Lookout
  readonly #subscriptions: Subscriptions
  readonly #queues: SessionQueues
  readonly #groups: SharedGroups
  readonly #wills: StoredWills
  readonly #retained: RetainedStore
  readonly #sessions: SessionStore
  readonly #settlements: Settlements
  readonly #distribution: Distribution
  #closed = false

  constructor(options: CheckedOptions, host: PersistenceHost) {
    const { directory, durability, maximumSessions } = options
    prepareDirectory(directory)
    const environment = new Environment({ directory, sync: durability === 'disk' })
    const { brokerId, limits, slices } = host
    const clock = new MachineTime(host.clock)
    const dropped = host.dropped.bind(host)
    const groupReady = host.groupReady.bind(host)
    const set = new WorkingSet(environment, `${process.pid} ${performance.timeOrigin} ${performance.now()}`)
    const instances = new Instances(environment)
    const owned = new OwnedSessions({
      report: () => this.#commits.later(),
      catchUp: handle => this.#lookout.look(handle),
    })
    const neighbours = new Neighbours(instances, hint => this.#lookout.hear(hint))
    const deadlines = new Deadlines(environment)
    const messages = new SharedMessages(environment, set)
    const subscriptions = new Subscriptions(environment, set)
    const queues = new SessionQueues({ environment, set, messages, limits, clock, dropped })
    const groups = new SharedGroups({ environment, set, subscriptions, queues, messages, limits, clock, dropped })
    const wills = new StoredWills({ environment, set, deadlines, clock })
    const stored = { host, set, subscriptions, messages, queues, groups, owned, instances, neighbours, time: clock }
    const distribution = new Distribution(stored)
    const frame = new Settlements({ set, owned, queues, groups, instances, report: () => this.#commits.later() })
    const commits = new Commits({ environment, frame, clock, slices })
    const records = { environment, wills, deadlines, clock, maximumSessions }
    const sessions = new SessionStore({
      ...stored,
      ...records,
      fence: (owner, handle) => this.#lookout.fence(owner, handle),
      groupsReady: names => distribution.announce(names, undefined),
    })
    const watched = { directory, brokerId, clock, commits, distribution, sessions, groupReady }
    this.#lookout = new Lookout({ ...stored, ...watched })
    this.#options = options
    this.#environment = environment
    this.#set = set
    this.#commits = commits
    this.#owned = owned
    this.#time = clock
    this.#instances = instances
    this.#subscriptions = subscriptions
    this.#queues = queues
    this.#groups = groups
    this.#wills = wills
    this.#retained = new RetainedStore({ environment, set, clock, limits: options })
    this.#sessions = sessions
    this.#settlements = frame
    this.#distribution = distribution
  }

  /** Registers this broker in the directory. */
  async begin(): Promise<void> {
    await this.#commits.run(() => this.#checkSchema())
    await this.#lookout.begin()
  }

  /** @throws PersistenceError `UNAVAILABLE` when another version of this package has written the directory */
  #checkSchema(): void {
    const found = this.#environment.get(schemaKey)?.toString()
    if (found === undefined) this.#environment.put(schemaKey, Buffer.from(schema))
    else if (found !== schema) {
      throw new PersistenceError('UNAVAILABLE', {
        message: `${this.#options.directory} has schema ${found}, this version reads schema ${schema}: use the version that wrote it`,
      })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#set.silence()
    await this.#lookout.close()
    try {
      await this.#commits.settled()
      await this.#commits.run(() => this.#instances.leave())
    } finally {
      this.#owned.clear()
      await this.#environment.close()
    }
  }

  openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#commits.run(() => this.#openSession(request))
  }

  closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    return this.#commits.run(() => this.#closeSession(handle, closing))
  }

  subscribe(handle: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#commits.add(() => {
      const session = this.#sessions.resolve(handle)
      return subscriptions.map(subscription => {
        this.#groups.join(session, subscription)
        return this.#subscriptions.add(session, subscription)
      })
    })
  }

  unsubscribe(handle: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#commits.run(() => this.#unsubscribe(handle, filters))
  }

  publish(message: Message, receipt?: Receipt): Promise<number> {
    const kept = keepMessage(this.#time.inward(message))
    return this.#commits.add(() => this.#publish(kept, receipt))
  }

  enqueue(handle: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    const kept = deliveries.map(delivery => ({
      ...delivery,
      message: keepMessage(this.#time.inward(delivery.message)),
    }))
    return this.#commits.add(() => {
      const session = this.#sessions.resolve(handle)
      for (const delivery of kept) this.#distribution.enqueue(session, delivery)
    })
  }

  read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#commits.run(() => {
      const session = this.#sessions.resolve(handle)
      const { entries, complete } = this.#queues.read(session, after, limit)
      const { lastSequence } = session
      if (complete) {
        this.#owned.catchesUp(handle)
        this.#set.afterwards(() => this.#owned.caughtUp(handle, lastSequence))
      }
      return this.#distribution.outward(entries)
    })
  }

  /** Nobody waits for it: it is written with the next transaction. */
  acknowledge(handle: SessionHandle, sequence: number): void {
    this.#owned.check(handle)
    this.#settlements.acknowledge(handle, sequence)
  }

  release(handle: SessionHandle, sequence: number): Promise<void> {
    return this.#commits.run(() => this.#queues.release(this.#sessions.resolve(handle), sequence))
  }

  complete(handle: SessionHandle, packetId: number): Promise<void> {
    return this.#commits.run(() => {
      this.#environment.remove(numberKey(kind.received, this.#sessions.resolve(handle).number, packetId))
    })
  }

  claim(handle: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#commits.run(() => {
      const entries = this.#groups.claim(this.#sessions.resolve(handle), group, limit)
      this.#set.afterwards(() => {
        for (const { sequence } of entries) this.#owned.claimed(handle, sequence)
      })
      return this.#distribution.outward(entries)
    })
  }

  async retained(filter: string): Promise<RetainedPage> {
    await this.#commits.settled()
    return this.#retainedPage(filter)
  }

  /** Queues a retained message that `retained` has given, unless another one has taken its place. */
  enqueueRetained(handle: SessionHandle, delivery: Delivery): Promise<void> {
    const kept = { ...delivery, message: keepMessage(this.#time.inward(delivery.message)) }
    return this.#commits.add(() => {
      const session = this.#sessions.resolve(handle)
      if (this.#retained.isCurrent(kept.message)) this.#distribution.enqueue(session, kept)
    })
  }

  claimDue(limit: number): Promise<DueBatch> {
    return this.#commits.run(() => this.#claimDue(limit))
  }

  async confirmWill(will: Will): Promise<void> {
    await this.#commits.run(() => this.#wills.confirm(will))
  }

  counts(): Promise<PersistenceCounts> {
    return this.#commits.run(() => {
      const { sessions, subscriptions, queuedMessages, retainedMessages } = this.#set.totals
      return { sessions, subscriptions, queuedMessages, retainedMessages }
    })
  }

  *#openSession(request: OpenSessionRequest): Steps<OpenedSession> {
    const opened = yield* this.#sessions.open(request)
    const behind = this.#sessions.resolve(opened.handle).entries > 0
    const position = { behind, through: opened.lastSequence }
    this.#set.afterwards(() => this.#owned.open(opened.handle, request.owner, position))
    return opened
  }

  *#closeSession(handle: SessionHandle, closing: SessionClosing): Steps<Will | undefined> {
    this.#sessions.resolve(handle)
    this.#owned.close(handle)
    return yield* this.#sessions.close(handle, closing)
  }

  *#unsubscribe(handle: SessionHandle, filters: readonly string[]): Steps<readonly boolean[]> {
    const session = this.#sessions.resolve(handle)
    const removed: boolean[] = []
    for (const filter of filters) {
      yield* this.#groups.leave(session, filter)
      removed.push(this.#subscriptions.remove(session, filter))
    }
    return removed
  }

  #publish(message: Message, receipt: Receipt | undefined): number | Steps<number> {
    if (receipt === undefined) {
      if (message.retain) this.#retained.checkRoom(message)
    } else {
      const publisher = this.#sessions.resolve(receipt.session)
      const key = numberKey(kind.received, publisher.number, receipt.packetId)
      // Stored with its id before: this is the repetition of a call whose answer got lost.
      if (this.#environment.has(key)) return 0
      if (message.retain) this.#retained.checkRoom(message)
      this.#environment.put(key, nothing)
    }
    if (message.retain) this.#retained.set(message)
    return message.qos > 0 ? this.#distribution.distribute(message) : 0
  }

  *#claimDue(limit: number): Steps<DueBatch> {
    const freed = this.#retained.dropExpired(limit)
    const swept = yield* this.#lookout.sweep(limit)
    const due = [...swept, ...(yield* this.#sessions.claimDue(limit - swept.length))]
    return freed === limit ? Object.assign(due, { more: true }) : due
  }

  #retainedPage(filter: string, after?: Buffer): RetainedPage {
    if (this.#closed) return []
    const { messages, next } = this.#retained.match(filter, after)
    const page = messages.map(message => this.#time.outward(message))
    return next === undefined ? page : Object.assign(page, { more: () => this.#retainedPage(filter, next) })
  }
}

const nothing: Buffer = Buffer.alloc(0)
