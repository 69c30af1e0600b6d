import { PersistenceError, Slices, SteadyClock } from '@x/contract'
import type {
  Clock,
  Counters,
  Drop,
  Emitter,
  MaybePromise,
  Persistence,
  PersistenceHost,
  RetainedPage,
  StoreLimits,
} from '@x/contract'
import { AckFrame, PublishFrame, TopicInterner } from '@x/packet'
import type { FilterListSettings } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BufferPool } from './connection/buffer-pool.ts'
import { toError } from './ground/broker-error.ts'
import { createCounters } from './ground/counters.ts'
import { DeadlineWheel } from './ground/deadline-wheel.ts'
import type { ClientConnection, Host, Protocol } from './connect/client-connection.ts'
import { FanOuts } from './routing/fan-outs.ts'
import { FlushQueue } from './connection/flush-queue.ts'
import { HookCalls } from './hooks/hook-call.ts'
import type { MessageTraces } from './hooks/message-traces.ts'
import type { NormalisedHooks } from './hooks/hooks.ts'
import type { Client, ProgramBroker } from './hooks/client.ts'
import type { EventReporter } from './hooks/events.ts'
import { protocol } from './protocol.ts'
import { ProgramSubscribers } from './routing/program-subscribers.ts'
import { isPromise, recover } from './ground/maybe-promise.ts'
import type { ProgramFaults } from './hooks/program-faults.ts'
import { stepError } from './ground/step-error.ts'
import type { StepCode } from './ground/steps.ts'
import { CheckedStore } from './ground/checked-store.ts'
import type { CheckedOptions } from './ground/limits.ts'
import { storeLimitsOf } from './ground/store-limits.ts'
import type { OutboxContext } from './connection/outbox.ts'
import { Presence } from './program/presence.ts'
import { OwnStatistics } from './message/own-statistics.ts'
import { KnownPublications } from './message/known-publications.ts'
import { OtherBrokers } from './other-brokers.ts'
import { MessagePublishing } from './publishing.ts'
import type { PublishingHost } from './publishing.ts'
import { VerbatimRun } from './routing/verbatim-run.ts'
import { Router } from './routing/router.ts'
import { AdvertisedFilters } from './routing/advertised-filters.ts'
import { ReadyGroups } from './routing/ready-groups.ts'
import { Subscriptions } from './routing/subscriptions.ts'
import { DueSweep } from './connect/due-sweep.ts'
import type { ControlEndpoints } from './hooks/control-endpoint.ts'
import type { TopicAccess } from './hooks/topic-access.ts'
import { Turn } from './connection/turn.ts'
import { UserSessions } from './connect/user-sessions.ts'
import { AuthenticationQueue } from './connect/authentication-queue.ts'
import { ConnectRate } from './connect/connect-rate.ts'
import { LoginGuard } from './connect/login-guard.ts'
import { UnfinishedPackets } from './connection/unfinished-packets.ts'
import { UnfinishedPublishes } from './session/unfinished-publishes.ts'
import type { WaitingBytes } from './session/waiting-queue.ts'

const packetIdentifiers = 65_535

/** The broker as its engine sees it. `publishObserved`: somebody listens to the event `publish`. */
type EngineBroker = EventReporter & ProgramBroker & { readonly publishObserved: boolean }

/** The wiring of a broker: what all its connections share, the routing table, and the scratch objects of the hot path. Programs see
 * `Broker`. */
export class Engine implements PersistenceHost, Host, PublishingHost {
  readonly broker: EngineBroker
  readonly options: CheckedOptions
  readonly protocol: Protocol = protocol
  readonly persistence: CheckedStore
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
  readonly turn: Turn
  readonly logins: LoginGuard
  readonly authentications: AuthenticationQueue
  readonly connectRate: ConnectRate
  readonly userSessions: UserSessions = new UserSessions(this)
  readonly unfinishedPackets: UnfinishedPackets = new UnfinishedPackets(this)

  // Scratch objects: one connection uses them at a time, and never across an asynchronous step.
  readonly publishFrame: PublishFrame = new PublishFrame()
  readonly ackFrame: AckFrame = new AckFrame()
  readonly run: VerbatimRun
  readonly fanOuts: FanOuts
  readonly readyGroups: ReadyGroups = new ReadyGroups(this)
  readonly publishing: MessagePublishing
  readonly publications: KnownPublications = new KnownPublications()
  readonly statistics: OwnStatistics = new OwnStatistics()

  /** Limits of control packets. */
  readonly frameSettings: FilterListSettings

