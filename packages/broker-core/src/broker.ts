import type { Duplex } from 'node:stream'
import type { BrokerCounts, BrokerInspection, Counters, MaybePromise, Persistence, PluggableBroker } from '@x/contract'
import { PacketError } from '@x/packet'
import { partsOf } from './broker-parts.ts'
import { BrokerSettings } from './broker-settings.ts'
import type { Settings } from './broker-settings.ts'
import { brokerClosed } from './ground/broker-closed.ts'
import { connectionsExceeded } from './ground/connections-exceeded.ts'
import { ProgramPublishes } from './program/program-publishes.ts'
import { Reception } from './connect/reception.ts'
import { within } from './ground/within.ts'
import { AttachedPlugins } from './program/attached-plugins.ts'
import { countsOf } from './program/broker-counts.ts'
import { EngineInspection } from './program/engine-inspection.ts'
import { latenciesOf } from './program/latencies.ts'
import type { Latencies } from './program/latencies.ts'
import { ProgramSubscriptions } from './program/program-subscriptions.ts'
import { SharedTasks } from './program/shared-tasks.ts'
import { withAedesMethods } from './program/aedes-store.ts'
import type { AedesStoreMethods } from './program/aedes-store.ts'
import { clientsView } from './program/clients-view.ts'
import type { Client, DeliverFunction, ProgramBroker } from './hooks/client.ts'
import { countError } from './ground/counters.ts'
import { Engine } from './engine.ts'
import { makeListenerProfile } from './hooks/listener-profile.ts'
import type { ListenerProfile, ListenerProfileOptions } from './hooks/listener-profile.ts'
import type { ConnectionOrigin, EventReporter } from './hooks/events.ts'
import type { HookCalls } from './hooks/hook-call.ts'
import type { NormalisedHooks } from './hooks/hooks.ts'
import { MessageQueue } from './program/message-queue.ts'
import { streamPair } from './program/stream-pair.ts'
import { checkOptions } from './options.ts'
import type { BrokerOptions } from './options.ts'
import type { DoneCallback } from './hooks/outcome.ts'
import type { PublishRequest } from './message/broker-packet.ts'
import { networkOf } from './connect/peer-address.ts'
import { ReasonCode } from './ground/reason-code.ts'
import { packageVersion } from './ground/version.ts'

/** An MQTT broker: {@link Broker.handle} serves the clients on the streams it is given. MQTT 3.1, 3.1.1, 5.0
 *
 * Events: `client`, `clientReady`, `clientDisconnect`, `clientError`, `connectionError`, `connackSent`, `keepaliveTimeout`, `publish`,
 * `subscribe`, `unsubscribe`, `ack`, `ping`, `dropped`, `closed`, and `error` for what is no client's fault. An `error` that nobody
 * listens to becomes a warning of the process, once for each code. */
export class Broker extends BrokerSettings implements PluggableBroker, ProgramBroker, EventReporter {
  readonly id: string
  /** Settles when store and emitter are open. Connections may come earlier; their CONNECT waits. */
  readonly ready: Promise<void>
  /** The options as they were given. */
  readonly opts: Readonly<BrokerOptions>
  /** Connected clients by identifier, without prototype and always current. */
  readonly clients: Readonly<Record<string, Client>>
  /** For plugins: work that one of several brokers on the same store does. */
  readonly tasks: SharedTasks
  /** What there is, one by one, for people. */
  readonly inspection: BrokerInspection
  readonly #mq: MessageQueue
  readonly #engine: Engine
  readonly #plugins: AttachedPlugins
  readonly #reception: Reception
  readonly #publishes: ProgramPublishes
  readonly #subscriptions: ProgramSubscriptions
  #store: (Persistence & AedesStoreMethods) | undefined
  #closing: Promise<void> | undefined

