import type { MaybePromise } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { ProgramBroker } from './client.ts'
import { hookResults, hookFailure, isDenial, isPermission } from './hook-results.ts'
import type { HookStyle } from './hook-results.ts'
import type { HookCall, HookCalls } from './hook-call.ts'
import type { HookOptions } from './hooks.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import type { BrokerPacket } from '../message/broker-packet.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { ignore } from '../ground/ignore.ts'

/** A hook as the program has set it. */
export interface RawHook {
  readonly name: keyof HookOptions
  readonly call: (...values: never[]) => unknown
  /** How many parameters it has without the callback. */
  readonly parameters: number
  /** The program's hook that it takes the place of. */
  readonly before?: unknown
}

/** Reads the result of a hook; throws if the hook may not return it. */
type ReadResult = (result: unknown, parameters: readonly unknown[], style: HookStyle) => unknown

/** Turns a hook of either style into a function that returns its result, or a promise that settles within `hookTimeout`. A result that
 * `hookResults` does not list is thrown as an error, and so is what the hook throws. */
export function normaliseHook(
  { name, call, parameters, before }: RawHook,
  broker: ProgramBroker,
  calls: HookCalls,
): (...values: unknown[]) => MaybePromise<unknown> {
  const hook = call as UnknownHook
  const read = readerOf(name)
  if ((hook.length > parameters || isWrapper(hook, before, parameters)) && hookResults[name].synchronous !== true) {
    return (...values) => callWithCallback({ name, calls, read, hook: hook.bind(broker) }, values)
  }
  return (...values) => {
    let result: unknown
    try {
      result = hook.apply(broker, values)
    } catch (error) {
      throw hookFailure(name, 'threw', error)
    }
    if (!isPromise(result)) return read(result, values, 'value')
    if (hookResults[name].synchronous === true) return readPromise(result, values, read)
    return inTime(name, calls, result).then(value => read(value, values, 'promise'))
  }
}

type UnknownHook = (...values: unknown[]) => unknown

/** Whether a function that declares no parameters passes all on to the hook that was there before, which calls back:
 * `broker.authenticate = (...all) => before.apply(broker, all)`. */
function isWrapper(hook: UnknownHook, before: unknown, parameters: number): boolean {
  if (hook.length > 0 || typeof before !== 'function' || before.length <= parameters) return false
  return /^[^{]*\(\s*\.\.\.|\barguments\b/.test(Function.prototype.toString.call(hook))
}

/** Returns the reader of this hook's results, in the form that the engine uses. */
function readerOf(name: keyof HookOptions): ReadResult {
  const isAllowed: ReadResult = (result, parameters, style) => isPermission(name, result, { parameters, style })
  switch (name) {
    case 'preConnect':
    case 'authenticate':
      return isAllowed
    case 'authorizePublish':
      return (result, parameters, style) => {
        if (result !== undefined && !isAllowed(result, parameters, style)) throw refusedPublish(parameters)
      }
    case 'authorizeSubscribe':
      return (result, parameters, style) => (isAllowed(result, parameters, style) || isDenial(result) ? result : null)
    default:
      return (result, parameters, style) => (isAllowed(result, parameters, style) ? result : null)
  }
}

function refusedPublish([, packet]: readonly unknown[]): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: `authorizePublish refused a message to '${(packet as BrokerPacket).topic}'`,
    reasonCode: ReasonCode.notAuthorized,
  })
}

/** A synchronous hook may not return a promise. Its rejection is handled here, since nobody else will. */
function readPromise(result: Promise<unknown>, values: readonly unknown[], read: ReadResult): unknown {
  result.then(ignore, ignore)
  return read(result, values, 'value')
}

function inTime(name: string, calls: HookCalls, result: Promise<unknown>): Promise<unknown> {
  const call = calls.begin(name)
  // A thenable that is no promise may throw in its `then`.
  Promise.resolve(result).then(
    value => calls.end(call, value),
    (error: unknown) => calls.fail(call, hookFailure(name, 'rejected with', error)),
  )
  return call.result
}

interface CallbackHook {
  readonly name: string
  readonly calls: HookCalls
  readonly read: ReadResult
  readonly hook: UnknownHook
}

/** A callback that is called before the hook returns needs no promise. Only the first call counts. A throw or a rejection counts as an
 * error. */
function callWithCallback({ name, calls, read, hook }: CallbackHook, values: unknown[]): MaybePromise<unknown> {
  const outcome: { isCalled: boolean; error?: Error | undefined; value?: unknown; call?: HookCall } = {
    isCalled: false,
  }
  const conclude = (error: Error | undefined, value: unknown): void => {
    if (outcome.call === undefined) {
      if (!outcome.isCalled) Object.assign(outcome, { isCalled: true, error, value })
    } else if (error === undefined) calls.end(outcome.call, value)
    else calls.fail(outcome.call, error)
  }
  const done = (error?: unknown, value?: unknown): void =>
    conclude(error === undefined || error === null ? undefined : hookFailure(name, 'called back with', error), value)
  let returned: unknown
  try {
    returned = hook(...values, done)
  } catch (error) {
    throw hookFailure(name, 'threw', error)
  }
  if (isPromise(returned)) {
    Promise.resolve(returned).catch((error: unknown) => conclude(hookFailure(name, 'rejected with', error), undefined))
  }
  if (!outcome.isCalled) {
    outcome.call = calls.begin(name)
    return outcome.call.result.then(value => read(value, values, 'callback'))
  }
  if (outcome.error !== undefined) throw outcome.error
  return isPromise(outcome.value)
    ? inTime(name, calls, outcome.value).then(value => read(value, values, 'callback'))
    : read(outcome.value, values, 'callback')
}
