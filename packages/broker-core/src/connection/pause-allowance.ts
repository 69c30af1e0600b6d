const minute = 60_000

/** How much time a publisher may lose in a minute by pausing for receivers that then take nothing. A pause for a receiver that does
 * drain is free: it is how the two find a pace. */
export class PauseAllowance {
  /** ms */
  readonly #limit: number
  /** ms lost in this minute, and when the minute began. */
  #lost = 0
  #began = 0
  /** When the present pause began. */
  #since = 0
  #isVain = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the publisher may pause for a receiver. For one that drained the last time the limit is twice as high. */
  permits(now: number, hasDrained: boolean): boolean {
    if (now - this.#began >= minute) return true
    return this.#lost < (hasDrained ? 2 * this.#limit : this.#limit)
  }

  begin(now: number): void {
    this.#since = now
    this.#isVain = false
  }

  /** A receiver that the publisher pauses for takes nothing. */
  inVain(): void {
    this.#isVain = true
  }

  /** The pause is over. */
  end(now: number): void {
    if (!this.#isVain) return
    if (now - this.#began >= minute) {
      this.#began = now
      this.#lost = 0
    }
    this.#lost += now - this.#since
  }
}
