import { PauseAllowance } from './pause-allowance.ts'

/** The pauses of one publisher: how many receivers it waits for, and how much time it may still lose by waiting in vain. */
export class PublisherPauses {
  readonly #allowance: PauseAllowance
  #receivers = 0

  /** @param limit - ms that may be lost in a minute */
  constructor(limit: number) {
    this.#allowance = new PauseAllowance(limit)
  }

  /** Begins to wait for one more receiver. Returns whether the allowance permits it.
   * @param hasDrained - the receiver took in time what had piled up before */
  begin(now: number, hasDrained: boolean): boolean {
    if (!this.#allowance.permits(now, hasDrained)) return false
    if (this.#receivers === 0) this.#allowance.begin(now)
    this.#receivers += 1
    return true
  }

  /** Ends the wait for one receiver. Returns whether it was the last one.
   * @param isVain - the receiver took nothing */
  end(now: number, isVain: boolean): boolean {
    if (isVain) this.#allowance.inVain()
    this.#receivers -= 1
    if (this.#receivers > 0) return false
    this.#allowance.end(now)
    return true
  }
}
