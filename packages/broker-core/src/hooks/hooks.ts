import type { MaybePromise } from '@x/contract'
import type { ConnectPacket } from '@x/packet'
import type { Subscription as PacketSubscription } from '@x/packet'
import type { Client, ProgramBroker } from './client.ts'
import type { ConnectionDetails } from './connection-details.ts'
import type { BrokerPacket, IncomingPacket } from '../message/broker-packet.ts'

/** A callback in Node's style. An error takes precedence over a result. Only the first call counts. */
export type HookCallback<Result> = (error?: Error | null, result?: Result | null) => void

/** One step of an enhanced authentication, as the client has sent it. */
export interface AuthenticationExchange {
  readonly method: string
  readonly data: Buffer | undefined
  /** - `connect`: the first step, in CONNECT
   * - `continue`: the response to the last challenge
   * - `reauthenticate`: the first step of a further authentication of a connected client */
  readonly step: 'connect' | 'continue' | 'reauthenticate'
  readonly username: string | undefined
  readonly password: Buffer | undefined
}

/** `done` ends the authentication with success; otherwise `data` is the next challenge. */
export interface AuthenticationStep {
  readonly done: boolean
  readonly data?: Buffer
}

/** Every hook may be written in either style: a function that declares the callback parameter calls it with the result; one that doesn't
 * returns the result or a promise of it (a throw or rejection is the error). `this` is the broker. */
type Hook<Parameters_ extends unknown[], Result> = HookFunction<
  [...parameters: Parameters_, done: HookCallback<Result>],
  MaybePromise<Result> | void
>
/** A method type, so that parameters may be declared more narrowly: programs write `client: Client` where it can be null, as Aedes's
 * types do. */
type HookFunction<Parameters_ extends unknown[], Result> = {
  method(this: ProgramBroker, ...parameters: Parameters_): Result
}['method']

/** Called before the client is known. Any result but `true` closes the connection without CONNACK. In JavaScript a function of two
 * parameters may also be `(client, done)`, as Aedes had it once. */
export type PreConnectHook = Hook<[client: Client, packet: ConnectPacket], boolean>
/** `true` lets the client in. An error may carry `returnCode` (3.1.1) or `reasonCode` (5.0) for the CONNACK. */
export type AuthenticateHook = Hook<
  [client: Client, username: string | undefined, password: Buffer | undefined],
  boolean
>
/** Enhanced authentication: called for CONNECT with an Authentication Method, for each AUTH that answers a challenge, and when
 * the client authenticates again. An error refuses the client; its `reasonCode` is told. MQTT 5.0 §4.12 */
export type AuthenticateEnhancedHook = Hook<[client: Client, exchange: AuthenticationExchange], AuthenticationStep>
/** May change the packet. An error refuses it: 3.x clients are disconnected, 5.0 clients get its reason code. */
export type AuthorizePublishHook = Hook<[client: Client | null, packet: IncomingPacket], void>
/** Why a filter is denied: a code of 0x80 or more that SUBACK may carry. MQTT 3.1.1 clients get 0x80. MQTT 5.0 §3.9.3 */
export interface SubscriptionDenial {
  readonly reasonCode: number
}
/** Returns the subscription to grant, changed or not. Null denies it with 0x87, Not authorized; a `SubscriptionDenial` with its
 * reason code. */
export type AuthorizeSubscribeHook = Hook<
  [client: Client, subscription: PacketSubscription],
  PacketSubscription | SubscriptionDenial | null | undefined
>
/** Called for every delivery. Returns the packet that this client gets, or null for none. Synchronous. */
export type AuthorizeForwardHook = HookFunction<
  [client: Client, packet: BrokerPacket],
  BrokerPacket | null | undefined | void
>
/** Called when a message is stored and routed; the publisher's acknowledgement waits for it. */
export type PublishedHook = Hook<[packet: BrokerPacket, client: Client | null], void>

/** With `trustProxy`: reads the first bytes of each connection and returns what it found in them, for `client.connDetails`: an object
 * with fields of `ConnectionDetails`, or of the program's own. The bytes in its `data` replace those that came. Synchronous; a throw
 * closes the connection. */
export type DecodeProtocolHook = HookFunction<
  [client: Client, bytes: Buffer],
  ConnectionDetails | Buffer | { data?: Buffer } | null | undefined | void
>

/** The hooks as options of a broker; null or undefined: not set. */
export interface HookOptions {
  decodeProtocol?: DecodeProtocolHook | null
  preConnect?: PreConnectHook | null
  authenticate?: AuthenticateHook | null
  authenticateEnhanced?: AuthenticateEnhancedHook | null
  authorizePublish?: AuthorizePublishHook | null
  authorizeSubscribe?: AuthorizeSubscribeHook | null
  authorizeForward?: AuthorizeForwardHook | null
  published?: PublishedHook | null
}

/** The hooks in the form that the engine calls; undefined where none is set, so that it costs nothing. */
export interface NormalisedHooks {
  decodeProtocol?: (client: Client, bytes: Buffer) => ConnectionDetails | null | undefined
  preConnect?: (client: Client, packet: ConnectPacket) => MaybePromise<boolean | undefined>
  authenticate?: (
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
  ) => MaybePromise<boolean | undefined>
  authenticateEnhanced?: (client: Client, exchange: AuthenticationExchange) => MaybePromise<AuthenticationStep>
  authorizePublish?: (client: Client | null, packet: IncomingPacket) => MaybePromise<unknown>
  authorizeSubscribe?: (
    client: Client,
    subscription: PacketSubscription,
  ) => MaybePromise<PacketSubscription | SubscriptionDenial | null | undefined>
  authorizeForward?: (client: Client, packet: BrokerPacket) => BrokerPacket | null | undefined | void
  published?: (packet: BrokerPacket, client: Client | null) => MaybePromise<unknown>
}
