import type { MaybePromise } from '@x/contract'
import type { ConnectPacket } from '@x/packet'
import type { Subscription as PacketSubscription } from '@x/packet'
import { toError } from './broker-error.ts'
import type { Broker } from './broker.ts'
import type { Client, ConnectionDetails } from './client.ts'
import type { HookCall, HookCalls } from './hook-call.ts'
import { isPromise } from './maybe-promise.ts'
import type { BrokerPacket } from './packet-form.ts'

/** A callback in Node's style; an error wins over an answer. Only its first call counts. */
export type HookCallback<Answer> = (error?: Error | null, answer?: Answer) => void

/** What the client has sent of an enhanced authentication. */
export interface AuthenticationExchange {
  readonly method: string
  readonly data: Buffer | undefined
  /** - `connect`: the first step, in CONNECT
   * - `continue`: the answer to our last challenge
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

/** Every hook may be written in either style: with the callback parameter declared, it answers by calling it; without,
 * by its return value or promise (a throw or rejection is the error). `this` is the broker. */
type Hook<Parameters_ extends unknown[], Answer> = (
  this: Broker,
  ...parameters: [...Parameters_, done: HookCallback<Answer>]
) => MaybePromise<Answer> | void

/** Before anything of the client is known. Anything but `true` closes the connection without CONNACK. In JavaScript a function
 * of two parameters may also be `(client, done)`, as Aedes had it once. */
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
export type AuthorizePublishHook = Hook<[client: Client | null, packet: BrokerPacket], void>
/** Answers the subscription to grant, changed or not; null denies it. */
export type AuthorizeSubscribeHook = Hook<
  [client: Client, subscription: PacketSubscription],
  PacketSubscription | null | undefined
>
/** Called for every delivery; answers what this client gets of the message, null for nothing. Synchronous. */
export type AuthorizeForwardHook = (
  this: Broker,
  client: Client,
  packet: BrokerPacket,
) => BrokerPacket | null | undefined | void
/** After a message is stored and routed; the publisher's acknowledgement waits for it. */
export type PublishedHook = Hook<[packet: BrokerPacket, client: Client | null], void>

/** With `trustProxy`: looks at the bytes that come before a CONNECT, and answers what it found in them, for `client.connDetails`;
 * with `data`, these take the place of the bytes. Synchronous; a throw closes the connection. */
export type DecodeProtocolHook = (this: Broker, client: Client, bytes: Buffer) => ConnectionDetails | null | undefined

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

/** The hooks in the one form the engine calls; undefined where none is set, so that it costs nothing. */
export interface NormalisedHooks {
  decodeProtocol?: (client: Client, bytes: Buffer) => ConnectionDetails | null | undefined
  preConnect?: (client: Client, packet: ConnectPacket) => MaybePromise<boolean | undefined>
  authenticate?: (
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
  ) => MaybePromise<boolean | undefined>
  authenticateEnhanced?: (client: Client, exchange: AuthenticationExchange) => MaybePromise<AuthenticationStep>
  authorizePublish?: (client: Client | null, packet: BrokerPacket) => MaybePromise<unknown>
  authorizeSubscribe?: (
    client: Client,
    subscription: PacketSubscription,
  ) => MaybePromise<PacketSubscription | null | undefined>
  authorizeForward?: (client: Client, packet: BrokerPacket) => BrokerPacket | null | undefined | void
  published?: (packet: BrokerPacket, client: Client | null) => MaybePromise<unknown>
}

/** A hook before it is brought into the engine's form. */
export interface RawHook {
  readonly name: keyof HookOptions
  readonly call: (...values: never[]) => unknown
  /** How many parameters it has without the callback. */
  readonly parameters: number
}

/** Turns a hook of either style into a function that answers directly or by a promise, in time. */
export function normaliseHook(
  { name, call, parameters }: RawHook,
  broker: Broker,
  calls: HookCalls,
): (...values: unknown[]) => MaybePromise<unknown> {
  const hook = call as (...values: unknown[]) => unknown
  if (hook.length > parameters) return (...values) => callWithCallback(name, calls, hook.bind(broker), values)
  return (...values) => {
    const answer = hook.apply(broker, values)
    return isPromise(answer) ? inTime(name, calls, answer) : answer
  }
}

function inTime(name: string, calls: HookCalls, answer: Promise<unknown>): Promise<unknown> {
  const call = calls.begin(name)
  answer.then(
    value => calls.end(call, undefined, value),
    (error: unknown) => calls.end(call, error ?? new Error(`hook ${name} was rejected`)),
  )
  return call.answer
}

/** A callback that is called before the hook returns needs no promise. Only the first answer counts; a hook that throws or
 * rejects has answered with an error. */
function callWithCallback(
  name: string,
  calls: HookCalls,
  hook: (...values: unknown[]) => unknown,
  values: unknown[],
): MaybePromise<unknown> {
  const outcome: { answered: boolean; error?: unknown; value?: unknown; call?: HookCall } = { answered: false }
  const done = (error?: unknown, value?: unknown): void => {
    if (outcome.call !== undefined) calls.end(outcome.call, error, value)
    else if (!outcome.answered) Object.assign(outcome, { answered: true, error, value })
  }
  const returned = hook(...values, done)
  if (isPromise(returned)) returned.catch((error: unknown) => done(error ?? new Error(`hook ${name} was rejected`)))
  if (!outcome.answered) {
    outcome.call = calls.begin(name)
    return outcome.call.answer
  }
  if (outcome.error) throw toError(outcome.error)
  return outcome.value
}