  /** No hook or listener sees single messages, so QoS 0 messages that no other broker needs may be forwarded in runs. */
  passThrough = true
  /** Follows single messages; undefined: nobody wants that. */
  traces: MessageTraces | undefined
  /** Whether clients may publish and receive, by topic; undefined: no rule but that `$SYS/` is the broker's. */
  topicAccess: TopicAccess | undefined
  /** Executes commands, by topic; undefined: topics below `$CONTROL/` are like all others. */
  controlEndpoints: ControlEndpoints | undefined
  closed = false
  /** Why the broker could not be opened. It refuses every client then. */
  openFailure: Error | undefined
  #brokerCounter = 0
  #openings = 0

  constructor(
    broker: EngineBroker,
    options: CheckedOptions,
    parts: { persistence: Persistence; emitter: Emitter | undefined; clock: Clock; faults: ProgramFaults },
  ) {
    this.broker = broker
    this.faults = parts.faults
    this.options = options
    this.persistence = new CheckedStore(parts.persistence)
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
    this.limits = storeLimitsOf(options)
    this.outboxContext = {
      pool: new BufferPool(),
      flushQueue: new FlushQueue(),
      counters: this.counters,
      highWaterMark: options.outboxHighWaterMark,
    }
    this.logins = new LoginGuard(this)
    this.authentications = new AuthenticationQueue(options.maximumConcurrentAuthentications)
    this.connectRate = new ConnectRate(this.clock, options.maximumConnectsPerAddress)
    this.turn = new Turn(this.slices, this.outboxContext.flushQueue, this.counters)
    const levels = { maximumLevels: options.maxTopicLevels }
    this.interner = new TopicInterner({ check: topic => void parseTopicName(topic, levels) })
    this.advertised = new AdvertisedFilters({
      emitter: this.emitter,
      storeIsShared: this.persistence.supports.shared,
      failed: error => this.fail(error, 'ROUTE_FAILED'),
    })
    this.router = new Router(this.advertised, microseconds => this.turn.worked(microseconds))
    this.subscriptions = new Subscriptions(this)
    this.run = new VerbatimRun(this)
    this.fanOuts = new FanOuts(this)
    this.publishing = new MessagePublishing(this)
    this.presence = new Presence(this)
    this.dueSweep = new DueSweep(this)
  }

  /** QoS 1 and 2 messages one client may have open towards us. MQTT 5.0 §3.2.2.3.3 */
  get receiveMaximum(): number {
    return this.options.maxInflightInbound === 0 ? packetIdentifiers : this.options.maxInflightInbound
  }

  /** Some of the options are other ones now. The store looks at its limits each time. */
  limitsChanged(): void {
    Object.assign(this.limits, storeLimitsOf(this.options))
  }

  get queuesAtMostOnce(): boolean {
    return this.options.queueQoS0Messages
  }

  get brokerId(): string {
    return this.options.id
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
    await recover(() => new OtherBrokers(this).open(), rethrow('EMITTER_FAILED'))
    this.dueSweep.begin()
    this.presence.begin()
  }

  /** Closes all parts, even if one of them fails. */
  async close(): Promise<void> {
    this.closed = true
    this.wheel.close()
    this.programSubscribers.close()
    // The store first, since it may still have messages for other brokers.
    await this.#closePart('STORE_FAILED', () => this.persistence.close())
    await this.#closePart('EMITTER_FAILED', () => this.emitter?.close())
  }

  async #closePart(code: StepCode, step: () => unknown): Promise<void> {
    await recover(step, error => this.faults.report(stepError(code, error)))
  }

  /** The retained messages whose topics match. */
  retained(filter: string): MaybePromise<RetainedPage> {
    const own = this.statistics.matching(filter)
    if (own.length === 0) return this.persistence.retained(filter)
    return Object.assign(own, { more: () => this.persistence.retained(filter) })
  }

  groupReady(name: string, publisher: string | undefined): void {
    const group = this.subscriptions.groups.get(name)
    if (group === undefined) return
    group.ready(publisher)
    this.readyGroups.add(group)
  }

  dropped(drop: Drop): void {
    if (drop.reason === 'expired') this.counters.droppedExpired += drop.count
    else this.counters.droppedQueueFull += drop.count
    // Later, since the store is in the middle of queueing, and a listener may close the session.
    if (this.broker.listenerCount('dropped') > 0) process.nextTick(() => this.broker.emit('dropped', drop))
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
  watch(result: unknown, code: StepCode, client?: Client): void {
    if (isPromise(result)) result.then(undefined, (error: unknown) => this.fail(error, code, client))
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
}

function rethrow(code: StepCode): (error: unknown) => never {
  return error => {
    throw stepError(code, error)
  }
}
