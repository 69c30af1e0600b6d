const minute = 60_000

/** What a publisher may lose in a minute by waiting for receivers that then take nothing after all. Waiting for those that do take what
 * has piled up costs nothing of it: it is how the two find a pace. */
export class PauseAllowance {
  /** ms */
  readonly #limit: number
  /** ms of this minute that were lost, and when it began. */
  #lost = 0
  #began = 0
  /** When it began to wait for somebody. */
  #since = 0
  #isVain = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether there is something left for a receiver. One that took what had piled up the last time gets the same once more. */
  permits(now: number, hasDrained: boolean): boolean {
    if (now - this.#began >= minute) return true
    return this.#lost < (hasDrained ? 2 * this.#limit : this.#limit)
  }

  begin(now: number): void {
    this.#since = now
    this.#isVain = false
  }

  /** One of those that it waits for takes nothing. */
  inVain(): void {
    this.#isVain = true
  }

  /** It waits for nobody any more. */
  end(now: number): void {
    if (!this.#isVain) return
    if (now - this.#began >= minute) {
      this.#began = now
      this.#lost = 0
    }
    this.#lost += now - this.#since
  }
}
