import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Emitter, MaybePromise, MessageSource, SessionHandle, Subscription, Will } from '@x/contract'
import type { AckFrame, FilterListSettings, FrameReader, PublishFrame, TopicInterner } from '@x/packet'
import type { EnhancedAuthentication } from './attempt.ts'
import type { AuthenticationQueue } from './authentication-queue.ts'
import type { ConnectRate } from './connect-rate.ts'
import type { CheckedStore } from '../ground/checked-store.ts'
import { Client } from '../hooks/client.ts'
import type { ClientLink, ProgramBroker } from '../hooks/client.ts'
import { Connection } from '../connection/connection.ts'
import type { ConnectionHost, Phase } from '../connection/connection-host.ts'
import { decodeProtocol } from '../hooks/decode-protocol.ts'
import type { Ending } from '../connection/ending.ts'
import type { ListenerProfile } from '../hooks/listener-profile.ts'
import type { EventReporter } from '../hooks/events.ts'
import type { LoginGuard } from './login-guard.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { ReadHold } from '../connection/read-hold.ts'
import type { PublishRequest } from '../message/broker-packet.ts'
import { PendingPublishes } from '../session/pending-publishes.ts'
import type { ProgramFaults } from '../hooks/program-faults.ts'
import type { Publication } from '../message/publication.ts'
import type { ControlEndpoints } from '../hooks/control-endpoint.ts'
import type { FanOuts } from '../routing/fan-outs.ts'
import type { VerbatimRun } from '../routing/verbatim-run.ts'
import type { Router } from '../routing/router.ts'
import type { Session } from '../session/session.ts'
import type { SessionHost } from '../session/session-host.ts'
import type { StepCode } from '../ground/steps.ts'
import type { SubscribeRequest, UnsubscribeRequest } from '../message/subscription-request.ts'
import type { TopicAliases } from '../session/topic-aliases.ts'
import type { UnfinishedPublishes } from '../session/unfinished-publishes.ts'
import type { UserSessions } from './user-sessions.ts'

/** What the packets of a client mean, and what a program can do for it. The engine hands it to the connections, which so need to
 * know no handler. */
export interface Protocol {
  /** Has one packet of a connected client take effect. A promise: the next packet waits for it. */
  receive(connection: ClientConnection, reader: FrameReader): MaybePromise<void>
  /** The same for a packet that comes before CONNACK. */
  receiveFirst(connection: ClientConnection, reader: FrameReader): MaybePromise<void>
  /** Refuses a CONNECT, or what came in its place, and ends the connection. */
  refuse(connection: ClientConnection, error: Error): void
  /** Ends the session of a connection that has left the phase `before`. Returns what tells the program of it. */
  ended(connection: ClientConnection, ending: Ending, before: Phase): () => void
  publish(connection: ClientConnection, packet: PublishRequest): MaybePromise<void>
  subscribe(connection: ClientConnection, request: SubscribeRequest): MaybePromise<void>
  unsubscribe(connection: ClientConnection, request: UnsubscribeRequest): MaybePromise<void>
  emptyQueue(connection: ClientConnection): MaybePromise<void>
}

/** A message whose deliveries have begun, and not all of them ended. */
export interface Begun {
  /** Subscribers of the program have it: the next one may begin. */
  readonly routed?: MaybePromise<unknown>
  /** Other brokers have it. */
  readonly emitted?: MaybePromise<unknown>
  /** Somebody subscribes to its topic. */
  readonly reached: boolean
}

/** The way of a message through the broker: `publish`, or its three steps one by one. */
export interface Publishing {
  /** Stores, routes and reports a message. */
  publish(publication: Publication, from: ClientConnection | undefined): MaybePromise<void>
  /** The same for the message of a will that the store has answered. */
  publishWill(will: Will, publication: Publication, from: ClientConnection | undefined): MaybePromise<void>
  /** The first step. Returns the number of sessions and groups that the message was stored for. */
  store(publication: Publication, receipt?: { session: SessionHandle; packetId: number }): MaybePromise<number>
  /** Begins the deliveries of a stored message. Returns whether anybody subscribes to its topic, and what has to be waited for. */
  begin(publication: Publication, from: ClientConnection | undefined, stored: number): boolean | Begun
  /** Tells the hook `published` and the event `publish`. */
  report(publication: Publication, from: ClientConnection | undefined, messageId: number): MaybePromise<void>
}

/** News about clients for whoever subscribes to `$SYS/<id>/`. */
interface ClientNews {
  clientConnected(clientId: string): void
  clientDisconnected(clientId: string): void
  subscribed(clientId: string, subscriptions: () => readonly object[]): void
  unsubscribed(clientId: string, filters: () => readonly string[]): void
}

