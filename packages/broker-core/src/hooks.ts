import type { MaybePromise } from '@x/contract'
import type { ConnectPacket } from '@x/packet'
import type { Subscription as PacketSubscription } from '@x/packet'
import { BrokerError } from './broker-error.ts'
import type { Broker } from './broker.ts'
import type { Client, ConnectionDetails } from './client.ts'
import { hookAnswers, hookFailure, isDenial, isPermission } from './hook-answers.ts'
import type { HookStyle } from './hook-answers.ts'
import type { HookCall, HookCalls } from './hook-call.ts'
import { isPromise } from './maybe-promise.ts'
import type { BrokerPacket, IncomingPacket } from './packet-form.ts'
import { ReasonCode } from './reason-code.ts'

/** A callback in Node's style; an error wins over an answer. Only its first call counts. */
export type HookCallback<Answer> = (error?: Error | null, answer?: Answer | null) => void

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
type Hook<Parameters_ extends unknown[], Answer> = HookFunction<
  [...parameters: Parameters_, done: HookCallback<Answer>],
  MaybePromise<Answer> | void
>
/** Its parameters may be declared more narrowly: programs write `client: Client` where it can be null, as Aedes's types have it. */
type HookFunction<Parameters_ extends unknown[], Answer> = {
  method(this: Broker, ...parameters: Parameters_): Answer
}['method']

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
/** Called for every delivery; answers what this client gets of the message, null for nothing. Synchronous. */
export type AuthorizeForwardHook = HookFunction<
  [client: Client, packet: BrokerPacket],
  BrokerPacket | null | undefined | void
>
/** After a message is stored and routed; the publisher's acknowledgement waits for it. */
export type PublishedHook = Hook<[packet: BrokerPacket, client: Client | null], void>

/** With `trustProxy`: looks at the bytes that come before a CONNECT, and returns what it found in them, for `client.connDetails`:
 * an object with fields of `ConnectionDetails`, or of the program's own. The bytes in its `data` take the place of those that
 * came. Synchronous; a throw closes the connection. */
export type DecodeProtocolHook = HookFunction<
  [client: Client, bytes: Buffer],
  ConnectionDetails | Buffer | { data?: Buffer } | null | undefined | void
>

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
  authorizePublish?: (client: Client | null, packet: IncomingPacket) => MaybePromise<unknown>
  authorizeSubscribe?: (
    client: Client,
    subscription: PacketSubscription,
  ) => MaybePromise<PacketSubscription | SubscriptionDenial | null | undefined>
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

/** Reads what a hook has answered; throws what it may not. */
type ReadAnswer = (answer: unknown, parameters: readonly unknown[], style: HookStyle) => unknown

/** Turns a hook of either style into a function that returns its answer, or a promise of it that settles in time. Its answer is one
 * that `hookAnswers` has; anything else is thrown, as is whatever the hook threw. */
export function normaliseHook(
  { name, call, parameters }: RawHook,
  broker: Broker,
  calls: HookCalls,
): (...values: unknown[]) => MaybePromise<unknown> {
  const hook = call as UnknownHook
  const read = readerOf(name)
  if (hook.length > parameters && hookAnswers[name].synchronous !== true) {
    return (...values) => callWithCallback({ name, calls, read, hook: hook.bind(broker) }, values)
  }
  return (...values) => {
    let answer: unknown
    try {
      answer = hook.apply(broker, values)
    } catch (error) {
      throw hookFailure(name, 'threw', error)
    }
    if (!isPromise(answer)) return read(answer, values, 'value')
    if (hookAnswers[name].synchronous === true) return readPromise(answer, values, read)
    return inTime(name, calls, answer).then(value => read(value, values, 'promise'))
  }
}

type UnknownHook = (...values: unknown[]) => unknown

/** In the form in which the engine takes permission and refusal of this hook. */
function readerOf(name: keyof HookOptions): ReadAnswer {
  const isAllowed: ReadAnswer = (answer, parameters, style) => isPermission(name, answer, { parameters, style })
  switch (name) {
    case 'preConnect':
    case 'authenticate':
      return isAllowed
    case 'authorizePublish':
      return (answer, parameters, style) => {
        if (answer !== undefined && !isAllowed(answer, parameters, style)) throw refusedPublish(parameters)
      }
    case 'authorizeSubscribe':
      return (answer, parameters, style) => (isAllowed(answer, parameters, style) || isDenial(answer) ? answer : null)
    default:
      return (answer, parameters, style) => (isAllowed(answer, parameters, style) ? answer : null)
  }
}

function refusedPublish([, packet]: readonly unknown[]): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: `authorizePublish refused a message to '${(packet as BrokerPacket).topic}'`,
    reasonCode: ReasonCode.notAuthorized,
  })
}

/** A promise where none is waited for is no answer, and its rejection is nobody else's to listen to. */
function readPromise(answer: Promise<unknown>, values: readonly unknown[], read: ReadAnswer): unknown {
  answer.then(ignore, ignore)
  return read(answer, values, 'value')
}

function ignore(): void {
  // It was reported that there is a promise at all.
}

function inTime(name: string, calls: HookCalls, answer: Promise<unknown>): Promise<unknown> {
  const call = calls.begin(name)
  // What only looks like a promise may throw in its `then`.
  Promise.resolve(answer).then(
    value => calls.end(call, value),
    (error: unknown) => calls.fail(call, hookFailure(name, 'rejected with', error)),
  )
  return call.answer
}

interface CallbackHook {
  readonly name: string
  readonly calls: HookCalls
  readonly read: ReadAnswer
  readonly hook: UnknownHook
}

/** A callback that is called before the hook returns needs no promise. Only the first answer counts; a hook that throws or
 * rejects has answered with an error. */
function callWithCallback({ name, calls, read, hook }: CallbackHook, values: unknown[]): MaybePromise<unknown> {
  const outcome: { answered: boolean; error?: Error | undefined; value?: unknown; call?: HookCall } = {
    answered: false,
  }
  const answer = (error: Error | undefined, value: unknown): void => {
    if (outcome.call === undefined) {
      if (!outcome.answered) Object.assign(outcome, { answered: true, error, value })
    } else if (error === undefined) calls.end(outcome.call, value)
    else calls.fail(outcome.call, error)
  }
  const done = (error?: unknown, value?: unknown): void =>
    answer(error === undefined || error === null ? undefined : hookFailure(name, 'called back with', error), value)
  let returned: unknown
  try {
    returned = hook(...values, done)
  } catch (error) {
    throw hookFailure(name, 'threw', error)
  }
  if (isPromise(returned)) {
    Promise.resolve(returned).catch((error: unknown) => answer(hookFailure(name, 'rejected with', error), undefined))
  }
  if (!outcome.answered) {
    outcome.call = calls.begin(name)
    return outcome.call.answer.then(value => read(value, values, 'callback'))
  }
  if (outcome.error !== undefined) throw outcome.error
  return isPromise(outcome.value)
    ? inTime(name, calls, outcome.value).then(value => read(value, values, 'callback'))
    : read(outcome.value, values, 'callback')
}
