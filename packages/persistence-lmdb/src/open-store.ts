import { keepMessage } from '@x/contract'
import type {
  Delivery,
  DueBatch,
  MaybePromise,
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
import type { Steps } from './batch.ts'
import type { Commits } from './commits.ts'
import type { Distribution } from './distribution.ts'
import type { Environment } from './environment.ts'
import type { Instances } from './instances.ts'
import { kind, numberKey } from './keys.ts'
import type { Lookout } from './lookout.ts'
import type { MachineTime } from './machine-time.ts'
import type { CheckedOptions } from './options.ts'
import type { OwnedSessions } from './owned-sessions.ts'
import { Publishing } from './publishing.ts'
import type { RetainedStore } from './retained-store.ts'
import { checkSchema } from './schema.ts'
import { ShownSessions } from './shown-sessions.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionStore } from './session-store.ts'
import type { Settlements } from './settlements.ts'
import type { SharedGroups } from './shared-groups.ts'
import { storeParts } from './store-parts.ts'
import { countsOf } from './totals.ts'
import type { StoredWills } from './wills.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { UnwrittenRetained } from './unwritten-retained.ts'
import type { WorkingSet } from './working-set.ts'

export { Environment } from './environment.ts'
export { OtherDurability } from './lookout.ts'

/** What exists between `open` and `close`: the directory, and the parts that read and write it. */
export class OpenStore {
  readonly shown: ShownSessions
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
  readonly #unwritten: UnwrittenRetained
  readonly #sessions: SessionStore
  readonly #settlements: Settlements
  readonly #distribution: Distribution
  readonly #checkSchema: () => Steps<void>
  readonly #publishing: Publishing
  #closed = false

  constructor(options: CheckedOptions, host: PersistenceHost) {
    const parts = storeParts(options, host)
    this.shown = new ShownSessions(parts)
    this.#environment = parts.environment
    this.#set = parts.set
    this.#commits = parts.commits
    this.#owned = parts.owned
    this.#time = parts.time
    this.#instances = parts.instances
    this.#lookout = parts.lookout
    this.#subscriptions = parts.subscriptions
    this.#queues = parts.queues
    this.#groups = parts.groups
    this.#wills = parts.wills
    this.#retained = parts.retained
    this.#unwritten = parts.unwritten
    this.#sessions = parts.sessions
    this.#settlements = parts.settlements
    this.#distribution = parts.distribution
    this.#publishing = new Publishing(parts, host)
    this.#checkSchema = () => checkSchema({ ...parts, directory: options.directory })
  }

  /** Registers this broker in the directory. */
  async begin(): Promise<void> {
    await this.#commits.run(this.#checkSchema)
    await this.#lookout.begin()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#set.silence()
    await this.#lookout.close()
    this.#commits.endHolding()
    try {
      if (this.#unwritten.isEmpty) await this.#commits.settled()
      else await this.#writeRetained()
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
    const stored = this.#commits.add(() => {
      const session = this.#sessions.resolve(handle)
      return subscriptions.map(subscription => {
        this.#groups.join(session, subscription)
        return this.#subscriptions.add(session, subscription)
      })
    })
    return this.#publishing.subscribed(stored)
  }

  unsubscribe(handle: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#commits.run(() => this.#unsubscribe(handle, filters))
  }

  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    return this.#publishing.publish(message, receipt)
  }

  publishWill(will: Will, message: Message): Promise<number> {
    return this.#publishing.publishWill(will, message)
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

  entry(handle: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    return this.#commits.run(() => {
      const entry = this.#queues.entry(this.#sessions.resolve(handle), sequence)
      return entry && this.#distribution.outward([entry])[0]
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
    if (this.#unwritten.isEmpty) await this.#commits.settled()
    else await this.#writeRetained()
    return this.#commits.see(() => this.#retainedPage(filter))
  }

  /** What can't be written now waits on; who asks gets what was written before. */
  async #writeRetained(): Promise<void> {
    await this.#commits.run(() => this.#unwritten.write()).catch(() => undefined)
  }

  /** Queues a retained message that `retained` has given, unless another one has taken its place. */
  enqueueRetained(handle: SessionHandle, delivery: Delivery): Promise<void> {
    const kept = { ...delivery, message: keepMessage(this.#time.inward(delivery.message)) }
    if (!this.#unwritten.isEmpty) this.#commits.soon(() => this.#unwritten.write())
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

  async counts(): Promise<PersistenceCounts> {
    if (!this.#unwritten.isEmpty) await this.#writeRetained()
    return this.#commits.run(() => countsOf(this.#set.totals))
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

  *#claimDue(limit: number): Steps<DueBatch> {
    const freed = this.#retained.dropExpired(limit)
    const swept = yield* this.#lookout.sweep(limit)
    const { due, looked } = yield* this.#sessions.claimDue(limit - swept.length)
    return freed + looked >= limit ? Object.assign([...swept, ...due], { more: true }) : [...swept, ...due]
  }

  #retainedPage(filter: string, after?: Buffer): RetainedPage {
    if (this.#closed) return []
    const { messages, next } = this.#retained.match(filter, after)
    const page = messages.map(message => this.#time.outward(message))
    return next === undefined
      ? page
      : Object.assign(page, { more: () => this.#commits.see(() => this.#retainedPage(filter, next)) })
  }
}
