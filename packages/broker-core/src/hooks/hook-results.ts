import { reasonCodeTable } from '@x/packet'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { HookOptions, SubscriptionDenial } from './hooks.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** The source of a hook's result: its return value, the promise it returns, or its callback. */
export type HookStyle = 'value' | 'promise' | 'callback'

/** A kind of result. */
interface ResultKind {
  /** Shown in the README and in error messages. */
  readonly text: string
  readonly is: (result: unknown, parameters: readonly unknown[], style: HookStyle) => boolean
}

/** A callback that is called with null as its result has no result, as in programs written for Aedes. */
const nothing: ResultKind = {
  text: 'nothing',
  is: (result, _parameters, style) => result === undefined || (style === 'callback' && result === null),
}
const noValue: ResultKind = { text: '`undefined`', is: result => result === undefined }
const nullValue: ResultKind = { text: '`null`', is: result => result === null }
const yes: ResultKind = { text: '`true`', is: result => result === true }
const no: ResultKind = { text: '`false`', is: result => result === false }
/** Aedes accepts any truthy result, a user object for instance. A returned Error is taken for a forgotten throw. */
const truthy: ResultKind = {
  text: 'a truthy value (`true`, a user object) that is no Error, function or promise',
  is: result => Boolean(result) && !(result instanceof Error) && typeof result !== 'function' && !isPromise(result),
}
const falsy: ResultKind = { text: 'a falsy value', is: result => !result }
const samePacket: ResultKind = { text: 'the packet it was given', is: (result, [, packet]) => result === packet }
const packet: ResultKind = {
  text: 'a packet',
  is: result => isRecord(result) && !isPromise(result) && typeof result['topic'] === 'string',
}
const subscription: ResultKind = {
  text: 'a subscription (`topic`, `qos` 0 to 2)',
  is: result =>
    isRecord(result) &&
    typeof result['topic'] === 'string' &&
    result['reasonCode'] === undefined &&
    isIn(result['qos'], [0, 1, 2]) &&
    isIn(result['rh'] ?? 0, [0, 1, 2]) &&
    isFlag(result['nl']) &&
    isFlag(result['rap']),
}
const denial: ResultKind = { text: '`{ reasonCode }` (0x80 or more, of SUBACK)', is: isDenial }
const step: ResultKind = {
  text: '`{ done, data? }` (boolean, Buffer)',
  is: result => isRecord(result) && typeof result['done'] === 'boolean' && isBytes(result['data']),
}
const details: ResultKind = {
  text: 'details, with `data` (Buffer) or without',
  is: result => isRecord(result) && !Array.isArray(result) && !isPromise(result) && isBytes(result['data']),
}
const anything: ResultKind = { text: 'anything', is: () => true }

const denialCodes = reasonCodeTable.suback.filter(code => code >= 0x80)

interface ResultRow {
  /** The hook is synchronous: it has no callback, and no promise is waited for. */
  readonly synchronous?: true
  readonly permits: readonly ResultKind[]
  /** Results that refuse. */
  readonly refuses: readonly ResultKind[]
  /** The effect of a permission. */
  readonly permission: string
  /** The effect of a refusal. */
  readonly refusal: string
}

