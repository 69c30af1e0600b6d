import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

const second = 1000

/** ms for which a client has to be read, without using up all it may send, to have kept to its limits again. Longer than the half second
 * by which deadlines may be late. */
const moderation = 1500

export interface RateLimits {
  /** 0: no limit. */
  readonly maximumPacketRate: number
  /** 0: no limit. */
  readonly maximumByteRate: number
  /** 0: for ever. */
  readonly rateTimeout: number
}

/** How much one client may send in a second. It may save up as much as that, and what exceeds it is waited for. */
export class RateLimit {
  readonly #limits: RateLimits
  /** What may still come; below 0 after a packet that was larger than what was left. */
  #packets: number
  #bytes: number
  /** ms, when both were right. */
  #at: number
  /** ms, when it began to send more than it may. */
  #exceedsSince = 0
  /** ms, until when nothing is read. */
  restsUntil = 0

  constructor(limits: RateLimits, now: number) {
    this.#limits = limits
    this.#packets = limits.maximumPacketRate
    this.#bytes = limits.maximumByteRate
    this.#at = now
  }

  /** Counts a packet. False: that was all for now. */
  take(bytes: number): boolean {
    this.#packets -= 1
    this.#bytes -= bytes
    return (
      (this.#packets >= 1 || this.#limits.maximumPacketRate === 0) &&
      (this.#bytes > 0 || this.#limits.maximumByteRate === 0)
    )
  }

  /** All is used up: sets `restsUntil`, which is now when there is something again meanwhile. Returns why the client is to go when it has
   * not kept to its limits for `rateTimeout`. */
  rest(now: number): BrokerError | undefined {
    const { maximumPacketRate, maximumByteRate, rateTimeout } = this.#limits
    this.#refill(now)
    const wait = Math.max(
      maximumPacketRate === 0 ? 0 : ((1 - this.#packets) * second) / maximumPacketRate,
      maximumByteRate === 0 ? 0 : ((1 - this.#bytes) * second) / maximumByteRate,
    )
    // It was read for a while before it had used up all.
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
