import type { MaybePromise } from '@x/contract'
import { BrokerError } from './broker-error.ts'
import { isPromise, ownPromise } from './maybe-promise.ts'
import { printable } from './printable.ts'
import { ReasonCode } from './reason-code.ts'

type Fields = Readonly<Record<string, unknown>>

/** What the engine builds on in the result of a method, and how that is said. */
interface Form {
  readonly may: string
  readonly holds: (result: unknown) => boolean
}

const flags: Form = { may: 'an array', holds: Array.isArray }
const entries: Form = {
  may: 'an array of entries with sequence, message and qos',
  holds: result => isArrayOf(result, isEntry),
}

type CheckedMethod =
  | 'openSession'
  | 'closeSession'
  | 'subscribe'
  | 'unsubscribe'
  | 'read'
  | 'entry'
  | 'claim'
  | 'retained'
  | 'claimDue'
  | 'counts'

const forms: Readonly<Record<CheckedMethod, Form>> = {
  openSession: {
    may: 'an opened session with handle, subscriptions, received, sentThrough and lastSequence',
    holds: result =>
      isObject(result) &&
      isObject(result['handle']) &&
      isArrayOf(result['subscriptions'], one => isObject(one) && typeof one['filter'] === 'string') &&
      Array.isArray(result['received']) &&
      typeof result['sentThrough'] === 'number' &&
      typeof result['lastSequence'] === 'number' &&
      isWillOrNone(result['dueWill']),
  },
  closeSession: { may: 'undefined or a will', holds: isWillOrNone },
  subscribe: flags,
  unsubscribe: flags,
  read: entries,
  entry: { may: 'an entry or undefined', holds: result => result === undefined || isEntry(result) },
  claim: entries,
  retained: { may: 'an iterable of messages', holds: result => isObject(result) && Symbol.iterator in result },
  claimDue: {
    may: 'an array of wills and expired sessions',
    holds: result =>
      isArrayOf(
        result,
        one => isObject(one) && (one['kind'] === 'will' ? isWill(one['will']) : typeof one['clientId'] === 'string'),
      ),
  },
  counts: {
    may: 'an object with numbers',
    holds: result => isObject(result) && typeof result['sessions'] === 'number',
  },
}

/** Returns the result that this method of the store has given.
 * @throws BrokerError `STORE_RESULT_INVALID`; a promise rejects with it */
export function storeResult<Result>(method: CheckedMethod, result: MaybePromise<Result>): MaybePromise<Result> {
  if (isPromise(result)) return ownPromise(result).then(later => storeResult(method, later))
  const { may, holds } = forms[method]
  if (holds(result)) return result
  throw new BrokerError('STORE_RESULT_INVALID', {
    message: `${method} of the store returned ${shown(result)}, it must return ${may}`,
    reasonCode: ReasonCode.implementationSpecificError,
  })
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

function isArrayOf(value: unknown, holds: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds)
}

function isEntry(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['sequence'] === 'number' &&
    typeof value['qos'] === 'number' &&
    isMessage(value['message'])
  )
}

function isMessage(value: unknown): boolean {
  return isObject(value) && typeof value['topic'] === 'string' && value['payload'] instanceof Uint8Array
}

function isWill(value: unknown): boolean {
  return isObject(value) && typeof value['clientId'] === 'string' && isMessage(value['message'])
}

function isWillOrNone(value: unknown): boolean {
  return value === undefined || isWill(value)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${printable(value, 64)}'`
  if (Array.isArray(value)) return 'an array of something else'
  return typeof value === 'object' && value !== null ? 'an object of another form' : String(value)
}
