import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import type { Counters, MaybePromise, Subscription as StoredSubscription } from '@x/contract'
import type { ConnectPacket, ConnectProperties, ProtocolVersion, Subscription, Will } from '@x/packet'
import { BrokerError } from '../ground/broker-error.ts'
import type { ConnectionDetails } from './connection-details.ts'
import type { Ending } from '../connection/ending.ts'
import { ReadHold } from '../connection/read-hold.ts'
import type { DoneCallback } from './outcome.ts'
import type { BrokerPacket, PublishRequest } from '../message/broker-packet.ts'
import type { ProgramFaults } from './program-faults.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { SubscribeRequest, UnsubscribeRequest } from '../message/subscription-request.ts'
import { noMaximumPacketSize } from '../ground/no-maximum.ts'

/** What an MQTT 5 client is told when the program closes its connection. */
export interface CloseOptions {
  /** MQTT 5.0 §3.14.2.1 */
  reasonCode?: number
  /** Where to go instead, with 0x9C (Use another server) or 0x9D (Server moved). */
  serverReference?: string
}

/** A function of the program that receives messages: done when it calls its second parameter, or, without that, when
 * what it returns has settled. Publishers wait for it. */
export type DeliverFunction = {
  method(this: ProgramBroker, packet: BrokerPacket, done: () => void): unknown
}['method']

/** The broker as the program's hooks, clients and subscribed functions see it. `Broker` implements it. */
export interface ProgramBroker extends EventEmitter {
  readonly id: string
  /** Settles when store and emitter are open. */
  readonly ready: Promise<void>
  readonly closed: boolean
  /** Connected clients by identifier. */
  readonly clients: Readonly<Record<string, Client>>
  readonly connectedClients: number
  readonly counters: Readonly<Counters>
  readonly version: string
  readonly trustProxy: boolean
  readonly trustedProxies: readonly string[]
  /** The connected client with this identifier. */
  client(id: string): Client | undefined
  publish(packet: PublishRequest): Promise<void>
  publish(packet: PublishRequest, done: DoneCallback): void
  publish(packet: PublishRequest, client: Client | null, done?: DoneCallback): void
  subscribe(filter: string, deliver: DeliverFunction): Promise<void>
  subscribe(filter: string, deliver: DeliverFunction, done: DoneCallback): void
  unsubscribe(filter: string, deliver: DeliverFunction): Promise<void>
  unsubscribe(filter: string, deliver: DeliverFunction, done: DoneCallback): void
  close(): Promise<void>
  close(done: DoneCallback): void
}

/** The connection of a client, as far as the client's methods reach it. */
export interface ClientLink {
  readonly stream: Duplex
  readonly version: ProtocolVersion
  /** Name of its listener. */
  readonly listener: string | undefined
  readonly faults: ProgramFaults
  /** The session's subscriptions; none before there is a session. */
  subscribed(): Iterable<StoredSubscription>
  publish(packet: PublishRequest): MaybePromise<void>
  subscribe(request: SubscribeRequest): MaybePromise<void>
  unsubscribe(request: UnsubscribeRequest): MaybePromise<void>
  emptyQueue(): MaybePromise<void>
  hold(reason: number): void
  release(reason: number): void
  end(ending: Ending): void
  whenClosed(): Promise<void>
}

/** A client as hooks, events and programs see it, with the methods that a program may call.
 *
 * Events: `connected` when its session is set up and what waited for it was sent; `error` with each error of its connection, if anybody
 * listens. */
export class Client extends EventEmitter {
  readonly broker: ProgramBroker
  /** The request that the listener handed over with the stream, for instance the HTTP request of a WebSocket. */
  readonly req: IncomingMessage | undefined
  /** Null until a CONNECT with an acceptable identifier has come; typed as in Aedes. */
  id: string = null as unknown as string
  clean = true
  /** Null until CONNECT has come. */
  version: ProtocolVersion = null as unknown as ProtocolVersion
  /** Seconds, as the client asked for. */
  keepalive = 0
  will: Will | undefined
  /** The properties of an MQTT 5 CONNECT. */
  connectProperties: ConnectProperties | undefined
  /** The client is a bridge of another broker (protocol level 0x83 or 0x84): retain flags are kept, and its own messages are not sent
   * back to it. */
  bridge = false
  /** It is a part of this program, a bridge for one: no hook is asked about it, nor `topicAccess`. */
  trusted = false
  connecting = true
  connected = false
  closed = false
  /** CONNACK was sent, with any code. */
  connackSent = false
  /** An error has ended, or is ending, the connection. */
  errored = false
  connDetails: ConnectionDetails | undefined
  /** The user name that the transport has verified, if the listener uses it: the Common Name of a certificate, or a PSK identity. */
  identity: string | undefined
  readonly #link: ClientLink

  constructor(broker: ProgramBroker, link: ClientLink, request: unknown) {
    super()
    this.broker = broker
    this.#link = link
    this.req = request as IncomingMessage | undefined
    if (typeof request === 'object' && request !== null && 'connDetails' in request) {
      this.connDetails = request.connDetails as ConnectionDetails
    }
  }

  /** The stream the client talks over. */
  get conn(): Duplex {
    return this.#link.stream
  }

  /** Name of its listener; undefined when the stream was handed over without one. */
  get listener(): string | undefined {
    return this.#link.listener
  }

