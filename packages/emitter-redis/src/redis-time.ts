/** Milliseconds for which a comparison of clocks counts; clocks drift apart. */
const comparisonLifetime = 60_000

/** The time of Redis, which is the same for all brokers, as far as this one knows it: better than half of the shortest round trip. */
export class RedisTime {
  /** Of Redis, less that of this process; undefined: Redis has not said it. */
  #difference: number | undefined
  #roundTrip = Infinity
  #comparedAt = 0

  /** Takes the time that Redis returned, in milliseconds, for a call that was sent at the given `performance.now()` and has returned now. */
  compared(time: number, calledAt: number): void {
    const now = performance.now()
    const roundTrip = now - calledAt
    if (roundTrip > this.#roundTrip && now - this.#comparedAt < comparisonLifetime) return
    this.#difference = time - (calledAt + now) / 2
    this.#roundTrip = roundTrip
    this.#comparedAt = now
  }

  now(): number {
    return this.#difference === undefined ? Date.now() : performance.now() + this.#difference
  }
}
