import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

const second = 1000

/** ms that a client must stay below its rate to be within its limits again. Longer than the half second by which deadlines may be late. */
const moderation = 1500

/** Limits of what one client may send in a second. */
export interface RateLimits {
  /** 0: no limit. */
  readonly maximumPacketRate: number
  /** 0: no limit. */
  readonly maximumByteRate: number
  /** 0: for ever. */
  readonly rateTimeout: number
}

/** Limits how much one client may send in a second. Unused rate is saved up for one second; what exceeds it is read later. */
export class RateLimit {
  readonly #limits: RateLimits
  /** What may still come; negative after a packet that was larger than the rest. */
  #packets: number
  #bytes: number
  /** When both were refilled, in ms. */
  #at: number
  /** When the client began to exceed its rate, in ms. */
  #exceedsSince = 0
  /** Until when nothing is read, in ms. */
  restsUntil = 0

  constructor(limits: RateLimits, now: number) {
    this.#limits = limits
    this.#packets = limits.maximumPacketRate
    this.#bytes = limits.maximumByteRate
    this.#at = now
  }

  /** Counts a packet. False: the rate is used up. */
  take(bytes: number): boolean {
    this.#packets -= 1
    this.#bytes -= bytes
    return (
      (this.#packets >= 1 || this.#limits.maximumPacketRate === 0) &&
      (this.#bytes > 0 || this.#limits.maximumByteRate === 0)
    )
  }

  /** The rate is used up: sets `restsUntil`, to now if the refill permits. Returns an error when the client has exceeded its rate for
   * `rateTimeout`. */
  rest(now: number): BrokerError | undefined {
    const { maximumPacketRate, maximumByteRate, rateTimeout } = this.#limits
    this.#refill(now)
    const wait = Math.max(
      maximumPacketRate === 0 ? 0 : ((1 - this.#packets) * second) / maximumPacketRate,
      maximumByteRate === 0 ? 0 : ((1 - this.#bytes) * second) / maximumByteRate,
    )
    // The client was within its limits for a while.
    if (now - this.restsUntil > moderation) this.#exceedsSince = now
    this.restsUntil = now + Math.max(0, Math.ceil(wait))
    if (wait <= 0) return undefined
    if (rateTimeout === 0 || now - this.#exceedsSince < rateTimeout) return undefined
    return maximumPacketRate > 0 && this.#packets < 1 ? this.#tooManyPackets() : this.#tooManyBytes()
  }

  #refill(now: number): void {
    const { maximumPacketRate, maximumByteRate } = this.#limits
    const seconds = (now - this.#at) / second
    this.#at = now
    this.#packets = Math.min(maximumPacketRate, this.#packets + seconds * maximumPacketRate)
    this.#bytes = Math.min(maximumByteRate, this.#bytes + seconds * maximumByteRate)
  }

  #tooManyPackets(): BrokerError {
    const { maximumPacketRate, rateTimeout } = this.#limits
    return new BrokerError('PACKET_RATE_EXCEEDED', {
      message: `more packets than maximumPacketRate of ${maximumPacketRate} in a second for rateTimeout of ${rateTimeout} ms`,
      reasonCode: ReasonCode.messageRateTooHigh,
    })
  }

  #tooManyBytes(): BrokerError {
    const { maximumByteRate, rateTimeout } = this.#limits
    return new BrokerError('BYTE_RATE_EXCEEDED', {
      message: `more bytes than maximumByteRate of ${maximumByteRate} in a second for rateTimeout of ${rateTimeout} ms`,
      reasonCode: ReasonCode.quotaExceeded,
    })
  }
}
