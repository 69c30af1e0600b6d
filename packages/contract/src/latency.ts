/** Upper bounds of the ranges that latencies are counted in, ms. */
export const latencyBounds: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** How long calls took. */
export interface Latency {
  /** How many calls fell into each range of `latencyBounds`; the last number counts those that exceeded all bounds. */
  readonly counts: readonly number[]
  /** ms, of all calls together. */
  readonly sum: number
}

/** Counts how long calls took. */
export class LatencyHistogram implements Latency {
  readonly counts: number[] = Array.from({ length: latencyBounds.length + 1 }, () => 0)
  sum = 0
  /** One call is measured at a time, so that thousands that are under way together cost no more than one. */
  #isSampling = false

  /** Counts a call that took so many ms. */
  add(milliseconds: number): void {
    const found = latencyBounds.findIndex(bound => milliseconds <= bound)
    const range = found === -1 ? latencyBounds.length : found
    this.counts[range] = (this.counts[range] ?? 0) + 1
    this.sum += milliseconds
  }

  /** Measures this call unless another one is being measured. Whether it fails is its caller's to know. */
  sample(call: Promise<unknown>): void {
    if (this.#isSampling) return
    this.#isSampling = true
    const begun = performance.now()
    const ended = (): void => {
      this.#isSampling = false
      this.add(performance.now() - begun)
    }
    call.then(ended, ended)
  }
}
