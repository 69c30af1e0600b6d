import { PersistenceError, Slices, SteadyClock, isExpired, keepMessage } from '@x/contract'
import type {
  Clock,
  Counters,
  Drop,
  Emitter,
  MaybePromise,
  Message,
  Persistence,
  PersistenceHost,
  RetainedPage,
  SessionHandle,
  StoreLimits,
} from '@x/contract'
import { AckFrame, PublishFrame, TopicInterner } from '@x/packet'
import type { FilterListSettings } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BufferPool } from './connection/buffer-pool.ts'
import { BrokerError, toError } from './ground/broker-error.ts'
import { createCounters } from './ground/counters.ts'
import { DeadlineWheel } from './ground/deadline-wheel.ts'
import type { Begun, ClientConnection, Host, Protocol } from './connect/client-connection.ts'
import { fanOut } from './routing/fan-out.ts'
import { FlushQueue } from './connection/flush-queue.ts'
import { HookCalls } from './hooks/hook-call.ts'
import type { NormalisedHooks } from './hooks/hooks.ts'
import type { Client, ProgramBroker } from './hooks/client.ts'
import type { EventReporter } from './hooks/events.ts'
import { protocol } from './protocol.ts'
import { ProgramSubscribers } from './routing/program-subscribers.ts'
import { after, isPromise, recover } from './ground/maybe-promise.ts'
import type { FaultReport, ProgramFaults } from './hooks/program-faults.ts'
import { stepError } from './ground/step-error.ts'
import type { StepCode } from './ground/steps.ts'
import type { CheckedOptions } from './ground/limits.ts'
import type { OutboxContext } from './connection/outbox.ts'
import { packetOf } from './message/broker-packet.ts'
import { Presence } from './program/presence.ts'
import { isForOwnClients, OwnStatistics } from './message/own-statistics.ts'
import { Publication } from './message/publication.ts'
import { VerbatimRun } from './routing/verbatim-run.ts'
import { ReasonCode } from './ground/reason-code.ts'
import { Router } from './routing/router.ts'
import { AdvertisedFilters } from './routing/advertised-filters.ts'
import type { Plan } from './routing/router.ts'
import type { SharedGroup } from './routing/shared-group.ts'
import { Subscriptions } from './routing/subscriptions.ts'
import { DueSweep } from './connect/due-sweep.ts'
import type { TopicAccess } from './hooks/topic-access.ts'
import { Turn } from './connection/turn.ts'
import { UserSessions } from './connect/user-sessions.ts'
import { AuthenticationQueue } from './connect/authentication-queue.ts'
import { LeakyBuckets } from './connect/leaky-buckets.ts'
import { LoginGuard } from './connect/login-guard.ts'
import { UnfinishedPackets } from './connection/unfinished-packets.ts'
import { UnfinishedPublishes } from './session/unfinished-publishes.ts'
import type { WaitingBytes } from './session/waiting-queue.ts'

const packetIdentifiers = 65_535

/** The broker, as its engine sees it. `publishObserved`: somebody listens to the event `publish`. */
type EngineBroker = EventReporter & ProgramBroker & { readonly publishObserved: boolean }

/** What all connections of a broker share: the parts it is wired from, its routing table, and the scratch objects of the
 * hot path. `Broker` is its face to programs. */
