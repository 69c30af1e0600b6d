import type { Clock, Counters } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'
import type { Ending } from './ending.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** The connection whose client is slow. */
interface FedConnection {
  readonly deadlines: Deadlined
  readonly engine: { readonly clock: Clock; readonly options: CheckedOptions; readonly wheel: DeadlineWheel }
  readonly outbox: { readonly full: boolean; readonly pending: number }
  end(ending: Ending): void
}

/** The connection of a publisher that pauses. */
interface FeedingConnection {
  readonly engine: { readonly counters: Counters }
  /** Begins to wait for a receiver; `waitedFor` ends it. Returns whether it may wait for one more. */
  waitFor(hasDrained: boolean): boolean
  waitedFor(backPressure: BackPressure): void
}

/** Back-pressure of a client that takes less than is sent to it: first its publishers pause, then its QoS 0 messages are dropped, at
 * last it is closed. Created when it happens first. */
export class BackPressure {
  readonly #connection: FedConnection
  /** When it began, in ms of the engine's clock; 0: nothing piles up now. */
  #since = 0
  /** The publishers' pause is over, and the client is still full. */
  graceOver = false
  /** The last time, the client drained before the pause was over. */
  hasDrained = false
  /** Publishers that pause for this client. */
  #waiters: Set<FeedingConnection> | undefined

  constructor(connection: FedConnection) {
    this.#connection = connection
  }

  begin(): void {
    if (this.#since > 0) return
    const { clock, wheel } = this.#connection.engine
    this.#since = clock.now()
    wheel.schedule(this.#connection.deadlines, this.#since + this.#pause)
  }

  end(): void {
    if (this.#since > 0) this.hasDrained = !this.graceOver
    this.#since = 0
    this.graceOver = false
    this.releaseWaiters()
  }

  /** Has the publisher pause until the client has room again, or the publishers' pause is over. False: the publisher has waited enough
   * for clients that take nothing, and does not pause. */
  pause(publisher: FeedingConnection): boolean {
    if (this.graceOver || this.#waiters?.has(publisher) === true) return true
    if (!publisher.waitFor(this.hasDrained)) {
      publisher.engine.counters.pausesRefused += 1
      this.begin()
      return false
    }
    this.begin()
    this.#waiters ??= new Set()
    this.#waiters.add(publisher)
    return true
  }

  releaseWaiters(): void {
    const waiters = this.#waiters
    if (waiters === undefined) return
    this.#waiters = undefined
    for (const waiter of waiters) waiter.waitedFor(this)
  }

  /** ms that publishers wait for the client: it is closed after `drainTimeout`, so not for longer. */
  get #pause(): number {
    const { publisherPause, drainTimeout } = this.#connection.engine.options
    return drainTimeout === 0 ? publisherPause : Math.min(publisherPause, drainTimeout)
  }

  /** Acts on what is due. Returns when to be asked again (ms of the engine's clock), or 0 for never. */
  check(now: number): number {
    if (this.#since === 0) return 0
    const { engine, outbox } = this.#connection
    const { drainTimeout } = engine.options
    if (!this.graceOver && now < this.#since + this.#pause) return this.#since + this.#pause
    if (!this.graceOver) {
      this.graceOver = true
      this.releaseWaiters()
    }
    if (drainTimeout === 0 || !outbox.full) return 0
    if (now < this.#since + drainTimeout) return this.#since + drainTimeout
    this.#connection.end({
      reason: 'refusal',
      error: new BrokerError('DRAIN_TIMEOUT', {
        message: 'drain timeout',
        detail: `${outbox.pending} bytes were not taken within drainTimeout of ${drainTimeout} ms`,
        reasonCode: ReasonCode.quotaExceeded,
      }),
    })
    return 0
  }
}