  /** @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
  constructor(options: BrokerOptions) {
    super()
    const checked = checkOptions(options)
    this.id = checked.id
    this.#plugins = new AttachedPlugins(options.plugins ?? [], this.programFaults)
    this.#engine = new Engine(this, checked, { ...partsOf(options), faults: this.programFaults })
    this.opts = options
    this.tasks = new SharedTasks(this.#engine.persistence)
    this.#reception = new Reception(this.#engine)
    this.#publishes = new ProgramPublishes(this.#engine)
    this.#subscriptions = new ProgramSubscriptions(this.#engine)
    this.clients = clientsView(this.#engine.clients)
    this.inspection = new EngineInspection(this.#engine)
    this.#mq = new MessageQueue(this, this.#engine.programSubscribers, this.programFaults)
    this.setHooks(options)
    this.topicAccess = options.topicAccess
    this.controlEndpoints = options.controlEndpoints
    this.hooksChanged()
    this.ready = this.#open()
    this.ready.catch(() => undefined)
  }

  /** Serves MQTT on a stream: a socket, a WebSocket stream, any Duplex. Bound, for `net.createServer`. A request becomes `client.req`. */
  readonly handle = (stream: Duplex, request?: unknown, profile?: ListenerProfile): Client => {
    const { maximumConnections } = this.#engine.options
    if (maximumConnections > 0 && this.#engine.connections.size >= maximumConnections) {
      stream.destroy()
      const origin = { listener: profile?.name ?? '', remoteAddress: undefined, remotePort: undefined }
      this.reportRefusal(connectionsExceeded(maximumConnections), origin)
    }
    return this.#reception.serve(stream, request, profile)
  }

  /** A connection of the program's own: what speaks MQTT on the returned stream needs no socket; no hook nor `topicAccess` is asked.
   * @param name shown in logs, as `client.listener`
   * @throws BrokerError `OPTION_INVALID` */
  openLocalStream(name: string): Duplex & { readonly client: Client } {
    const [ours, theirs] = streamPair()
    const client = this.#reception.serve(ours, undefined, this.listenerProfile({ name, authenticate: null }))
    client.trusted = true
    return Object.assign(theirs, { client })
  }

  /** Checks the options of a listener. The listener hands the result to `handle` with each of its streams.
   * @throws BrokerError `OPTION_INVALID` */
  listenerProfile(options: ListenerProfileOptions): ListenerProfile {
    return makeListenerProfile(options, this, this.hookCalls)
  }

