import type { EventEmitter } from 'node:events'
import type { MaybePromise } from '@x/contract'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { BrokerErrorCode } from '../ground/broker-error.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { Outcome } from './outcome.ts'
import type { DoneCallback } from './outcome.ts'
import { printable } from '../ground/printable.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Characters of a warning. */
const longestWarning = 1000

/** Codes of the program's code that failed while the engine called it. */
export type ProgramFaultCode = Extract<
  BrokerErrorCode,
  'LISTENER_FAILED' | 'CALLBACK_FAILED' | 'SUBSCRIBER_FAILED' | 'HOOK_FAILED' | 'PLUGIN_FAILED'
>

/** Reports that a function or hook of the program failed on a message that is published all the same. */
export type FaultReport = (code: ProgramFaultCode, what: string, thrown: unknown) => void

/** Catches what the program's code throws or rejects when the engine calls it, so that it affects neither the engine's state nor other
 * listeners nor clients: it becomes the broker's `error` event. */
export class ProgramFaults {
  readonly #broker: EventEmitter
  /** Codes that have become a process warning. */
  readonly #warned = new Set<string>()

  constructor(broker: EventEmitter) {
    this.#broker = broker
  }

  /** Emits `error` in a tick of its own, so that a listener does not run in the middle of what failed. */
  report(error: Error): void {
    process.nextTick(() => this.#broker.emit('error', error))
  }

  /** Reports what the program's code threw. `what` names the code. */
  add(code: ProgramFaultCode, what: string, thrown: unknown): void {
    this.report(programFault(code, what, thrown))
  }

  /** Calls all listeners of the event, even when one throws. False: there are none. */
  tell(emitter: EventEmitter, event: string | symbol, values: readonly unknown[]): boolean {
    const listeners = emitter.rawListeners(event)
    for (const listener of listeners) {
      try {
        const returned: unknown = Reflect.apply(listener, emitter, values)
        if (isPromise(returned))
          returned.then(undefined, (error: unknown) => this.#listenerFailed(emitter, event, error))
      } catch (error) {
        this.#listenerFailed(emitter, event, error)
      }
    }
    return listeners.length > 0
  }

  /** Calls a callback of the program. */
  callBack(callback: (() => unknown) | undefined): void {
    try {
      const returned: unknown = callback?.()
      if (isPromise(returned))
        returned.then(undefined, (error: unknown) => this.add('CALLBACK_FAILED', 'a callback', error))
    } catch (error) {
      this.add('CALLBACK_FAILED', 'a callback', error)
    }
  }

  /** Takes a step for a caller that uses a callback, the promise, or neither; in the last case a failure is reported. The callback is
   * never called before this method returns. */
  settle(step: () => MaybePromise<void>, done?: DoneCallback): Promise<void> | void {
    const outcome = new Outcome(step, error => this.report(toError(error)))
    if (done === undefined) return outcome
    void outcome.then(
      () => this.callBack(() => done()),
      (error: unknown) => this.callBack(() => done(toError(error))),
    )
  }

  /** Emits a process warning, once for each code: for an `error` without a listener, and for what a listener of `error` throws. */
  warn(error: Error): void {
    const code = 'code' in error ? String(error.code) : error.name
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(printable(error.message, longestWarning), {
      type: 'BrokerWarning',
      code,
      detail: "Further ones with this code are not shown. Listen to the broker's event 'error' for all of them.",
    })
  }

  #listenerFailed(emitter: EventEmitter, event: string | symbol, thrown: unknown): void {
    const what = `a listener of '${String(event)}'`
    // Emitting `error` would fail in the same listener again.
    if (event === 'error' && emitter === this.#broker) this.warn(programFault('LISTENER_FAILED', what, thrown))
    else this.add('LISTENER_FAILED', what, thrown)
  }
}

/** Errors that name the program's function themselves. */
const telling: ReadonlySet<BrokerErrorCode> = new Set(['SUBSCRIBER_TIMEOUT', 'NESTED_TOO_DEEP'])

/** The error of the program's code. `what` names the code; the original error is the cause. */
export function programFault(code: ProgramFaultCode, what: string, thrown: unknown): BrokerError {
  if (thrown instanceof BrokerError && telling.has(thrown.code)) return thrown
  const cause = toError(thrown)
  return new BrokerError(code, {
    message: `${what} failed: ${cause.message}`,
    reasonCode: ReasonCode.implementationSpecificError,
    cause,
  })
}
