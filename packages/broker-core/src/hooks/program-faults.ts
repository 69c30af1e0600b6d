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

/** What of the program can fail while the engine is calling it, and is nobody else's fault. */
export type ProgramFaultCode = Extract<
  BrokerErrorCode,
  'LISTENER_FAILED' | 'CALLBACK_FAILED' | 'SUBSCRIBER_FAILED' | 'HOOK_FAILED' | 'PLUGIN_FAILED'
>

/** Takes what functions and hooks of the program did wrong with a message that is published all the same. */
export type FaultReport = (code: ProgramFaultCode, what: string, thrown: unknown) => void

/** What the program's code throws or rejects when the engine calls it. Nothing of it reaches the engine's own state, another listener
 * or a client: it becomes the broker's `error` event. */
export class ProgramFaults {
  readonly #broker: EventEmitter
  /** Codes of which the process was warned. */
  readonly #warned = new Set<string>()

  constructor(broker: EventEmitter) {
    this.#broker = broker
  }

  /** Reports what is nobody's in particular; on its own, not in the middle of what failed. */
  report(error: Error): void {
    process.nextTick(() => this.#broker.emit('error', error))
  }

  /** The same for something of the program. `what` names it. */
  add(code: ProgramFaultCode, what: string, thrown: unknown): void {
    this.report(programFault(code, what, thrown))
  }

  /** Calls all listeners of the event, whatever the others do. False: there are none. */
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

  /** Calls what the program has given to be called once something is done. */
  callBack(callback: (() => unknown) | undefined): void {
    try {
      const returned: unknown = callback?.()
      if (isPromise(returned))
        returned.then(undefined, (error: unknown) => this.add('CALLBACK_FAILED', 'a callback', error))
    } catch (error) {
      this.add('CALLBACK_FAILED', 'a callback', error)
    }
  }

  /** Takes a step for a caller who wants a callback or a promise, or neither: then a failure is reported. The callback never comes before
   * this returns. */
  settle(step: () => MaybePromise<void>, done?: DoneCallback): Promise<void> | void {
    const outcome = new Outcome(step, error => this.report(toError(error)))
    if (done === undefined) return outcome
    void outcome.then(
      () => this.callBack(() => done()),
      (error: unknown) => this.callBack(() => done(toError(error))),
    )
  }

  /** For an `error` that nobody listens to, and for what a listener of `error` throws: once for each code. */
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
    // Telling the listeners of `error` of it would come back here.
    if (event === 'error' && emitter === this.#broker) this.warn(programFault('LISTENER_FAILED', what, thrown))
    else this.add('LISTENER_FAILED', what, thrown)
  }
}

/** What says by itself which function of the program is meant. */
const telling: ReadonlySet<BrokerErrorCode> = new Set(['SUBSCRIBER_TIMEOUT', 'NESTED_TOO_DEEP'])

export function programFault(code: ProgramFaultCode, what: string, thrown: unknown): BrokerError {
  if (thrown instanceof BrokerError && telling.has(thrown.code)) return thrown
  const cause = toError(thrown)
  return new BrokerError(code, {
    message: `${what} failed: ${cause.message}`,
    reasonCode: ReasonCode.implementationSpecificError,
    cause,
  })
}
