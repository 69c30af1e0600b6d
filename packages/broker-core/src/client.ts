import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import type { MaybePromise, Subscription as StoredSubscription } from '@x/contract'
import type { ConnectPacket, ConnectProperties, ProtocolVersion, Subscription, Will } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BrokerError } from './broker-error.ts'
import type { Broker } from './broker.ts'
import type { Connection } from './connection.ts'
import { emptyQueue } from './empty-queue.ts'
import { Hold } from './hold.ts'
import { after } from './maybe-promise.ts'
import { checkPublishRequest, publicationOf } from './packet-form.ts'
import type { PublishRequest } from './packet-form.ts'
import type { ProgramFaults } from './program-faults.ts'
import { filtersOf, subscriptionsOf } from './program-subscription.ts'
import type { SubscribeRequest, UnsubscribeRequest } from './program-subscription.ts'
import { ReasonCode } from './reason-code.ts'
import { reportSubscribed, sendRetained, subscribe } from './subscribe.ts'
import { reportUnsubscribed, unsubscribe } from './unsubscribe.ts'

const unlimited = 0xffffffff

export interface CloseOptions {
  /** MQTT 5.0 §3.14.2.1 */
  reasonCode?: number
  /** Where to go instead, with 0x9C (Use another server) or 0x9D (Server moved). */
  serverReference?: string
}

/** What is known of where a connection comes from, beyond its stream: found by `decodeProtocol`, or by a listener. */
export interface ConnectionDetails {
  /** Of the client, not of the proxy in between. */
  ipAddress?: string
  port?: number
  /** 4 or 6. */
  ipFamily?: number
  serverIpAddress?: string
  serverPort?: number
  isWebsocket?: boolean
  isTls?: boolean
  isProxy?: number
  /** What is left of the bytes when what is not MQTT is taken away. */
  data?: Buffer
  [more: string]: unknown
}

/** Called when it is done, with the error when it failed. */
export type DoneCallback = (error?: Error) => void

/** A client as hooks, events and programs see it: who it is, and what the program can do with it.
 *
 * Events: `connected` when its session is set up and what waited for it was sent; `error` with each error of its connection,
 * if anybody listens. */
export class Client extends EventEmitter {
  readonly broker: Broker
  /** Whatever the listener handed over with the stream: the HTTP request of a WebSocket, for one. */
  readonly req: IncomingMessage | undefined
  /** Null until a CONNECT with an acceptable identifier has come; typed as Aedes types it. */
  id: string = null as unknown as string
  clean = true
  /** Null likewise. */
  version: ProtocolVersion = null as unknown as ProtocolVersion
  /** Seconds, as the client asked for. */
  keepalive = 0
  will: Will | undefined
  /** What MQTT 5 clients said in CONNECT. */
  connectProperties: ConnectProperties | undefined
  /** It is another broker's bridge (protocol level 0x83 or 0x84): retain flags are kept, its own messages not echoed. */
  bridge = false
  connecting = true
  connected = false
  closed = false
  /** CONNACK is out, whatever it said. */
  connackSent = false
  /** An error has ended, or is ending, the connection. */
  errored = false
  connDetails: ConnectionDetails | undefined
  /** Who the transport proved it to be, where its listener takes the user name from there: the Common Name of a certificate, or a
   * PSK identity. */
  identity: string | undefined
  readonly #connection: Connection

  constructor(broker: Broker, connection: Connection, request: unknown) {
    super()
    this.broker = broker
    this.#connection = connection
    this.req = request as IncomingMessage | undefined
    if (typeof request === 'object' && request !== null && 'connDetails' in request) {
      this.connDetails = request.connDetails as ConnectionDetails
    }
  }

  /** The stream the client talks over. */
  get conn(): Duplex {
    return this.#connection.stream
  }

  /** Name of the listener it came by; undefined when its stream was handed over without one. */
  get listener(): string | undefined {
    return this.#connection.entrance?.name
  }