export class Engine implements PersistenceHost, Host {
  readonly broker: EngineBroker
  readonly options: CheckedOptions
  readonly protocol: Protocol = protocol
  readonly persistence: Persistence
  readonly emitter: Emitter | undefined
  /** Of all deadlines and expiries: nothing falls due because the machine's time was set, or the process stood still. */
  readonly clock: SteadyClock
  /** Of clients whose queue is in no store. */
  readonly waitingBytes: WaitingBytes = { bytes: 0 }
  /** All long work of this broker. */
  readonly slices: Slices
  readonly wheel: DeadlineWheel
  readonly router: Router
  readonly advertised: AdvertisedFilters
  readonly hooks: NormalisedHooks = {}
  readonly programSubscribers: ProgramSubscribers
  readonly counters: Counters = createCounters()
  readonly limits: StoreLimits
  readonly outboxContext: OutboxContext
  readonly interner: TopicInterner
  /** Every open connection, from its first byte on. */
  readonly connections: Set<ClientConnection> = new Set()
  /** The holder of each client identifier. */
  readonly clients: Map<string, ClientConnection> = new Map()
  readonly subscriptions: Subscriptions
  readonly unfinished: UnfinishedPublishes = new UnfinishedPublishes()
  readonly presence: Presence
  readonly dueSweep: DueSweep
  readonly hookCalls: HookCalls
  readonly faults: ProgramFaults
  readonly #reportFault: FaultReport = (code, what, thrown) => this.faults.add(code, what, thrown)
  readonly turn: Turn
  readonly logins: LoginGuard
  readonly authentications: AuthenticationQueue
  /** CONNECTs, by address. */
  readonly connects: LeakyBuckets
  readonly userSessions: UserSessions = new UserSessions(this)
  readonly unfinishedPackets: UnfinishedPackets = new UnfinishedPackets(this)

  // Scratch: used by one connection at a time, and never across an asynchronous step.
  readonly publishFrame: PublishFrame = new PublishFrame()
  readonly ackFrame: AckFrame = new AckFrame()
  readonly run: VerbatimRun

  /** What control packets may hold. */
  readonly frameSettings: FilterListSettings

  /** Nobody looks at single messages (no hook or listener), so QoS 0 messages that concern no other broker may be passed on in runs. */
  passThrough = true
  /** Whether clients may publish and receive, by topic; undefined: no rule but that `$SYS/` is the broker's. */
  topicAccess: TopicAccess | undefined
  closed = false
  /** Why the broker could not be opened: it refuses whoever connects. */
  openFailure: Error | undefined
  #brokerCounter = 0
  #openings = 0
  #lastMessage: Message | undefined
  #lastPublication: Publication | undefined
  readonly #statistics = new OwnStatistics()
  readonly #recalled = new WeakMap<Message, Publication>()

  constructor(
    broker: EngineBroker,
    options: CheckedOptions,
    parts: { persistence: Persistence; emitter: Emitter | undefined; clock: Clock; faults: ProgramFaults },
  ) {
    this.broker = broker
    this.faults = parts.faults
    this.options = options
    this.persistence = parts.persistence
    this.emitter = parts.emitter
    this.clock = new SteadyClock(parts.clock)
    this.slices = new Slices()
    this.wheel = new DeadlineWheel(this.clock, error => this.fail(error, 'DEADLINE_FAILED'), this.slices)
    this.hookCalls = new HookCalls(this.wheel, this.clock, options.hookTimeout)
    this.programSubscribers = new ProgramSubscribers(broker, options, { clock: this.clock, calls: this.hookCalls })
    const { maximumFiltersPerPacket: maximumFilters, maximumUserPropertiesPerPacket: maximumUserProperties } = options
    this.frameSettings = { maximumFilters, maximumUserProperties }
    this.publishFrame.maximumUserProperties = maximumUserProperties
    this.ackFrame.maximumUserProperties = maximumUserProperties
    this.limits = {
      maximumQueuedMessages: options.maximumQueuedMessages,
      maximumQueuedBytes: options.maximumQueuedBytes,
      overflow: options.queueOverflow,
      maximumTotalQueuedBytes: options.maximumTotalQueuedBytes,
      maximumWillBytes: options.maximumWillBytes,
      maximumRetainedMessagesPerClient: options.maximumRetainedMessagesPerClient,
      maximumRetainedBytesPerClient: options.maximumRetainedBytesPerClient,
    }
    this.outboxContext = {
      pool: new BufferPool(),
      flushQueue: new FlushQueue(),
      counters: this.counters,
      highWaterMark: options.outboxHighWaterMark,
    }
    this.logins = new LoginGuard(this)
    this.authentications = new AuthenticationQueue(options.maximumConcurrentAuthentications)
    this.connects = new LeakyBuckets(options.maximumConnectsPerAddress)
    this.turn = new Turn(this.slices, this.outboxContext.flushQueue, this.counters)
    const levels = { maximumLevels: options.maxTopicLevels }
    this.interner = new TopicInterner({ check: topic => void parseTopicName(topic, levels) })
    this.advertised = new AdvertisedFilters({
      emitter: this.emitter,
      storeIsShared: this.persistence.supports.shared,
      failed: error => this.fail(error, 'ROUTE_FAILED'),
    })
    this.router = new Router(this.advertised, microseconds => {
      this.turn.credit -= microseconds
    })
    this.subscriptions = new Subscriptions(this)
    this.run = new VerbatimRun(this)
    this.presence = new Presence(this)
    this.dueSweep = new DueSweep(this)
  }