/** The results that each hook may have. A result in neither list, and every error, is never a permission. */
export const hookResults: Readonly<Record<keyof HookOptions, ResultRow>> = {
  decodeProtocol: {
    synchronous: true,
    permits: [noValue, nullValue, details],
    refuses: [],
    permission: 'details become `client.connDetails`, `data` takes the place of the bytes',
    refusal: '',
  },
  preConnect: {
    permits: [yes],
    refuses: [no, noValue, nullValue],
    permission: 'CONNECT is dealt with',
    refusal: 'closed without CONNACK and without event',
  },
  authenticate: {
    permits: [truthy],
    refuses: [falsy],
    permission: 'the client is let in',
    refusal: 'CONNACK 5, or 0x87',
  },
  authenticateEnhanced: {
    permits: [step],
    refuses: [],
    permission: '`done: true` lets in; `false` sends `data` as the next challenge',
    refusal: '',
  },
  authorizePublish: {
    permits: [nothing, yes, samePacket],
    refuses: [no],
    permission: 'the message passes, as the hook has left it',
    refusal: 'PUBACK or PUBREC 0x87; MQTT 3 clients are disconnected; a will is not published',
  },
  authorizeSubscribe: {
    permits: [subscription],
    refuses: [noValue, nullValue, no, denial],
    permission: 'it is granted',
    refusal: 'this filter is denied: `reasonCode` or 0x87; 3.1.1: 0x80',
  },
  authorizeForward: {
    synchronous: true,
    permits: [packet],
    refuses: [falsy],
    permission: 'this client gets it',
    refusal: 'this client gets nothing',
  },
  published: {
    permits: [anything],
    refuses: [],
    permission: 'the publisher is acknowledged',
    refusal: '',
  },
}

/** Whether the result tells the client why a filter is denied. MQTT 5.0 §3.9.3 */
export function isDenial(result: unknown): result is SubscriptionDenial {
  return isRecord(result) && isIn(result['reasonCode'], denialCodes)
}

/** Whether the result is a permission.
 * @throws BrokerError `HOOK_RESULT_INVALID` when it is neither a permission nor a refusal */
export function isPermission(
  name: keyof HookOptions,
  result: unknown,
  given: { readonly parameters: readonly unknown[]; readonly style: HookStyle },
): boolean {
  const { permits, refuses } = hookResults[name]
  if (permits.some(kind => kind.is(result, given.parameters, given.style))) return true
  if (refuses.some(kind => kind.is(result, given.parameters, given.style))) return false
  const known = [...permits, ...refuses].map(kind => kind.text.replaceAll('`', ''))
  throw hookResultInvalid(`hook ${name} returned ${shown(result)}, it may return ${known.join(', or ')}`)
}

/** Returns what a hook threw, rejected with or called back with as an Error. Programs written for Aedes may use an object with
 * `returnCode`. A value that says nothing is a fault of the hook, and no permission. */
export function hookFailure(
  name: string,
  verb: 'threw' | 'rejected with' | 'called back with',
  thrown: unknown,
): Error {
  if (typeof thrown === 'string' && thrown !== '') return new Error(thrown)
  if (isRecord(thrown)) return isError(thrown) ? toError(thrown) : asError(thrown, `hook ${name} ${verb} an object`)
  return hookResultInvalid(`hook ${name} ${verb} ${shown(thrown)}, which is no Error`)
}

/** Copies the object's own properties to an Error. */
function asError(thrown: Readonly<Record<string, unknown>>, otherwise: string): Error {
  try {
    const { message, returnCode } = thrown
    // CONNACK's text takes the place of an empty one.
    const text = typeof returnCode === 'number' ? '' : otherwise
    return toError(Object.assign(new Error(typeof message === 'string' ? message : text), thrown))
  } catch {
    return new Error(otherwise)
  }
}

/** A proxy may throw here. */
function isError(thrown: object): boolean {
  try {
    return thrown instanceof Error
  } catch {
    return true
  }
}

/** The error of a hook whose result is not one that it may have. */
export function hookResultInvalid(message: string): BrokerError {
  return new BrokerError('HOOK_RESULT_INVALID', { message, reasonCode: ReasonCode.implementationSpecificError })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isIn(value: unknown, allowed: readonly unknown[]): boolean {
  return allowed.includes(value)
}

function isFlag(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'boolean'
}

function isBytes(value: unknown): boolean {
  return value === undefined || value === null || Buffer.isBuffer(value)
}

/** Names the kind of a value whose text could be long, or whose conversion could run the program's code. */
function shown(value: unknown): string {
  if (value instanceof Error) return 'an Error, which must be thrown,'
  if (isPromise(value)) return 'a promise'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'function') return 'a function'
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value)
}