  /** The certificate that the client has shown, and the listener has verified; undefined: none. */
  get certificate(): PeerCertificate | undefined {
    const { conn } = this
    const socket = ('socket' in conn ? conn.socket : conn) as Partial<TLSSocket>
    if (socket.authorized !== true) return undefined
    const certificate = socket.getPeerCertificate?.()
    return certificate === undefined || Object.keys(certificate).length === 0 ? undefined : certificate
  }

  /** What the client subscribes to now, by filter, without prototype. A copy: changing it changes nothing. */
  get subscriptions(): Readonly<Record<string, Subscription>> {
    const subscriptions = Object.create(null) as Record<string, Subscription>
    for (const { filter, qos, retainHandling, retainAsPublished, noLocal } of this.#subscribed()) {
      subscriptions[filter] = { topic: filter, qos, rh: retainHandling, rap: retainAsPublished, nl: noLocal }
    }
    return subscriptions
  }

  /** Bytes the client takes in one packet. MQTT 5.0 §3.1.2.11.4 */
  get maximumPacketSize(): number {
    return this.connectProperties?.maximumPacketSize ?? unlimited
  }

  /** Sends a message to this client alone. At QoS 1 and 2 it is stored first if the session outlives the connection. The
   * callback, or promise, says that it is stored or handed to the connection, not that the client has it.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID` */
  publish(packet: PublishRequest): Promise<void>
  publish(packet: PublishRequest, done: DoneCallback): void
  publish(packet: PublishRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#publish(packet), done)
  }

  /** Subscribes the client as if it had asked for it. With a `messageId` a SUBACK is sent.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
  subscribe(subscriptions: SubscribeRequest): Promise<void>
  subscribe(subscriptions: SubscribeRequest, done: DoneCallback): void
  subscribe(subscriptions: SubscribeRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#subscribe(subscriptions), done)
  }

  /** Takes subscriptions away as if the client had asked for it. With a `messageId` an UNSUBACK is sent.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
  unsubscribe(filters: UnsubscribeRequest): Promise<void>
  unsubscribe(filters: UnsubscribeRequest, done: DoneCallback): void
  unsubscribe(filters: UnsubscribeRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#unsubscribe(filters), done)
  }

  /** Ends the connection; MQTT 5 clients are told `reasonCode` (0x98, Administrative action, by default). Idempotent. */
  close(done?: () => void): void
  close(options: CloseOptions, done?: () => void): void
  close(first?: CloseOptions | (() => void), second?: () => void): void {
    const done = typeof first === 'function' ? first : second
    const { reasonCode = ReasonCode.administrativeAction, ...rest } = typeof first === 'object' ? first : {}
    if (done !== undefined) void this.#connection.whenClosed().then(() => this.#faults.callBack(done))
    this.#connection.end({ reason: 'kick', reasonCode, ...rest })
  }

  /** Reads nothing more from the client until `resume`. */
  pause(): void {
    this.#connection.hold(Hold.program)
  }

  resume(): void {
    this.#connection.release(Hold.program)
  }

  /** Drops the messages of QoS 1 and 2 that wait for the client or are not acknowledged yet: none of them is sent, or sent again. */
  emptyOutgoingQueue(): Promise<void>
  emptyOutgoingQueue(done: DoneCallback): void
  emptyOutgoingQueue(done?: DoneCallback): Promise<void> | void {
    const { session } = this.#connection
    return this.#faults.settle(() => (session === undefined || this.closed ? undefined : emptyQueue(session)), done)
  }

  /** Calls back when the connection takes more; with an error when it has ended before. */
  waitForDrain(done: DoneCallback): void {
    const { stream } = this.#connection
    const callBack = (error?: Error): void => this.#faults.callBack(() => done(error))
    if (!stream.writableNeedDrain || this.closed || stream.destroyed) {
      setImmediate(() => callBack(this.closed ? connectionClosed(this) : undefined))
    } else {
      const drained = (): void => {
        stream.off('close', closed)
        callBack()
      }
      const closed = (): void => {
        stream.off('drain', drained)
        callBack(connectionClosed(this))
      }
      stream.once('drain', drained)
      stream.once('close', closed)
    }
  }

