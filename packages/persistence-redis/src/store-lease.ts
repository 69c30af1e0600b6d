/** Milliseconds between two renewals, and after one that has found that news are missing: they may be under way. */
const [renewalInterval, secondLook] = [1600, 350]
/** Milliseconds after which a broker that did not renew is taken for dead, its sessions for closed. */
export const leaseDuration = 10_000

/** What the lease needs, and whom it tells. */
export interface LeaseHost {
  /** Renews; returns how often this broker was told something, and, if the lease had been lost, the number of the last opening that was
   * asked for before: those behind it have the new one. */
  renew(hadLease: boolean): Promise<{ readonly lostThrough: number | undefined; readonly told: number }>
  /** What this broker has heard so far. */
  readonly heard: number
  /** Other brokers may own the sessions of this one, up to that number. */
  lost(through: number): void
  /** News were lost on the way, up to this number. */
  missed(told: number): void
}

/** Tells the other brokers that this one lives, and notices when they must think otherwise. */
export class StoreLease {
  readonly #host: LeaseHost
  #timer: NodeJS.Timeout | undefined
  #renewedAt = 0
  #held = false
  /** What had been told when it was asked last: by the next time it has arrived, or never will. */
  #told = 0
  #ended = false

  constructor(host: LeaseHost) {
    this.#host = host
  }

  async begin(): Promise<void> {
    await this.#renew()
    this.#schedule()
  }

  end(): void {
    this.#ended = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#ended) return
    const isMissing = this.#told > this.#host.heard
    this.#timer = setTimeout(() => void this.#tick(), isMissing ? secondLook : renewalInterval)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    try {
      await this.#renew()
    } catch {
      // The connection has reported it.
      if (this.#held && performance.now() - this.#renewedAt >= leaseDuration) this.#lose(Infinity)
    }
    this.#schedule()
  }

  async #renew(): Promise<void> {
    const sentAt = performance.now()
    const { lostThrough, told } = await this.#host.renew(this.#held)
    if (this.#ended) return
    if (lostThrough !== undefined && this.#held) this.#lose(lostThrough)
    if (this.#told > this.#host.heard) this.#host.missed(this.#told)
    this.#told = told
    this.#held = true
    this.#renewedAt = sentAt
  }

  #lose(through: number): void {
    this.#held = false
    this.#host.lost(through)
  }
}
