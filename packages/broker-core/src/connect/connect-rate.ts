import type { Clock } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { LeakyBuckets } from './leaky-buckets.ts'

/** Counts the CONNECTs of each address, so that one address can't send more in a minute than `maximumConnectsPerAddress`. */
export class ConnectRate {
  readonly #clock: Clock
  readonly #limit: number
  readonly #connects: LeakyBuckets

  /** @param limit - CONNECTs in a minute; 0: any number */
  constructor(clock: Clock, limit: number) {
    this.#clock = clock
    this.#limit = limit
    this.#connects = new LeakyBuckets(limit)
  }

  /** Whether a CONNECT of this address, as `networkOf` writes it, would be refused now. */
  isExceeded(address: string): boolean {
    return this.#connects.isFull(address, this.#clock.now())
  }

  /** Counts a CONNECT of this address. Returns why it is one too many. */
  add(address: string | undefined): BrokerError | undefined {
    if (address === undefined) return undefined
    const now = this.#clock.now()
    if (!this.#connects.isFull(address, now)) {
      this.#connects.add(address, now)
      return undefined
    }
    return new BrokerError('CONNECT_RATE_EXCEEDED', {
      message: `more CONNECTs from ${address} in a minute than maximumConnectsPerAddress of ${this.#limit}`,
      reasonCode: ReasonCode.connectionRateExceeded,
    })
  }
}
