import type { Clock } from '@x/contract'
import { BrokerError } from './broker-error.ts'
import type { Deadlined, DeadlineWheel } from './deadline-wheel.ts'
import { ReasonCode } from './reason-code.ts'

/** A hook that did not answer at once. Its first answer counts; what comes later is of no interest. */
export class HookCall {
  readonly name: string
  /** ms since the epoch after which it is answered with an error. */
  readonly deadline: number
  readonly answer: Promise<unknown>
  #settle: { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void } | undefined

  constructor(name: string, deadline: number) {
    this.name = name
    this.deadline = deadline
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  answered(answer: unknown): void {
    this.#settle?.resolve(answer)
    this.#settle = undefined
  }

  failed(error: Error): void {
    this.#settle?.reject(error)
    this.#settle = undefined
  }
}

/** The hooks that are to answer yet, and how long they may take: `hookTimeout` ms, 0 for ever. */
export class HookCalls implements Deadlined {
  wheelTick = 0
  readonly #wheel: DeadlineWheel
  readonly #clock: Clock
  readonly #timeout: number
  /** Oldest first. All have the same time, so the first one is due first, and one appointment serves all. */
  readonly #open = new Set<HookCall>()

  constructor(wheel: DeadlineWheel, clock: Clock, timeout: number) {
    this.#wheel = wheel
    this.#clock = clock
    this.#timeout = timeout
  }

  get size(): number {
    return this.#open.size
  }

  begin(name: string): HookCall {
    const call = new HookCall(name, this.#clock.now() + this.#timeout)
    if (this.#timeout === 0) return call
    this.#open.add(call)
    if (this.#open.size === 1) this.#wheel.schedule(this, call.deadline)
    return call
  }

  /** The call is answered, if it wasn't. */
  end(call: HookCall, answer: unknown): void {
    this.#open.delete(call)
    call.answered(answer)
  }

  /** The call has failed, if it wasn't answered. */
  fail(call: HookCall, error: Error): void {
    this.#open.delete(call)
    call.failed(error)
  }

  checkDeadlines(now: number): number {
    for (const call of this.#open) {
      if (call.deadline > now) return call.deadline
      this.fail(
        call,
        new BrokerError('HOOK_TIMEOUT', {
          message: `hook ${call.name} did not answer within hookTimeout of ${this.#timeout} ms`,
          reasonCode: ReasonCode.implementationSpecificError,
        }),
      )
    }
    return 0
  }
}