  /** Publishes a message of the program: it is stored, routed and reported like a client's, but no permission is asked. The callback or
   * promise means that all of it is done.
   * @throws BrokerError `PACKET_INVALID`, `BROKER_CLOSED`; TopicError */
  publish(packet: PublishRequest): Promise<void>
  publish(packet: PublishRequest, done: DoneCallback): void
  publish(packet: PublishRequest, client: Client | null, done?: DoneCallback): void
  publish(packet: PublishRequest, second?: Client | null | DoneCallback, third?: DoneCallback): Promise<void> | void {
    const done = typeof second === 'function' ? second : third
    const client = typeof second === 'object' && second !== null ? second : undefined
    return this.#settle(() => {
      if (this.closed) throw brokerClosed()
      return this.#publishes.add(packet, client)
    }, done)
  }

  /** Calls `deliver` for each message that matches, `concurrency` at a time; publishers wait. One function may have several filters. */
  subscribe(filter: string, deliver: DeliverFunction): Promise<void>
  subscribe(filter: string, deliver: DeliverFunction, done: DoneCallback): void
  subscribe(filter: string, deliver: DeliverFunction, done?: DoneCallback): Promise<void> | void {
    return this.#settle(() => {
      if (this.closed) throw brokerClosed()
      return this.#subscriptions.add(filter, deliver)
    }, done)
  }

  /** Undoes `subscribe` with the same filter and function. */
  unsubscribe(filter: string, deliver: DeliverFunction): Promise<void>
  unsubscribe(filter: string, deliver: DeliverFunction, done: DoneCallback): void
  unsubscribe(filter: string, deliver: DeliverFunction, done?: DoneCallback): Promise<void> | void {
    return this.#settle(() => this.#subscriptions.remove(filter, deliver), done)
  }

  /** Ends all connections (0x8B, Server shutting down), then closes emitter and store. Idempotent: further calls get the same result. */
  close(): Promise<void>
  close(done: DoneCallback): void
  close(done?: DoneCallback): Promise<void> | void {
    this.#closing ??= this.#close()
    const closing = this.#closing
    return done === undefined ? closing : this.#settle(() => closing, done)
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Number of connected clients. */
  get connectedClients(): number {
    return this.#engine.counters.clientsConnected
  }

  get counters(): Readonly<Counters> {
    return this.#engine.counters
  }

  /** How long asynchronous hooks (`hook NAME`), the `store` and the `emitter` took. */
  get latencies(): Latencies {
    return latenciesOf(this.#engine)
  }

  counts(): Promise<BrokerCounts> {
    return countsOf(this.#engine)
  }

  /** The store, with the methods of Aedes's stores that programs call themselves. */
  get persistence(): Persistence & AedesStoreMethods {
    this.#store ??= withAedesMethods(this.#engine)
    return this.#store
  }

  /** The broker's messages with the interface of mqemitter. */
  get mq(): MessageQueue {
    return this.#mq
  }

  /** Version of this package. */
  get version(): string {
    return packageVersion
  }

  /** Other brokers by id, without prototype: the time of their last heartbeat in ms since the epoch. */
  get brokers(): Readonly<Record<string, number>> {
    return this.#engine.presence.brokers
  }

  /** Number of the last message that this broker received or published. */
  get counter(): number {
    return this.#engine.brokerCounter
  }

  /** The connected client with this identifier. */
  client(id: string): Client | undefined {
    const connection = this.#engine.clients.get(id)
    return connection?.phase === 'connected' ? connection.client : undefined
  }

  /** For the engine, its parts and plugins: emits `error` in a tick of its own, for a failure that concerns no client. */
  reportError(error: Error): void {
    this.programFaults.report(error)
  }

  /** For the engine: reports an error that leaves the client connected. */
  reportClientError(client: Client, error: Error): void {
    countError(this.#engine.counters, error)
    this.emit('clientError', client, error)
    if (client.listenerCount('error') > 0) client.emit('error', error)
  }

  /** For the engine: reports an error that ends a connection. */
  reportConnectionError(client: Client, error: Error): void {
    client.errored = true
    countError(this.#engine.counters, error)
    if (error instanceof PacketError) this.#engine.counters.malformedPackets += 1
    this.emit(client.id === null ? 'connectionError' : 'clientError', client, error)
    if (client.listenerCount('error') > 0) client.emit('error', error)
  }

  /** For listeners: whether a client at this address may send another CONNECT now (`maximumConnectsPerAddress`), so that a refused
   * client costs no handshake. */
  mayConnect(address: string): boolean {
    return !this.#engine.connectRate.isExceeded(networkOf(address))
  }

  /** For listeners: reports a connection that was refused, or failed, before it was handed over. */
  reportRefusal(error: Error, origin: ConnectionOrigin): void {
    this.#engine.counters.connectionsRefused += 1
    countError(this.#engine.counters, error)
    this.emit('connectionRefused', error, origin)
  }

  protected override get settings(): Settings {
    return this.#engine
  }

  protected override get hookCalls(): HookCalls {
    return this.#engine.hookCalls
  }

  protected override get normalisedHooks(): NormalisedHooks {
    return this.#engine.hooks
  }

  protected override hooksChanged(): void {
    const { hooks } = this.#engine
    const { authorizePublish, authorizeForward, published } = hooks
    const { upgradeOutgoingQoS, queueQoS0Messages } = this.#engine.options
    const isStored = upgradeOutgoingQoS || queueQoS0Messages
    this.#engine.passThrough =
      !authorizePublish && !authorizeForward && !published && !this.publishObserved && !isStored
  }

  async #open(): Promise<void> {
    try {
      await this.#engine.open()
      await this.#plugins.attach(this)
    } catch (error) {
      this.#engine.openFailure = error as Error
      this.programFaults.report(error as Error)
      throw (error as Error).cause
    } finally {
      this.#reception.open()
    }
  }

  async #close(): Promise<void> {
    this.#reception.close()
    const { closeTimeout } = this.#engine.options
    const { clock, connections } = this.#engine
    await within(clock, closeTimeout, this.ready).catch(() => undefined)
    await this.#plugins.detach(step => within(clock, closeTimeout, step))
    const ended = [...connections].map(connection => connection.whenClosed())
    for (const connection of connections)
      connection.end({ reason: 'shutdown', reasonCode: ReasonCode.serverShuttingDown })
    await Promise.all(ended)
    await this.#engine.close()
    // Errors are emitted before the promise settles, since the program may exit then.
    await new Promise<void>(resolve => {
      process.nextTick(resolve)
    })
    this.emit('closed')
  }

  #settle(step: () => MaybePromise<void>, done: DoneCallback | undefined): Promise<void> | void {
    return this.programFaults.settle(step, done)
  }
}