  /** Counts a CONNECT of this address. Returns why it is one too many. */
  connectProblem(address: string | undefined): BrokerError | undefined {
    if (address === undefined) return undefined
    const { maximumConnectsPerAddress } = this.options
    const now = this.clock.now()
    if (!this.connects.isFull(address, now)) {
      this.connects.add(address, now)
      return undefined
    }
    return new BrokerError('CONNECT_RATE_EXCEEDED', {
      message: `more CONNECTs from ${address} in a minute than maximumConnectsPerAddress of ${maximumConnectsPerAddress}`,
      reasonCode: ReasonCode.connectionRateExceeded,
    })
  }

  /** QoS 1 and 2 messages one client may have open towards us. MQTT 5.0 §3.2.2.3.3 */
  get receiveMaximum(): number {
    return this.options.maxInflightInbound === 0 ? packetIdentifiers : this.options.maxInflightInbound
  }

  get brokerId(): string {
    return this.options.id
  }

  get queueLimits(): StoreLimits {
    return this.limits
  }

  nextCounter(): number {
    this.#brokerCounter += 1
    return this.#brokerCounter
  }

  /** Counts the sessions that the store was asked for. */
  nextOpening(): number {
    this.#openings += 1
    return this.#openings
  }

  get brokerCounter(): number {
    return this.#brokerCounter
  }

  /** Opens store and emitter; after that connections are served.
   * @throws BrokerError `STORE_FAILED`, `EMITTER_FAILED` */
  async open(): Promise<void> {
    await recover(() => this.persistence.open(this), rethrow('STORE_FAILED'))
    await recover(() => this.#openEmitter(), rethrow('EMITTER_FAILED'))
    this.dueSweep.begin()
    this.presence.begin()
  }

  async #openEmitter(): Promise<void> {
    await this.emitter?.open({
      brokerId: this.options.id,
      deliver: (message, groups) => this.#deliverOfOther(message, groups),
      takenOver: clientId => this.#takenOver(clientId),
      presence: (brokerId, present) => this.presence.seen(brokerId, present),
    })
    await this.advertised.open()
  }

  /** Closes all parts, also when one of them can't be closed. */
  async close(): Promise<void> {
    this.closed = true
    this.wheel.close()
    this.programSubscribers.close()
    // The store first: what it still has to do may need to be told to other brokers.
    await recover(
      () => this.persistence.close(),
      error => this.#closeFailed(error, 'STORE_FAILED'),
    )
    await recover(
      () => this.emitter?.close(),
      error => this.#closeFailed(error, 'EMITTER_FAILED'),
    )
  }