  /** The client's certificate, if the listener has verified it. */
  get certificate(): PeerCertificate | undefined {
    const { conn } = this
    const socket = ('socket' in conn ? conn.socket : conn) as Partial<TLSSocket>
    if (socket.authorized !== true) return undefined
    const certificate = socket.getPeerCertificate?.()
    return certificate === undefined || Object.keys(certificate).length === 0 ? undefined : certificate
  }

  /** The client's present subscriptions by filter, without prototype. A copy. */
  get subscriptions(): Readonly<Record<string, Subscription>> {
    const subscriptions = Object.create(null) as Record<string, Subscription>
    for (const { filter, qos, retainHandling, retainAsPublished, noLocal } of this.closed
      ? []
      : this.#link.subscribed()) {
      subscriptions[filter] = { topic: filter, qos, rh: retainHandling, rap: retainAsPublished, nl: noLocal }
    }
    return subscriptions
  }

  /** Maximum Packet Size of the client in bytes. MQTT 5.0 §3.1.2.11.4 */
  get maximumPacketSize(): number {
    return this.connectProperties?.maximumPacketSize ?? noMaximumPacketSize
  }

  /** Sends a message to this client alone. At QoS 1 and 2 it is stored first if the session outlives the connection. The callback or
   * promise means that the message is stored or written to the connection, not that the client has it.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID` */
  publish(packet: PublishRequest): Promise<void>
  publish(packet: PublishRequest, done: DoneCallback): void
  publish(packet: PublishRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#link.publish(packet), done)
  }

  /** Subscribes the client as if it had asked for it. With a `messageId` a SUBACK is sent.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
  subscribe(subscriptions: SubscribeRequest): Promise<void>
  subscribe(subscriptions: SubscribeRequest, done: DoneCallback): void
  subscribe(subscriptions: SubscribeRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#link.subscribe(subscriptions), done)
  }

  /** Unsubscribes the client as if it had asked for it. With a `messageId` an UNSUBACK is sent.
   * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
  unsubscribe(filters: UnsubscribeRequest): Promise<void>
  unsubscribe(filters: UnsubscribeRequest, done: DoneCallback): void
  unsubscribe(filters: UnsubscribeRequest, done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => this.#link.unsubscribe(filters), done)
  }

  /** Ends the connection; MQTT 5 clients are told `reasonCode` (0x98, Administrative action, by default). Idempotent. */
  close(done?: () => void): void
  close(options: CloseOptions, done?: () => void): void
  close(first?: CloseOptions | (() => void), second?: () => void): void {
    const done = typeof first === 'function' ? first : second
    const { reasonCode = ReasonCode.administrativeAction, ...rest } = typeof first === 'object' ? first : {}
    if (done !== undefined) void this.#link.whenClosed().then(() => this.#faults.callBack(done))
    this.#link.end({ reason: 'kick', reasonCode, ...rest })
  }

  /** Reads nothing more from the client until `resume`. */
  pause(): void {
    this.#link.hold(ReadHold.program)
  }

  resume(): void {
    this.#link.release(ReadHold.program)
  }

  /** Drops the QoS 1 and 2 messages that wait for the client or are not acknowledged: none of them is sent, or sent again. */
  emptyOutgoingQueue(): Promise<void>
  emptyOutgoingQueue(done: DoneCallback): void
  emptyOutgoingQueue(done?: DoneCallback): Promise<void> | void {
    return this.#faults.settle(() => (this.closed ? undefined : this.#link.emptyQueue()), done)
  }

  /** Calls back when the stream takes more bytes, or with an error when the connection has ended. */
  waitForDrain(done: DoneCallback): void {
    const { stream } = this.#link
    const callBack = (error?: Error): void => this.#faults.callBack(() => done(error))
    if (!stream.writableNeedDrain || this.closed || stream.destroyed) {
      setImmediate(() => callBack(this.closed ? connectionClosed(this) : undefined))
    } else {
      const drained = (): void => {
        stream.off('close', closed)
        // The end of the connection emits it as well.
        callBack(this.closed ? connectionClosed(this) : undefined)
      }
      const closed = (): void => {
        stream.off('drain', drained)
        callBack(connectionClosed(this))
      }
      stream.once('drain', drained)
      stream.once('close', closed)
    }
  }

  /** Calls all listeners. What one throws or rejects becomes the broker's `error` event (`LISTENER_FAILED`). */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    return this.#faults.tell(this, event, values)
  }

  get #faults(): ProgramFaults {
    return this.#link.faults
  }

  /** For the engine: CONNECT was read, and its identifier is acceptable. */
  accept(packet: ConnectPacket, id: string): void {
    this.id = id
    this.clean = packet.clean === true
    this.version = this.#link.version
    this.keepalive = packet.keepalive ?? 0
    this.will = packet.will
    this.connectProperties = packet.properties
    this.bridge = packet.bridgeMode === true
  }

  /** For the engine: the session is set up. */
  ready(): void {
    if (this.closed) return
    this.connecting = false
    this.connected = true
  }

  /** For the engine: emits `clientReady` and `connected`. */
  tellReady(): void {
    if (this.closed) return
    this.broker.emit('clientReady', this)
    this.emit('connected')
  }

  /** For the engine: the connection has ended. */
  left(): void {
    this.connecting = false
    this.connected = false
    this.closed = true
  }
}

/** The error of a method that needs a connected client. */
export function connectionClosed(client: Client): BrokerError {
  return new BrokerError('CONNECTION_CLOSED', {
    message: 'connection closed',
    detail: `client '${client.id ?? ''}' is not connected`,
    reasonCode: ReasonCode.unspecifiedError,
  })
}
