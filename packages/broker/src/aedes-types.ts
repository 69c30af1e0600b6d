import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { BrokerPacket, Client } from '@x/broker-core'
import type { ConnectPacket, PublishPacket, Subscription as PacketSubscription } from '@x/packet'
import type { BrokerOptions } from './create-broker.ts'

// Names under which programs written for Aedes import its types.

export type AedesOptions = BrokerOptions
export type AedesPublishPacket = BrokerPacket
export type Connection = Duplex | Socket
export type Subscription = PacketSubscription & { clientId?: string }

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
export type AuthenticateError = Error & { returnCode: AuthErrorCode }

export type PreConnectHandler = (
  client: Client,
  packet: ConnectPacket,
  callback: (error: Error | null, success: boolean) => void,
) => void
export type AuthenticateHandler = (
  client: Client,
  username: string | undefined,
  password: Buffer | undefined,
  done: (error: AuthenticateError | null, success: boolean | null) => void,
) => void
export type AuthorizePublishHandler = (
  client: Client | null,
  packet: PublishPacket,
  callback: (error?: Error | null) => void,
) => void
export type AuthorizeSubscribeHandler = (
  client: Client,
  subscription: Subscription,
  callback: (error: Error | null, subscription?: Subscription | null) => void,
) => void
export type AuthorizeForwardHandler = (
  client: Client,
  packet: AedesPublishPacket,
) => AedesPublishPacket | null | undefined | void
export type PublishedHandler = (
  packet: AedesPublishPacket,
  client: Client,
  callback: (error?: Error | null) => void,
) => void
export type DecodeProtocolHandler = (client: Client, buffer: Buffer) => object | null | undefined