/** What connecting, and the handlers of packets, need of the engine. `Engine` implements it. */
export interface Host extends ConnectionHost, SessionHost {
  readonly broker: EventReporter & ProgramBroker
  readonly brokerId: string
  readonly protocol: Protocol
  readonly persistence: CheckedStore
  readonly emitter: Emitter | undefined
  readonly router: Router
  readonly faults: ProgramFaults
  readonly publishing: Publishing
  readonly presence: ClientNews
  /** The connection that has each client identifier. */
  readonly clients: Map<string, ClientConnection>
  readonly unfinished: UnfinishedPublishes
  readonly userSessions: UserSessions
  readonly logins: LoginGuard
  readonly connectRate: ConnectRate
  readonly authentications: AuthenticationQueue
  readonly interner: TopicInterner
  readonly publishFrame: PublishFrame
  readonly ackFrame: AckFrame
  readonly run: VerbatimRun
  readonly fanOuts: FanOuts
  /** Executes commands, by topic; undefined: topics below `$CONTROL/` are like all others. */
  readonly controlEndpoints: ControlEndpoints | undefined
  /** Limits of control packets. */
  readonly frameSettings: FilterListSettings
  /** No hook or listener looks at single messages. */
  readonly passThrough: boolean
  readonly closed: boolean
  /** Why the broker could not be opened. */
  readonly openFailure: Error | undefined
  /** QoS 1 and 2 messages that one client may have open towards this broker. MQTT 5.0 §3.2.2.3.3 */
  readonly receiveMaximum: number
  nextCounter(): number
  nextOpening(): number
  /** Takes a step that nobody waits for, and reports its failure. */
  own(code: StepCode, step: () => unknown, client?: Client): void
  fail(error: unknown, code: StepCode, client?: Client): void
  watch(result: unknown, code: StepCode, client?: Client): void
}

/** The connection of a client, with what the client has said of itself and its session. */
export class ClientConnection extends Connection<Host> implements ClientLink {
  readonly client: Client
  /** Undefined when the stream was handed over without a listener. */
  declare readonly profile: ListenerProfile | undefined
  /** Its stream brings bytes of its own: one that the program made may bring the program's. */
  readonly readsOwnBytes: boolean
  /** Nobody else has got the chunk that is handled now. */
  ownsChunk = false
  /** From the moment the store has opened it until the connection ends. */
  session: Session | undefined
  /** When, among all of this broker, the store was asked for its session; 0: not yet. */
  opening = 0
  /** The client id this connection holds in `engine.clients`. */
  clientId: string | undefined
  /** Seconds; as agreed at CONNECT, or changed by DISCONNECT. */
  sessionExpiryInterval = 0
  /** There was no session of this client before. */
  hasBegunSession = false
  /** As its CONNECT, or the transport, says; for those who look at the broker. */
  username: string | undefined
  /** Kept with the retained messages of the client; undefined without `checkRetainSource`. */
  source: MessageSource | undefined
  /** MQTT 5: whether reason strings and user properties may be sent on every packet. MQTT 5.0 §3.1.2.11.7 */
  requestProblemInformation = true
  /** Undefined until the client uses one. */
  aliases: TopicAliases | undefined
  /** Set when the client uses enhanced authentication. */
  authentication: EnhancedAuthentication | undefined
  /** Publishes whose acknowledgement waits for something; undefined while there are none. */
  pending: PendingPublishes | undefined
  /** What is pending are runs on their way to very many receivers, and what has come behind them. */
  isSendingRuns = false

  constructor(engine: Host, stream: Duplex, request: unknown, profile: ListenerProfile | undefined) {
    super(engine, stream, profile)
    this.client = new Client(engine.broker, this, request)
    this.readsOwnBytes = stream instanceof Socket || profile !== undefined
  }

  get listener(): string | undefined {
    return this.profile?.name
  }

  /** Sends a run of this client's messages to very many receivers, or one that comes behind such a run. Until all of them have it, the
   * client's next packets are not read. */
  sendRun(send: () => MaybePromise<void>): void {
    const sent = this.pending === undefined ? send() : undefined
    if (this.pending === undefined && !isPromise(sent)) return
    this.pending ??= new PendingPublishes(this)
    this.pending.add(0, undefined, () => {
      // The client may have published on another connection since; this run would follow that ([MQTT5-4.6.0-6]).
      if (sent === undefined && this.takenOver) return undefined
      return { routed: sent ?? send(), acknowledge: () => undefined }
    })
    this.isSendingRuns = true
    this.hold(ReadHold.fanOut)
    void this.pending.ended.then(() => this.#runsSent())
  }

  #runsSent(): void {
    this.isSendingRuns = false
    this.release(ReadHold.fanOut)
  }

  get faults(): ProgramFaults {
    return this.engine.faults
  }

  subscribed(): Iterable<Subscription> {
    return this.session?.subscriptions.values() ?? []
  }

  publish(packet: PublishRequest): MaybePromise<void> {
    return this.engine.protocol.publish(this, packet)
  }

  subscribe(request: SubscribeRequest): MaybePromise<void> {
    return this.engine.protocol.subscribe(this, request)
  }

  unsubscribe(request: UnsubscribeRequest): MaybePromise<void> {
    return this.engine.protocol.unsubscribe(this, request)
  }

  emptyQueue(): MaybePromise<void> {
    return this.engine.protocol.emptyQueue(this)
  }

  override decode(chunk: Buffer): Buffer {
    return decodeProtocol(this.client, chunk, this.engine.hooks)
  }

  override receive(reader: FrameReader): MaybePromise<void> {
    const { protocol } = this.engine
    return this.phase === 'connected' ? protocol.receive(this, reader) : protocol.receiveFirst(this, reader)
  }

  override refuse(error: Error): void {
    this.engine.protocol.refuse(this, error)
  }

  protected override ended(ending: Ending, before: Phase): () => void {
    return this.engine.protocol.ended(this, ending, before)
  }

  protected override sendWaiting(): boolean {
    this.session?.pump()
    return this.session?.isBackedUp === true
  }
}