  #closeFailed(error: unknown, code: StepCode): void {
    this.faults.report(stepError(code, error))
  }

  /** Stores, routes and reports a message. The answer means that all of it is done. A function of the program that fails keeps
   * nothing back: `failed` is told. */
  publish(
    publication: Publication,
    from: ClientConnection | undefined,
    failed: FaultReport = this.#reportFault,
  ): MaybePromise<void> {
    return after(this.store(publication), stored => this.#finish(publication, from, { stored, failed }))
  }

  /** The first half of `publish`: what has to be durable before anybody may see the message. Answers how many sessions and
   * groups it was stored for. */
  store(publication: Publication, receipt?: { session: SessionHandle; packetId: number }): MaybePromise<number> {
    if (publication.qos === 0 && !publication.retain) return 0
    if (this.persistence.supports.shared && publication.retain && this.#statistics.retain(publication)) return 0
    return this.persistence.publish(publication, receipt)
  }

  /** The retained messages whose topics match. */
  retained(filter: string): MaybePromise<RetainedPage> {
    const own = this.#statistics.matching(filter)
    if (own.length === 0) return this.persistence.retained(filter)
    return Object.assign(own, { more: () => this.persistence.retained(filter) })
  }

  /** Begins all deliveries, which is the second half of `publish` but for `report`. Answers whether there is anybody who subscribes
   * to the topic, at other brokers as far as they are known, and what has to be waited for. */
  // Not an object for the last ones: it would be made for each message.
  begin(
    publication: Publication,
    from: ClientConnection | undefined,
    stored: number,
    failed: FaultReport = this.#reportFault,
  ): boolean | Begun {
    const plan = this.router.plan(publication.topic)
    const reached = stored > 0 || plan.size > 0 || this.emitter?.reaches(publication.topic) === true
    const routed = this.#route(plan, publication, from, failed)
    const emitted = this.#passOn(plan, publication, from)
    return isPromise(routed) || isPromise(emitted) ? { routed, emitted, reached } : reached
  }

  /** To groups with members elsewhere, and to other brokers. A part that throws has failed like one that rejects: a throw would abandon the
   * promise of what is under way to subscribers of the program. */
  #passOn(plan: Plan, publication: Publication, from: ClientConnection | undefined): MaybePromise<void> {
    try {
      if (publication.qos === 0 && plan.groups.length > 0) this.#dealHere(plan.groups, publication, from)
      if (isForOwnClients(publication)) return undefined
      return this.emitter?.publish(this.#asOthersHaveIt(publication))
    } catch (error) {
      return Promise.reject(toError(error))
    }
  }

  /** Others go by the machine's time. */
  #asOthersHaveIt(publication: Publication): Message {
    const { expiresAt } = publication
    const expiry = expiresAt === undefined ? undefined : this.clock.toMachine(expiresAt)
    return expiry === expiresAt ? publication : { ...keepMessage(publication), expiresAt: expiry }
  }

  #finish(
    publication: Publication,
    from: ClientConnection | undefined,
    { stored, failed }: { readonly stored: number; readonly failed: FaultReport },
  ): MaybePromise<void> {
    const begun = this.begin(publication, from, stored, failed)
    const report = (): MaybePromise<void> =>
      recover(
        () => this.report(publication, from),
        error => failed('HOOK_FAILED', 'hook published', error),
      )
    if (typeof begun === 'boolean') return report()
    return Promise.all([begun.routed, begun.emitted]).then(report)
  }

  /** A stored message as a publication; the same one for a row of receivers, so that it is encoded once for all. */
  publicationOf(message: Message): Publication {
    if (message instanceof Publication) return message
    if (this.#lastMessage !== message || this.#lastPublication === undefined) {
      this.#lastMessage = message
      this.#lastPublication = Publication.of(message)
    }
    return this.#lastPublication
  }

  /** The same for a message that was read from a queue: others may read it any time later. When 1000 sessions come back to
   * the same 100 messages, remembering them makes it twice as fast; for a single receiver it costs 0.3 µs. */
  recall(message: Message): Publication {
    let publication = this.#recalled.get(message)
    if (publication === undefined) {
      publication = Publication.of(message)
      this.#recalled.set(message, publication)
    }
    return publication
  }

  groupReady(name: string, publisher: string | undefined): void {
    this.turn.credit -= 1
    this.subscriptions.groups.get(name)?.ready(publisher)
  }

  dropped(drop: Drop): void {
    if (drop.reason === 'expired') this.counters.droppedExpired += drop.count
    else this.counters.droppedQueueFull += drop.count
    if (this.broker.listenerCount('dropped') > 0) this.broker.emit('dropped', drop)
  }

  /** Takes a step that nobody waits for. What it throws or rejects is reported, as `fail` does. */
  own(code: StepCode, step: () => unknown, client?: Client): void {
    try {
      this.watch(step(), code, client)
    } catch (error) {
      this.fail(error, code, client)
    }
  }

  /** The same for one that has been taken. */
  watch(answer: unknown, code: StepCode, client?: Client): void {
    if (isPromise(answer)) answer.then(undefined, (error: unknown) => this.fail(error, code, client))
  }

  /** Reports that a step of the engine's own work has failed: as `clientError` when it was for one client's session, also when that
   * has gone, and else as `error`. */
  fail(error: unknown, code: StepCode, client?: Client): void {
    // The session has another owner: what its old one still had to say is of no interest.
    if (this.closed || (error instanceof PersistenceError && error.code === 'FENCED')) return
    const reported = stepError(code, error)
    if (client === undefined) this.faults.report(reported)
    else process.nextTick(() => this.broker.reportClientError(client, reported))
  }

  /** A hook has refused what the engine did for one client by itself. */
  refused(client: Client, error: unknown): void {
    process.nextTick(() => this.broker.reportClientError(client, toError(error)))
  }

  /** What is not announced yet is the newer one, and the other broker will hear so. */
  #takenOver(clientId: string): void {
    const connection = this.clients.get(clientId)
    if (connection?.phase !== 'connected') return
    connection.sessionTakenOver()
    this.userSessions.forget(clientId)
  }

  /** A message that came in by another broker. It has nobody who could be told what goes wrong with it. */
  #deliverOfOther(told: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const { expiresAt } = told
    const message = expiresAt === undefined ? told : { ...told, expiresAt: this.clock.fromMachine(expiresAt) }
    return recover(
      () => after(this.#storeOfOther(message), () => this.#routeOfOther(message, groups)),
      error => this.fail(error, 'DELIVERY_FAILED'),
    )
  }

  /** A store of this broker's own hears of it here alone. What is retained belongs to the broker it came in by: this one would
   * not hear of its end. */
  #storeOfOther(message: Message): MaybePromise<unknown> {
    if (message.qos === 0 || this.persistence.supports.shared) return undefined
    return this.persistence.publish(message.retain ? { ...message, retain: false } : message)
  }

  #routeOfOther(message: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const plan = this.router.plan(message.topic)
    const publication = Publication.of(message)
    if (publication.qos === 0 && !isExpired(publication, this.wheel.now)) {
      for (const group of plan.groups) if (groups?.includes(group.name) !== false) group.send(publication, undefined)
    }
    return this.#route(plan, publication, undefined, this.#reportFault)
  }

  /** Groups with members at other brokers take turns with them. */
  #dealHere(groups: readonly SharedGroup[], publication: Publication, from: ClientConnection | undefined): void {
    if (isExpired(publication, this.wheel.now)) return
    this.turn.credit -= groups.length
    for (const group of groups) if (this.emitter?.takesTurn(group.name) !== false) group.send(publication, from)
  }

  #route(
    plan: Plan,
    publication: Publication,
    from: ClientConnection | undefined,
    failed: FaultReport,
  ): MaybePromise<void> {
    if (isExpired(publication, this.wheel.now)) return undefined
    const { flushQueue } = this.outboxContext
    flushQueue.beginFanOut(plan.targets.length)
    fanOut(plan, publication, from)
    flushQueue.endFanOut(publication.size * plan.targets.length)
    this.turn.credit -= plan.targets.length
    return plan.programSubscribers.length === 0
      ? undefined
      : this.programSubscribers.deliver(plan.programSubscribers, publication, failed)
  }

  /** Tells the hook `published` and the event `publish`. `messageId`: the publisher's. */
  report(publication: Publication, from: ClientConnection | undefined, messageId?: number): MaybePromise<void> {
    if (this.passThrough) return undefined
    const { published } = this.hooks
    const observed = this.broker.publishObserved
    if (published === undefined && !observed) return undefined
    const client = from?.client ?? null
    const packet = packetOf(publication, false, this.clock.now())
    if (messageId !== undefined && packet.qos > 0) packet.messageId = messageId
    return after(published?.(packet, client), () => {
      if (observed) this.broker.emit('publish', packet, client)
    })
  }
}

function rethrow(code: StepCode): (error: unknown) => never {
  return error => {
    throw stepError(code, error)
  }
}
