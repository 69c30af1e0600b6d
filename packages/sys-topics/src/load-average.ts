const minute = 60_000

/** Averages over this many minutes. */
export const windows = [1, 5, 15] as const

/** How much a counter grew per minute, averaged over the last 1, 5 and 15 minutes with exponentially falling weight, as load
 * averages are. */
export class LoadAverage {
  /** In the order of {@link windows}. */
  readonly values: number[] = windows.map(() => 0)
  #last: number

  constructor(counter: number) {
    this.#last = counter
  }

  /** `elapsed`: ms since the last time. */
  update(counter: number, elapsed: number): void {
    if (elapsed <= 0) return
    const perMinute = ((counter - this.#last) * minute) / elapsed
    this.#last = counter
    for (const [index, minutes] of windows.entries()) {
      const kept = Math.exp(-elapsed / (minutes * minute))
      this.values[index] = perMinute + kept * ((this.values[index] ?? 0) - perMinute)
    }
  }
}
