import type {
  Delivery,
  Due,
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
import type { RedisConnection } from '@x/redis-connection'
import { Adoption } from './adoption.ts'
import { StoreLease, leaseDuration } from './store-lease.ts'
import { ClaimedWills } from './wills.ts'
import { FanOuts } from './publishing/fan-outs.ts'
import { library } from './functions/library.ts'
import { encodeWill } from './records/message-record.ts'
import type { OpenedRecord } from './records/opened-record.ts'
import { OwnedSessions } from './owned-sessions.ts'
import { PublishBatch } from './publishing/publish-batch.ts'
import { findRetained } from './retained-store.ts'
import type { Settlements } from './calls/settlements.ts'
import { SessionClosings } from './session-closings.ts'
import { SessionQueues } from './session-queue.ts'
import { StoreCalls } from './calls/store-calls.ts'
import { isUnavailable } from './calls/store-error.ts'
import { baseOf, checkSchema, schema } from './keys.ts'
import { ShownSessions } from './shown-sessions.ts'
import { StoredRoutes } from './stored-routes.ts'
import { SessionSubscriptions } from './subscriptions.ts'

/** What an open store is made of. */
export interface OpenStoreParts {
  readonly host: PersistenceHost
  readonly connection: RedisConnection
  readonly prefix: string
  readonly maximumSessions: number
  /** Names this broker's life in Redis. */
  readonly instance: string
}

/** What exists between `open` and `close`: the sessions this broker owns, and its talk with Redis. */
export class OpenStore {
  readonly adoption: Adoption
  readonly shown: ShownSessions
  readonly #parts: OpenStoreParts
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions
  readonly #publishes: PublishBatch
  readonly #fanOuts: FanOuts
  readonly #routes: StoredRoutes
  readonly #subscriptions: SessionSubscriptions
  readonly #queues: SessionQueues
  readonly #lease: StoreLease
  readonly #wills: ClaimedWills
  readonly #closings = new SessionClosings(error => !this.#closed && isUnavailable(error))
  #openings = 0
  #closed = false

  private constructor(parts: OpenStoreParts, base: string) {
    const { connection, instance, host } = parts
    this.#parts = parts
    this.#calls = new StoreCalls(
      connection,
      { base, instance, host },
      { before: () => this.#publishes.flush(), fenced: epoch => sessions.fence(epoch) },
    )
    const sessions = new OwnedSessions(this.#calls, host, news => this.#fanOuts.hear(news))
    this.#fanOuts = new FanOuts(this.#calls, sessions)
    this.#routes = new StoredRoutes(this.#calls, { connection, base, instance })
    this.#subscriptions = new SessionSubscriptions(this.#calls, sessions, this.#routes)
    this.#queues = new SessionQueues(this.#calls, sessions)
    const { unrouted } = this.#routes
    this.#publishes = new PublishBatch(this.#calls, sessions, { unrouted, fanOuts: this.#fanOuts })
    this.#sessions = sessions
    this.#wills = new ClaimedWills(this.#calls)
    this.adoption = new Adoption(this.#calls)
    this.shown = new ShownSessions(this.#calls, { connection, base })
    this.#lease = new StoreLease({
      renew: async hadLease => this.#renew(hadLease),
      get heard() {
        return sessions.heard
      },
      lost: through => sessions.fenceAll(through),
      missed: told => sessions.missed(told),
    })
  }

  get settlements(): Settlements {
    return this.#calls.settlements
  }

  static async open(parts: OpenStoreParts): Promise<OpenStore> {
    const { connection, instance, prefix } = parts
    const base = baseOf(prefix)
    const store = new OpenStore(parts, base)
    try {
      await connection.open()
      await connection.load(library)
      checkSchema(base, String(await store.#calls.call('schema', schema)))
      const news = `${base}c:${instance}`
      await connection.subscribe([news, ...store.#routes.channels], {
        message: (channel, payload) => {
          if (channel === news) store.#sessions.hear(payload)
          else store.#routes.hear(channel, payload)
        },
        resumed: () => {
          store.#sessions.lookAgain()
          store.#routes.unrouted.forget()
        },
      })
      await store.#lease.begin()
      return store
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#publishes.close()
    this.#lease.end()
    this.#sessions.close()
    this.#fanOuts.close()
    this.#routes.close()
    this.settlements.close()
    try {
      while (Number(await this.#calls.call('leave')) > 0);
      await this.#parts.connection.drain()
    } catch {
      // Without Redis there is nothing to leave: the lease ends by itself.
    }
    this.#parts.connection.close()
  }

  async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    const { clientId, cleanStart, sessionExpiryInterval, will, owner } = request
    const late = this.#closings.hurry(clientId)
    if (late !== undefined) await late
    const epoch = `${(this.#openings += 1)}-${this.#parts.instance}`
    // Before the answer: news of its entries may come earlier.
    const session = this.#sessions.add(clientId, epoch, owner)
    let answer: OpenedRecord
    let restored: readonly Subscription[]
    try {
      answer = (await this.#calls.call(
        'open',
        clientId,
        epoch,
        cleanStart ? 1 : 0,
        sessionExpiryInterval,
        will === undefined ? '' : encodeWill(will),
        will?.delayInterval ?? 0,
        this.#parts.maximumSessions,
      )) as OpenedRecord
      restored = await this.#subscriptions.restored({ clientId, epoch }, answer[1])
    } catch (error) {
      this.#sessions.remove(epoch)
      // It may be open for all that, with a will of a client that was not let in.
      if (isUnavailable(error))
        this.#close({ clientId, epoch }, [sessionExpiryInterval, 0, 0, 1]).catch(() => undefined)
      throw error
    }
    const [present, , received, sentThrough, lastSequence, behind, dueWill, previous, groups] = answer
    this.#sessions.fence(previous.toString())
    session.joined(restored.map(({ filter }) => filter))
    // Once the caller has the answer, so that it is offered nothing before.
    setImmediate(() => session.opened(lastSequence, behind === 1))
    this.#sessions.announce(groups, undefined)
    return {
      handle: { clientId, epoch },
      present: present === 1,
      subscriptions: restored,
      received: received.map(Number),
      sentThrough,
      lastSequence,
      dueWill: this.#wills.claimed(previous.toString(), dueWill),
    }
  }

  async closeSession(session: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    const { sessionExpiryInterval, will, sentThrough } = closing
    const publishesWill = will === 'publish' ? 1 : 0
    const answering = this.#close(session, [sessionExpiryInterval, publishesWill, sentThrough])
    this.#sessions.remove(session.epoch)
    return answering
  }

  async #close(session: SessionHandle, parameters: readonly number[]): Promise<Will | undefined> {
    const answer = await this.#closings.say(session.clientId, async () =>
      this.#calls.callFor(session, 'close', ...parameters),
    )
    const [due, groups] = answer as [Buffer, Buffer[]]
    this.#sessions.announce(groups, undefined)
    return this.#wills.claimed(session.epoch, due)
  }

  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#subscriptions.add(session, subscriptions)
  }

  unsubscribe(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#subscriptions.remove(session, filters)
  }

  /** At once when it is certain that nobody in Redis takes it. */
  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    if (receipt === undefined && !message.retain && this.#routes.unrouted.has(message.topic)) return 0
    return this.#publishes.add(message, receipt)
  }

  /** However often Redis gives it out. */
  publishWill(will: Will, message: Message): Promise<number> {
    return this.#publishes.add(message, undefined, this.#wills.nameOf(will))
  }

  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    return this.#queues.enqueue(session, deliveries)
  }

  enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    return this.#queues.enqueueRetained(session, delivery)
  }

  read(session: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#queues.read(session, after, limit)
  }

  entry(session: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    return this.#queues.entry(session, sequence)
  }

  claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#queues.claim(session, group, limit)
  }

  retained(filter: string): Promise<RetainedPage> {
    return findRetained(this.#calls, filter)
  }

  async claimDue(limit: number): Promise<readonly Due[]> {
    const due: Due[] = []
    let more = 1
    while (more === 1 && due.length < limit) {
      const answer = await this.#calls.call('due', limit - due.length)
      const [found, groups, left] = answer as [Buffer[], Buffer[], number]
      for (let index = 0; index + 2 < found.length; index += 3) {
        const name = String(found[index + 1])
        const will = this.#wills.claimed(name, found[index + 2] as Buffer)
        if (will !== undefined) due.push({ kind: 'will', will })
        else if (found[index]?.toString() === 'e') due.push({ kind: 'sessionExpired', clientId: name })
      }
      this.#sessions.announce(groups, undefined)
      more = left
    }
    return due
  }

  confirmWill(will: Will): Promise<void> {
    return this.#wills.confirm(will)
  }

  async holdTask(name: string): Promise<boolean> {
    return (await this.#calls.call('hold', name)) === 1
  }

  async giveUpTask(name: string): Promise<void> {
    await this.#calls.call('giveUp', name)
  }

  counts(): Promise<PersistenceCounts> {
    return this.#calls.counts()
  }

  /** What is left to sweep by then is swept in further calls, the first of which may say that the lease was lost. */
  async #renew(hadLease: boolean): Promise<{ lostThrough: number | undefined; told: number }> {
    let lostThrough: number | undefined
    let [told, left] = [0, 0]
    do {
      const openings = this.#openings
      const answer = await this.#calls.call('lease', leaseDuration, hadLease && lostThrough === undefined ? 1 : 0)
      const [lost, swept, number, groups, hasStopped] = answer as [number, number, number, Buffer[], number]
      this.#sessions.announce(groups, undefined)
      if (lost === 1) lostThrough = openings
      if (hasStopped === 1 || this.#fanOuts.isWaiting) this.#fanOuts.goOn()
      ;[told, left] = [number, swept]
    } while (left > 0 && !this.#closed)
    await this.#wills.sayAgain()
    if (this.#calls.takeUncertain()) this.#sessions.lookAgain()
    return { lostThrough, told }
  }
}
