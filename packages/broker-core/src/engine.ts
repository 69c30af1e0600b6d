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
import { FanOuts } from './routing/fan-outs.ts'
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

/** The broker as its engine sees it. `publishObserved`: somebody listens to the event `publish`. */
type EngineBroker = EventReporter & ProgramBroker & { readonly publishObserved: boolean }

/** The wiring of a broker: what all its connections share, the routing table, and the scratch objects of the hot path. Programs see
 * `Broker`. */
export class Engine implements PersistenceHost, Host {
  readonly broker: EngineBroker
  readonly options: CheckedOptions
  readonly protocol: Protocol = protocol
  readonly persistence: Persistence
  readonly emitter: Emitter | undefined
  /** The clock of all deadlines and expiries. It does not jump when the machine's time is set, and rests while the process stands still. */
  readonly clock: SteadyClock
  /** Bytes waiting for clients whose queue is in no store. */
  readonly waitingBytes: WaitingBytes = { bytes: 0 }
  /** Runs all long work of this broker. */
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

  // Scratch objects: one connection uses them at a time, and never across an asynchronous step.
  readonly publishFrame: PublishFrame = new PublishFrame()
  readonly ackFrame: AckFrame = new AckFrame()
  readonly run: VerbatimRun
  readonly fanOuts: FanOuts

  /** Limits of control packets. */
  readonly frameSettings: FilterListSettings

  /** No hook or listener sees single messages, so QoS 0 messages that no other broker needs may be forwarded in runs. */
  passThrough = true
  /** Whether clients may publish and receive, by topic; undefined: no rule but that `$SYS/` is the broker's. */
  topicAccess: TopicAccess | undefined
  closed = false
  /** Why the broker could not be opened. It refuses every client then. */
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
    this.fanOuts = new FanOuts(this)
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

  /** Numbers the sessions that the store was asked for. */
  nextOpening(): number {
    this.#openings += 1
    return this.#openings
  }

  get brokerCounter(): number {
    return this.#brokerCounter
  }

  /** Opens store and emitter. Connections are served afterwards.
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

  /** Closes all parts, even if one of them fails. */
  async close(): Promise<void> {
    this.closed = true
    this.wheel.close()
    this.programSubscribers.close()
    // The store first, since it may still have messages for other brokers.
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

  /** Stores, routes and reports a message; returns when all of it is done. `failed` gets the error of a function of the program, which
   * stops nothing. */
  publish(
    publication: Publication,
    from: ClientConnection | undefined,
    failed: FaultReport = this.#reportFault,
  ): MaybePromise<void> {
    return after(this.store(publication), stored => this.#finish(publication, from, { stored, failed }))
  }

  /** The first half of `publish`: stores the message, which must be durable before anybody sees it. Returns the number of sessions and
   * groups it was stored for. */
  store(publication: Publication, receipt?: { session: SessionHandle; packetId: number }): MaybePromise<number> {
    if (publication.qos === 0 && !publication.retain) return 0
    if (this.persistence.supports.shared && publication.retain && this.#statistics.retain(publication)) return 0
    const stored = this.persistence.publish(publication, receipt)
    // It has offered the message to as many sessions meanwhile.
    if (typeof stored === 'number') this.turn.credit -= stored
    return stored
  }

  /** The retained messages whose topics match. */
  retained(filter: string): MaybePromise<RetainedPage> {
    const own = this.#statistics.matching(filter)
    if (own.length === 0) return this.persistence.retained(filter)
    return Object.assign(own, { more: () => this.persistence.retained(filter) })
  }

  /** The second half of `publish`, except for `report`: begins all deliveries. Returns whether the topic has subscribers, here or on
   * other brokers as far as known, and what has to be waited for. */
  // Four parameters: an object would be allocated for each message.
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

  /** Sends the message to shared groups and to other brokers. Returns a rejected promise when the emitter throws: a throw would abandon
   * the promise of the program's subscribers. */
  #passOn(plan: Plan, publication: Publication, from: ClientConnection | undefined): MaybePromise<void> {
    try {
      if (publication.qos === 0 && plan.groups.length > 0) this.#dealHere(plan.groups, publication, from)
      if (isForOwnClients(publication)) return undefined
      return this.emitter?.publish(this.#asOthersHaveIt(publication))
    } catch (error) {
      return Promise.reject(toError(error))
    }
  }

  /** Other brokers use the machine's time. */
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

  /** Makes a publication of a stored message; consecutive calls with one message return the same, so that it is encoded once. */
  publicationOf(message: Message): Publication {
    if (message instanceof Publication) return message
    if (this.#lastMessage !== message || this.#lastPublication === undefined) {
      this.#lastMessage = message
      this.#lastPublication = Publication.of(message)
    }
    return this.#lastPublication
  }

  /** Like `publicationOf`, for a message that was read from a queue and may be read again at any time. When 1000 sessions come back to
   * the same 100 messages, it is twice as fast; for a single receiver it costs 0.3 µs. */
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

  /** Takes a step that nobody waits for. `fail` reports what it throws or rejects. */
  own(code: StepCode, step: () => unknown, client?: Client): void {
    try {
      this.watch(step(), code, client)
    } catch (error) {
      this.fail(error, code, client)
    }
  }

  /** Like `own`, for a step that has begun. */
  watch(answer: unknown, code: StepCode, client?: Client): void {
    if (isPromise(answer)) answer.then(undefined, (error: unknown) => this.fail(error, code, client))
  }

  /** Reports that a step of the engine's own work has failed: as `clientError` if it was for one client's session, even after the client
   * has left, otherwise as `error`. */
  fail(error: unknown, code: StepCode, client?: Client): void {
    // The session has another owner; errors of the old one are ignored.
    if (this.closed || (error instanceof PersistenceError && error.code === 'FENCED')) return
    const reported = stepError(code, error)
    if (client === undefined) this.faults.report(reported)
    else process.nextTick(() => this.broker.reportClientError(client, reported))
  }

  /** Reports that a hook has refused something that the engine did for a client. */
  refused(client: Client, error: unknown): void {
    process.nextTick(() => this.broker.reportClientError(client, toError(error)))
  }

  /** A connection that was not announced yet is the newer one; the other broker will learn of it. */
  #takenOver(clientId: string): void {
    const connection = this.clients.get(clientId)
    if (connection?.phase !== 'connected') return
    connection.sessionTakenOver()
    this.userSessions.forget(clientId)
  }

  /** Delivers a message of another broker. Its errors are reported here, since nobody waits for it. */
  #deliverOfOther(told: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const { expiresAt } = told
    const message = expiresAt === undefined ? told : { ...told, expiresAt: this.clock.fromMachine(expiresAt) }
    return recover(
      () => after(this.#storeOfOther(message), () => this.#routeOfOther(message, groups)),
      error => this.fail(error, 'DELIVERY_FAILED'),
    )
  }

  /** Stores a message of another broker, unless the store is shared. The retained message belongs to the other broker, since this one
   * would not learn of its end. */
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

  /** Sends the message to the groups whose turn it is: groups take turns with those of other brokers. */
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
    const sent = this.fanOuts.send(plan.targets, publication, from)
    if (plan.programSubscribers.length === 0) return sent
    const taken = this.programSubscribers.deliver(plan.programSubscribers, publication, failed)
    return isPromise(sent) ? sent.then(() => taken) : taken
  }

  /** Calls the hook `published` and emits the event `publish`. `messageId` is that of the publisher's packet. */
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
