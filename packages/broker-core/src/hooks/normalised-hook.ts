import type { MaybePromise } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { ProgramBroker } from './client.ts'
import { hookAnswers, hookFailure, isDenial, isPermission } from './hook-answers.ts'
import type { HookStyle } from './hook-answers.ts'
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
type ReadAnswer = (answer: unknown, parameters: readonly unknown[], style: HookStyle) => unknown

/** Turns a hook of either style into a function that returns its result, or a promise that settles within `hookTimeout`. A result that
 * `hookAnswers` does not list is thrown as an error, and so is what the hook throws. */
export function normaliseHook(
  { name, call, parameters, before }: RawHook,
  broker: ProgramBroker,
  calls: HookCalls,
): (...values: unknown[]) => MaybePromise<unknown> {
  const hook = call as UnknownHook
  const read = readerOf(name)
  if ((hook.length > parameters || isWrapper(hook, before, parameters)) && hookAnswers[name].synchronous !== true) {
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

/** Whether a function that declares no parameters passes all on to the hook that was there before, which calls back:
 * `broker.authenticate = (...all) => before.apply(broker, all)`. */
function isWrapper(hook: UnknownHook, before: unknown, parameters: number): boolean {
  if (hook.length > 0 || typeof before !== 'function' || before.length <= parameters) return false
  return /^[^{]*\(\s*\.\.\.|\barguments\b/.test(Function.prototype.toString.call(hook))
}

/** Returns the reader of this hook's results, in the form that the engine uses. */
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

/** A synchronous hook may not return a promise. Its rejection is handled here, since nobody else will. */
function readPromise(answer: Promise<unknown>, values: readonly unknown[], read: ReadAnswer): unknown {
  answer.then(ignore, ignore)
  return read(answer, values, 'value')
}

function inTime(name: string, calls: HookCalls, answer: Promise<unknown>): Promise<unknown> {
  const call = calls.begin(name)
  // A thenable that is no promise may throw in its `then`.
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

/** A callback that is called before the hook returns needs no promise. Only the first call counts. A throw or a rejection counts as an
 * error. */
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
