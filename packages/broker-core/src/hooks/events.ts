import type { Drop } from '@x/contract'
import type { ConnackPacket, PingreqPacket, PubrelPacket, Subscription } from '@x/packet'
import type { Client } from './client.ts'
import type { DisconnectReason } from '../connection/ending.ts'
import type { BrokerPacket } from '../message/broker-packet.ts'

/** The origin of a connection that never became a client. */
export interface ConnectionOrigin {
  /** Name of the listener. */
  readonly listener: string
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
}

/** The events of a broker, with what their listeners get. */
export interface BrokerEvents {
  /** CONNECT is accepted; CONNACK is being sent. */
  client: [client: Client]
  /** The messages that waited for the client were sent, as far as its window has room. */
  clientReady: [client: Client]
  /** A connected client has left, and why. */
  clientDisconnect: [client: Client, reason: DisconnectReason]
  /** An error of a client whose identifier is known, or of its session, even after it has left. */
  clientError: [client: Client, error: Error]
  /** An error before the client's identifier was known. */
  connectionError: [client: Client, error: Error]
  /** A connection that a listener refused, or that failed, before anything of it reached the broker: by its address, in TLS, in
   * HTTP. */
  connectionRefused: [error: Error, origin: ConnectionOrigin]
  /** CONNACK was sent, with any code. */
  connackSent: [packet: ConnackPacket, client: Client]
  keepaliveTimeout: [client: Client]
  /** A message was stored and delivered; `client` is null for the broker's own messages. */
  publish: [packet: BrokerPacket, client: Client | null]
  /** A delivery of QoS 1 or 2 was acknowledged: its PUBLISH, or PUBREL. Undefined when no store kept it; typed as in Aedes. */
  ack: [packet: BrokerPacket | PubrelPacket, client: Client]
  ping: [packet: PingreqPacket, client: Client]
  /** Each filter once, with the QoS granted, or 128. */
  subscribe: [subscriptions: Subscription[], client: Client]
  unsubscribe: [filters: string[], client: Client]
  /** Messages were dropped from a queue. */
  dropped: [drop: Drop]
  closed: []
  /** An error that is no client's fault. Without a listener it becomes a process warning, once for each code. */
  error: [error: Error]
  /** Node's own. */
  newListener: [name: string | symbol]
  removeListener: [name: string | symbol]
}

/** Where the engine tells the program what happens and what fails. */
export interface EventReporter {
  emit<Name extends keyof BrokerEvents>(name: Name, ...values: BrokerEvents[Name]): boolean
  listenerCount(name: keyof BrokerEvents): number
  /** Somebody listens to the event `ack`. */
  readonly ackObserved: boolean
  /** Reports an error that leaves the client connected. */
  reportClientError(client: Client, error: Error): void
  /** Reports an error that ends a connection. */
  reportConnectionError(client: Client, error: Error): void
}
