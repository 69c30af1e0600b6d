import type { Clock } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'
import type { Ending } from './ending.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** The connection for which something piles up. */
interface FedConnection {
  readonly deadlines: Deadlined
  readonly engine: { readonly clock: Clock; readonly options: CheckedOptions; readonly wheel: DeadlineWheel }
  readonly outbox: { readonly full: boolean; readonly pending: number }
  end(ending: Ending): void
}

/** The connection of a publisher that waits. */
interface FeedingConnection {
  waitedFor(backPressure: BackPressure): void
}

/** More has piled up for a client than it takes: its publishers rest for a while, then its QoS 0 messages are dropped, at last it is
 * closed. Made when that happens first. */
export class BackPressure {
  readonly #connection: FedConnection
  /** ms since the epoch; 0: nothing piles up now. */
  #since = 0
  /** The publishers' pause is over, and what had piled up is still there. */
  graceOver = false
  /** What had piled up the last time was taken in time. */
  hasDrained = false
  /** Publishers that wait. */
  #waiters: Set<FeedingConnection> | undefined

  constructor(connection: FedConnection) {
    this.#connection = connection
  }

  begin(): void {
    if (this.#since > 0) return
    const { clock, options, wheel } = this.#connection.engine
    this.#since = clock.now()
    wheel.schedule(this.#connection.deadlines, this.#since + options.publisherPause)
  }

  end(): void {
    if (this.#since > 0) this.hasDrained = !this.graceOver
    this.#since = 0
    this.graceOver = false
    this.releaseWaiters()
  }

  /** Whether the publisher waits already. */
  hasWaiter(publisher: FeedingConnection): boolean {
    return this.#waiters?.has(publisher) === true
  }

  addWaiter(publisher: FeedingConnection): void {
    this.begin()
    this.#waiters ??= new Set()
    this.#waiters.add(publisher)
  }

  releaseWaiters(): void {
    const waiters = this.#waiters
    if (waiters === undefined) return
    this.#waiters = undefined
    for (const waiter of waiters) waiter.waitedFor(this)
  }

  /** Acts on what is due. Answers when to be asked again (ms since the epoch), or 0 for never. */
  check(now: number): number {
    if (this.#since === 0) return 0
    const { engine, outbox } = this.#connection
    const { publisherPause, drainTimeout } = engine.options
    if (!this.graceOver && now < this.#since + publisherPause) return this.#since + publisherPause
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
