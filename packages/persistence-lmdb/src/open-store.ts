import { keepMessage, PersistenceError } from '@x/contract'
import type {
  Delivery,
  Due,
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
import { Deadlines } from './deadlines.ts'
import { prepareDirectory } from './directory.ts'
import { Environment } from './environment.ts'
import { Instances, isGone, startOf } from './instances.ts'
import type { Instance } from './instances.ts'
import { kind, metaKey, numberKey } from './keys.ts'
import { MachineTime } from './machine-time.ts'
import { Neighbours } from './neighbours.ts'
import type { Hint } from './news.ts'
import type { CheckedOptions } from './options.ts'
import { OwnedSessions } from './owned-sessions.ts'
import { RetainedStore } from './retained-store.ts'
import { SessionQueues } from './session-queue.ts'
import type { StoredDelivery } from './queue-entry.ts'
import type { SessionRecord } from './session-record.ts'
import { SessionStore } from './session-store.ts'
import { SharedGroups } from './shared-groups.ts'
import { SharedMessages } from './shared-messages.ts'
import { StoredWills } from './stored-wills.ts'
import { Subscriptions } from './subscriptions.ts'
import { WorkingSet } from './working-set.ts'

/** An entry, whose it is, and which broker has that session open (0: none). */
interface Offer {
  readonly clientId: string
  readonly owner: number
  readonly entry: QueueEntry
}

/** Names what stands in the directory, and how. */
const schema = '1'
const schemaKey: Buffer = metaKey('schema')

/** ms after which news that got lost are found by looking. */
const lookInterval = 1000
/** Entries that are offered at a time to an owner that has to catch up. */
const catchUpSize = 256

/** What exists between `open` and `close`: the directory, and the parts that read and write it. */
export class OpenStore {
  readonly #options: CheckedOptions
  readonly #host: PersistenceHost
  readonly #environment: Environment
  readonly #set: WorkingSet
  readonly #commits: Commits
  readonly #owned: OwnedSessions
  readonly #time: MachineTime
  readonly #instances: Instances
  readonly #neighbours: Neighbours
  readonly #messages: SharedMessages
  readonly #subscriptions: Subscriptions
  readonly #queues: SessionQueues
  readonly #groups: SharedGroups
  readonly #wills: StoredWills
  readonly #retained: RetainedStore
  #sessions: SessionStore | undefined
  #instance: Instance | undefined
  #closed = false
  #lookTimer: unknown
  /** Acknowledgements that are not in the directory yet. */
  #acknowledged: { readonly session: SessionHandle; readonly sequence: number }[] = []

  constructor(options: CheckedOptions, host: PersistenceHost) {
    const { directory, durability, maximumRetainedMessages, maximumRetainedBytes } = options
    prepareDirectory(directory)
    this.#options = options
    this.#host = host
    const environment = new Environment({ directory, sync: durability === 'disk' })
    const { limits } = host
    const clock = new MachineTime(host.clock)
    const dropped = host.dropped.bind(host)
    const set = new WorkingSet(environment, `${process.pid} ${performance.timeOrigin} ${performance.now()}`)
    this.#environment = environment
    this.#set = set
    this.#commits = new Commits(environment, set, clock)
    this.#time = clock
    this.#owned = new OwnedSessions({
      report: () => this.#commits.lazily(() => this.#storeOutcomes()),
      catchUp: handle => this.#look(handle),
    })
    this.#instances = new Instances(environment)
    this.#neighbours = new Neighbours(this.#instances, hint => this.#hear(hint))
    const messages = new SharedMessages(environment, set)
    const subscriptions = new Subscriptions(environment, set)
    const queues = new SessionQueues({ environment, set, messages, limits, clock, dropped })
    this.#messages = messages
    this.#subscriptions = subscriptions
    this.#queues = queues
    this.#groups = new SharedGroups({ environment, set, subscriptions, queues, messages, limits, clock, dropped })
    this.#wills = new StoredWills({ environment, set, deadlines: new Deadlines(environment), clock })
    this.#retained = new RetainedStore({
      environment,
      set,
      clock,
      limits: { maximumRetainedMessages, maximumRetainedBytes },
    })
  }

  /** Registers this broker in the directory. */
  async begin(): Promise<void> {
    const address = await this.#neighbours.open(this.#options.directory)
    const instance = await this.#commits.run(() => {
      this.#checkSchema()
      const { pid } = process
      const { brokerId } = this.#host
      const number = this.#set.nextNumber()
      const own: Instance = { number, state: 'open', brokerId, pid, started: startOf(pid), address }
      this.#instances.put(own)
      return own
    })
    this.#instance = instance
    this.#sessions = new SessionStore({
      environment: this.#environment,
      set: this.#set,
      subscriptions: this.#subscriptions,
      queues: this.#queues,
      groups: this.#groups,
      wills: this.#wills,
      deadlines: new Deadlines(this.#environment),
      clock: this.#time,
      maximumSessions: this.#options.maximumSessions,
      instance: instance.number,
      fence: (owner, handle) => this.#fence(owner, handle),
      groupsReady: names => this.#announce(names, undefined),
    })
    this.#neighbours.refresh(instance.number)
    this.#lookAgain()
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
    this.#owned.clear()
    this.#time.clearTimeout(this.#lookTimer)
    await this.#neighbours.close()
    await this.#commits.settled()
    const instance = this.#instance
    if (instance !== undefined) await this.#commits.run(() => this.#instances.put({ ...instance, state: 'closed' }))
    await this.#environment.close()
  }

  openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#commits.run(() => {
      const opened = this.#opened.open(request)
      const behind = this.#opened.resolve(opened.handle).entries > 0
      const position = { behind, through: opened.lastSequence }
      this.#set.afterwards(() => this.#owned.open(opened.handle, request.owner, position))
      return opened
    })
  }

  closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    return this.#commits.run(() => {
      const will = this.#opened.close(handle, closing)
      this.#owned.close(handle)
      return will
    })
  }

  subscribe(handle: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#commits.run(() => {
      const session = this.#opened.resolve(handle)
      return subscriptions.map(subscription => {
        this.#groups.join(session, subscription)
        return this.#subscriptions.add(session, subscription)
      })
    })
  }

  unsubscribe(handle: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#commits.run(() => {
      const session = this.#opened.resolve(handle)
      return filters.map(filter => {
        this.#groups.leave(session, filter)
        return this.#subscriptions.remove(session, filter)
      })
    })
  }

  publish(message: Message, receipt?: Receipt): Promise<number> {
    const kept = keepMessage(this.#time.inward(message))
    return this.#commits.run(() => {
      const publisher = receipt === undefined ? undefined : this.#opened.resolve(receipt.session)
      if (publisher !== undefined && receipt !== undefined) {
        const key = numberKey(kind.received, publisher.number, receipt.packetId)
        // Stored with its id before: this is the repetition of a call whose answer got lost.
        if (this.#environment.has(key)) return 0
        if (kept.retain) this.#retained.checkRoom(kept)
        this.#environment.put(key, nothing)
      } else if (kept.retain) this.#retained.checkRoom(kept)
      if (kept.retain) this.#retained.set(kept)
      return kept.qos > 0 ? this.#distribute(kept) : 0
    })
  }

  enqueue(handle: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    const kept = deliveries.map(delivery => ({
      ...delivery,
      message: keepMessage(this.#time.inward(delivery.message)),
    }))
    return this.#commits.run(() => {
      const session = this.#opened.resolve(handle)
      for (const delivery of kept) this.#enqueue(session, delivery)
    })
  }

  read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#commits.run(() => {
      const session = this.#opened.resolve(handle)
      const { entries, complete } = this.#queues.read(session, after, limit)
      const { lastSequence } = session
      if (complete) this.#set.afterwards(() => this.#owned.caughtUp(handle, lastSequence))
      return this.#outward(entries)
    })
  }

  /** Nobody waits for it: it is written with the next transaction. */
  acknowledge(handle: SessionHandle, sequence: number): void {
    this.#owned.check(handle)
    if (this.#acknowledged.length === 0) this.#commits.lazily(() => this.#storeAcknowledgements())
    this.#acknowledged.push({ session: handle, sequence })
  }

  release(handle: SessionHandle, sequence: number): Promise<void> {
    return this.#commits.run(() => this.#queues.release(this.#opened.resolve(handle), sequence))
  }

  complete(handle: SessionHandle, packetId: number): Promise<void> {
    return this.#commits.run(() => {
      this.#environment.remove(numberKey(kind.received, this.#opened.resolve(handle).number, packetId))
    })
  }

  claim(handle: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#commits.run(() => {
      const entries = this.#groups.claim(this.#opened.resolve(handle), group, limit)
      this.#set.afterwards(() => {
        for (const { sequence } of entries) this.#owned.claimed(handle, sequence)
      })
      return this.#outward(entries)
    })
  }

  async retained(filter: string): Promise<RetainedPage> {
    await this.#commits.settled()
    return this.#retainedPage(filter)
  }

  /** Queues a retained message that `retained` has given, unless another one has taken its place. */
  enqueueRetained(handle: SessionHandle, delivery: Delivery): Promise<void> {
    const kept = { ...delivery, message: keepMessage(this.#time.inward(delivery.message)) }
    return this.#commits.run(() => {
      const session = this.#opened.resolve(handle)
      if (this.#retained.isCurrent(kept.message)) this.#enqueue(session, kept)
    })
  }

  claimDue(limit: number): Promise<DueBatch> {
    return this.#commits.run(() => {
      const freed = this.#retained.dropExpired(limit)
      const swept = this.#sweep(limit)
      const due = [...swept, ...this.#opened.claimDue(limit - swept.length)]
      return freed === limit ? Object.assign(due, { more: true }) : due
    })
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

  get #opened(): SessionStore {
    if (this.#sessions === undefined) throw new Error('the store has not opened yet')
    return this.#sessions
  }

  /** One entry for each stored session and group that the topic's plan names, and how many these are. */
  #distribute(message: Message): number {
    const plan = this.#subscriptions.plan(message.topic)
    const takers = plan.sessions.flatMap(({ clientId, reception, ownReception }) => {
      const effective = message.publisher === clientId ? ownReception : reception
      return effective === undefined || effective.qos === 0 ? [] : [{ clientId, effective }]
    })
    const reached = takers.length + plan.groups.length
    if (reached === 0) return 0
    const shared = reached > 1 ? this.#messages.add(message, reached) : undefined
    let unused = 0
    const offers: Offer[] = []
    for (const { clientId, effective } of takers) {
      const session = this.#set.session(clientId)
      const entry =
        session &&
        this.#append(session, {
          message,
          shared,
          qos: effective.qos < message.qos ? effective.qos : message.qos,
          retain: message.retain && effective.retainAsPublished,
          subscriptionIdentifiers: effective.subscriptionIdentifiers,
        })
      if (entry === undefined) unused += 1
      else offers.push({ clientId, owner: session?.owner ?? 0, entry })
    }
    if (offers.length > 0) this.#offer(offers)
    const joined = plan.groups.filter(name => this.#groups.add(name, message, shared))
    unused += plan.groups.length - joined.length
    if (shared !== undefined) this.#messages.release(shared, unused)
    this.#announce(joined, message.publisher)
    return reached
  }

  #enqueue(session: SessionRecord, delivery: Delivery): void {
    const entry = this.#append(session, delivery)
    if (entry !== undefined) this.#offer([{ clientId: session.clientId, owner: session.owner, entry }])
  }

  #retainedPage(filter: string, after?: Buffer): RetainedPage {
    if (this.#closed) return []
    const { messages, next } = this.#retained.match(filter, after)
    const page = messages.map(message => this.#time.outward(message))
    return next === undefined ? page : Object.assign(page, { more: () => this.#retainedPage(filter, next) })
  }

  #append(session: SessionRecord, delivery: StoredDelivery): QueueEntry | undefined {
    const isHere = session.owner === this.#instance?.number
    return this.#queues.append(session, delivery, isHere && this.#owned.isAttentive(session.clientId))
  }

  #offer(offers: readonly Offer[]): void {
    this.#set.afterwards(() => {
      if (this.#closed) return
      for (const { clientId, owner, entry } of offers) {
        if (owner === this.#instance?.number) this.#owned.offer(clientId, this.#entryOutward(entry))
        else this.#neighbours.tellOwner(owner, clientId)
      }
    })
  }

  #announce(groups: readonly string[], publisher: string | undefined): void {
    if (groups.length === 0) return
    this.#set.afterwards(() => {
      if (this.#closed) return
      for (const group of groups) {
        this.#neighbours.tellGroup(group, publisher)
        this.#host.groupReady(group, publisher)
      }
    })
  }

  #fence(owner: number, handle: SessionHandle): void {
    if (owner === this.#instance?.number) this.#owned.fence(handle)
    else this.#neighbours.tellOwner(owner, handle.clientId)
  }

  #outward(entries: readonly QueueEntry[]): readonly QueueEntry[] {
    return entries.map(entry => this.#entryOutward(entry))
  }

  #entryOutward(entry: QueueEntry): QueueEntry {
    const message = this.#time.outward(entry.message)
    return message === entry.message ? entry : { ...entry, message }
  }

  #hear(hint: Hint): void {
    if (this.#closed) return
    if (hint[0] === 'group') this.#host.groupReady(hint[1], hint[2] ?? undefined)
    else {
      const handle = this.#owned.handleOf(hint[1])
      if (handle !== undefined) this.#look(handle)
    }
  }

  /** Finds out whether a session that is open here has another owner by now, or entries of which its owner was not told. */
  #look(handle: SessionHandle): void {
    this.#commits.soon(() => {
      const { clientId, epoch } = handle
      const session = this.#set.session(clientId)
      if (session === undefined || String(session.epoch) !== epoch) {
        this.#set.afterwards(() => this.#owned.fence(handle))
        return
      }
      const known = this.#owned.knownThrough(clientId)
      if (known === undefined || known >= session.lastSequence) return
      const entries = this.#queues.waitingAbove(session, known, catchUpSize)
      const through = entries.length < catchUpSize ? session.lastSequence : (entries.at(-1)?.sequence ?? 0)
      const isAll = through === session.lastSequence
      this.#set.afterwards(() => {
        if (this.#closed) return
        this.#owned.offerFound(handle, this.#outward(entries), through)
        if (!isAll) this.#look(handle)
      })
    })
  }

  /** Once a second: who is there, and what news did not say. */
  #lookAgain(): void {
    if (this.#closed || this.#instance === undefined) return
    this.#neighbours.refresh(this.#instance.number)
    if (!this.#neighbours.isAlone && this.#set.isStale) {
      for (const handle of this.#owned.handles) this.#look(handle)
      this.#commits.soon(() => this.#announce(this.#groups.waiting(), undefined))
    }
    // Not before others were served, however far the clock has been moved.
    setImmediate(() => {
      if (!this.#closed) this.#lookTimer = this.#time.setTimeout(() => this.#lookAgain(), lookInterval)
    })
  }

  /** What owners did with what they were offered. */
  #storeOutcomes(): void {
    for (const { handle, taken, refused } of this.#owned.outcomes()) {
      const session = this.#set.session(handle.clientId)
      if (session === undefined || String(session.epoch) !== handle.epoch) continue
      for (const entry of taken) this.#queues.taken(session, entry)
      if (refused) this.#queues.refused(session)
      this.#set.changed(session)
    }
  }

  #storeAcknowledgements(): void {
    const acknowledged = this.#acknowledged
    this.#acknowledged = []
    for (const { session: handle, sequence } of acknowledged) {
      const session = this.#set.session(handle.clientId)
      // Its client is connected elsewhere by now, and will be asked for it again.
      if (session === undefined || String(session.epoch) !== handle.epoch) continue
      this.#queues.acknowledge(session, sequence)
      this.#groups.settle(session, sequence)
    }
  }

  /** Closes sessions of brokers that have died. */
  #sweep(limit: number): readonly Due[] {
    const due: Due[] = []
    let left = limit
    for (const instance of this.#instances.all()) {
      if (instance.number === this.#instance?.number || !isGone(instance)) continue
      const clients = this.#instances.owned(instance.number, left)
      for (const clientId of clients) {
        const will = this.#opened.abandon(clientId, instance.number)
        if (will !== undefined) due.push({ kind: 'will', will })
      }
      left -= clients.length
      if (left <= 0) break
      this.#instances.remove(instance.number)
    }
    return due
  }
}

const nothing: Buffer = Buffer.alloc(0)
