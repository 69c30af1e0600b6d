import { SecondWindow } from '@x/contract'

/** How often something may be done in each second. */
export class Budget {
  readonly #perSecond: number
  readonly #window = new SecondWindow()
  /** How often it was not allowed. */
  refused = 0

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** False: not in this second. */
  take(): boolean {
    if (this.#window.takes(performance.now(), this.#perSecond)) return true
    this.refused += 1
    return false
  }

  /** What was taken was not needed. */
  giveBack(): void {
    this.#window.giveBack()
  }
}
