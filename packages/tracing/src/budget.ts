/** How often something may be done in each second. */
export class Budget {
  readonly #perSecond: number
  #second = 0
  #left: number
  /** How often it was not allowed. */
  refused = 0

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#left = perSecond
  }

  /** False: not in this second. */
  take(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#left = this.#perSecond
    }
    if (this.#left === 0) {
      this.refused += 1
      return false
    }
    this.#left -= 1
    return true
  }

  /** What was taken was not needed. */
  giveBack(): void {
    this.#left += 1
  }
}
