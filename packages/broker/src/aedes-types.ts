import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { BrokerPacket, Client } from '@x/broker-core'
import type { ConnectPacket, PublishPacket, Subscription as PacketSubscription } from '@x/packet'
import type { BrokerOptions } from './broker-options.ts'

// Names under which programs written for Aedes import its types.

/** Options of a broker, by the name that Aedes has for them. */
export type AedesOptions = BrokerOptions
/** A message with what a broker knows of its origin, by the name that Aedes has for it. */
export type AedesPublishPacket = BrokerPacket
/** What clients are served on. */
export type Connection = Duplex | Socket
/** A subscription in SUBSCRIBE, as hooks get it. */
export type Subscription = PacketSubscription & { clientId?: string }

/** What `client.subscribe` takes. */
export interface Subscriptions {
  subscriptions: Subscription[]
}

/** ms since the epoch of the last heartbeat of each other broker, by its id. */
export interface Brokers {
  [brokerId: string]: number
}

/** `returnCode` of an error that `authenticate` gives. 1 is sent as 5: MQTT 3.1.1 has it for protocol versions alone. */
export const AuthErrorCode: {
  readonly UNNACCEPTABLE_PROTOCOL: 1
  readonly IDENTIFIER_REJECTED: 2
  readonly SERVER_UNAVAILABLE: 3
  readonly BAD_USERNAME_OR_PASSWORD: 4
  readonly NOT_AUTHORIZED: 5
} = {
  UNNACCEPTABLE_PROTOCOL: 1,
  IDENTIFIER_REJECTED: 2,
  SERVER_UNAVAILABLE: 3,
  BAD_USERNAME_OR_PASSWORD: 4,
  NOT_AUTHORIZED: 5,
}
export type AuthErrorCode = (typeof AuthErrorCode)[keyof typeof AuthErrorCode]
/** An error of `authenticate`, with the return code of CONNACK. */
export type AuthenticateError = Error & { returnCode: AuthErrorCode }

/** The hook `preConnect` with a callback. */
export type PreConnectHandler = (
  client: Client,
  packet: ConnectPacket,
  callback: (error: Error | null, success: boolean) => void,
) => void
/** The hook `authenticate` with a callback. */
export type AuthenticateHandler = (
  client: Client,
  username: string | undefined,
  password: Buffer | undefined,
  done: (error: AuthenticateError | null, success: boolean | null) => void,
) => void
/** The hook `authorizePublish` with a callback. */
export type AuthorizePublishHandler = (
  client: Client | null,
  packet: PublishPacket,
  callback: (error?: Error | null) => void,
) => void
/** The hook `authorizeSubscribe` with a callback. */
export type AuthorizeSubscribeHandler = (
  client: Client,
  subscription: Subscription,
  callback: (error: Error | null, subscription?: Subscription | null) => void,
) => void
/** The hook `authorizeForward`, which returns the packet or a falsy value. */
export type AuthorizeForwardHandler = (
  client: Client,
  packet: AedesPublishPacket,
) => AedesPublishPacket | null | undefined | void
/** The hook `published` with a callback. */
export type PublishedHandler = (
  packet: AedesPublishPacket,
  client: Client,
  callback: (error?: Error | null) => void,
) => void
/** The hook `decodeProtocol`, which returns what it has found before the MQTT bytes. */
export type DecodeProtocolHandler = (client: Client, buffer: Buffer) => object | null | undefined
