const second = 1000

/** Counts what is let through within a second that begins with the first of it. */
export class SecondWindow {
  #start = Number.NEGATIVE_INFINITY
  #count = 0

  /** Whether one more is let through.
   * @param now monotonic ms
   * @param most that are let through in a second */
  takes(now: number, most: number): boolean {
    if (now - this.#start >= second) {
      this.#start = now
      this.#count = 0
    }
    if (this.#count >= most) return false
    this.#count += 1
    return true
  }

  /** One that was let through does not count. */
  giveBack(): void {
    this.#count -= 1
  }
}