  /** Calls all listeners, whatever they throw or reject: that becomes the broker's `error` event (`LISTENER_FAILED`). */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    return this.#faults.tell(this, event, values)
  }

  get #faults(): ProgramFaults {
    return this.#connection.engine.faults
  }

  /** The engine's: CONNECT has been read and its identifier is acceptable. */
  accept(packet: ConnectPacket, id: string): void {
    this.id = id
    this.clean = packet.clean === true
    this.version = this.#connection.version
    this.keepalive = packet.keepalive ?? 0
    this.will = packet.will
    this.connectProperties = packet.properties
    this.bridge = packet.bridgeMode === true
  }

  /** The engine's: the session is set up. */
  ready(): void {
    if (this.closed) return
    this.connecting = false
    this.connected = true
  }

  /** The engine's: whom the program ends now knows that it is connected. */
  tellReady(): void {
    if (this.closed) return
    this.broker.emit('clientReady', this)
    this.emit('connected')
  }

  /** The engine's: the connection has ended. */
  left(): void {
    this.connecting = false
    this.connected = false
    this.closed = true
  }

  #subscribed(): Iterable<StoredSubscription> {
    return this.closed ? [] : (this.#connection.session?.subscriptions.values() ?? [])
  }

  #publish(packet: PublishRequest): MaybePromise<void> {
    const { engine, session } = this.#connection
    if (session === undefined || this.closed) throw connectionClosed(this)
    checkPublishRequest(packet)
    parseTopicName(packet.topic, { maximumLevels: engine.options.maxTopicLevels })
    const publication = publicationOf(packet, {
      publisher: undefined,
      brokerId: engine.brokerId,
      brokerCounter: engine.nextCounter(),
      now: engine.clock.now(),
    })
    if (publication.qos === 0 || !session.stored) {
      session.send(publication, publication.qos, false, undefined)
      return undefined
    }
    const delivery = { message: publication, qos: publication.qos, retain: false, subscriptionIdentifiers: undefined }
    return engine.persistence.enqueue(session.handle, [delivery])
  }

  #subscribe(request: SubscribeRequest): MaybePromise<void> {
    if (this.closed) throw connectionClosed(this)
    const connection = this.#connection
    const subscriptions = subscriptionsOf(request, connection.engine.options)
    return after(subscribe(connection, subscriptions, undefined), outcomes => {
      // No packet may carry identifier 0 ([MQTT5-2.2.1-2]), so there is nothing to answer.
      if ('messageId' in request && request.messageId) {
        const granted = outcomes.map(outcome => (outcome.kind === 'granted' ? outcome.subscription.qos : 0x80))
        connection.sendPacket({ cmd: 'suback', messageId: request.messageId, granted })
      }
      reportSubscribed(connection, outcomes)
      return sendRetained(connection, outcomes)
    })
  }

  #unsubscribe(request: UnsubscribeRequest): MaybePromise<void> {
    if (this.closed) throw connectionClosed(this)
    const connection = this.#connection
    const filters = filtersOf(request, connection.engine.options)
    return after(unsubscribe(connection, filters), ({ codes }) => {
      if (typeof request === 'object' && 'messageId' in request && request.messageId) {
        connection.sendPacket({ cmd: 'unsuback', messageId: request.messageId, granted: codes })
      }
      reportUnsubscribed(connection, filters)
    })
  }
}

function connectionClosed(client: Client): BrokerError {
  return new BrokerError('CONNECTION_CLOSED', {
    message: 'connection closed',
    detail: `client '${client.id ?? ''}' is not connected`,
    reasonCode: ReasonCode.unspecifiedError,
  })
}
