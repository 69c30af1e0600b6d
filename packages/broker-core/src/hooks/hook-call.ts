import { LatencyHistogram } from '@x/contract'
import type { Clock } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { moreIsDue, shareOfDue } from '../ground/deadline-wheel.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** A call that may take `hookTimeout` at most. */
export interface TimedCall {
  /** Time of the clock, in ms, after which `expire` is called; {@link HookCalls.watch} sets it. */
  deadline: number
  expire(timeout: number): void
}

interface Settle {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** A call of a hook that is asynchronous. Its first result counts; later ones are ignored. */
export class HookCall implements TimedCall {
  readonly name: string
  deadline = 0
  readonly result: Promise<unknown>
  readonly #begun = performance.now()
  readonly #latency: LatencyHistogram
  #settle: Settle | undefined

  constructor(name: string, latency: LatencyHistogram) {
    this.name = name
    this.#latency = latency
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  returned(result: unknown): void {
    this.#end()?.resolve(result)
  }

  failed(error: Error): void {
    this.#end()?.reject(error)
  }

  /** Undefined: it has ended before. */
  #end(): Settle | undefined {
    const settle = this.#settle
    this.#settle = undefined
    if (settle !== undefined) this.#latency.add(performance.now() - this.#begun)
    return settle
  }

  expire(timeout: number): void {
    this.failed(
      new BrokerError('HOOK_TIMEOUT', {
        message: `hook ${this.name} was not done within hookTimeout of ${timeout} ms`,
        reasonCode: ReasonCode.implementationSpecificError,
      }),
    )
  }
}

/** The calls of hooks and subscribers that have not ended, each of which may take `hookTimeout` ms (0: no limit). */
export class HookCalls implements Deadlined {
  wheelTick = 0
  readonly #wheel: DeadlineWheel
  readonly #clock: Clock
  readonly #timeout: number
  /** Oldest first. All have the same timeout, so the first is due first, and one appointment serves all. */
  readonly #open = new Set<TimedCall>()
  /** How long asynchronous hooks took, by name. */
  readonly latencies: Map<string, LatencyHistogram> = new Map()

  constructor(wheel: DeadlineWheel, clock: Clock, timeout: number) {
    this.#wheel = wheel
    this.#clock = clock
    this.#timeout = timeout
  }

  begin(name: string): HookCall {
    const call = new HookCall(name, this.#latencyOf(name))
    this.watch(call)
    return call
  }

  #latencyOf(name: string): LatencyHistogram {
    const known = this.latencies.get(name)
    if (known !== undefined) return known
    const latency = new LatencyHistogram()
    this.latencies.set(name, latency)
    return latency
  }

  watch(call: TimedCall): void {
    if (this.#timeout === 0) return
    call.deadline = this.#clock.now() + this.#timeout
    this.#open.add(call)
    if (this.#open.size === 1) this.#wheel.schedule(this, call.deadline)
  }

  /** Stops watching a call that has ended. */
  forget(call: TimedCall): void {
    this.#open.delete(call)
  }

  /** Ends the call with a result, unless it has ended. */
  end(call: HookCall, result: unknown): void {
    this.#open.delete(call)
    call.returned(result)
  }

  /** Ends the call with an error, unless it has ended. */
  fail(call: HookCall, error: Error): void {
    this.#open.delete(call)
    call.failed(error)
  }

  checkDeadlines(now: number): number {
    let left = shareOfDue
    for (const call of this.#open) {
      if (call.deadline > now) return call.deadline
      if (left === 0) return moreIsDue
      left -= 1
      this.#open.delete(call)
      call.expire(this.#timeout)
    }
    return 0
  }
}
