import { performance } from 'node:perf_hooks'

/** How waiting for a round ended: all arrived, nothing arrived for a while, or the time was up. */
export type Outcome = 'complete' | 'stalled' | 'capped'

/** Counts what arrives, remembers when the last one did, and wakes whoever waits for a total. */
export class Tally {
  count = 0
  /** `performance.now()` of the last arrival, ms. */
  lastAt = 0
  #target = Number.POSITIVE_INFINITY
  #reached: (() => void) | undefined

  /** Starts from zero. */
  reset(): void {
    this.count = 0
    this.#target = Number.POSITIVE_INFINITY
    this.#reached = undefined
  }

  add(count: number): void {
    this.count += count
    this.lastAt = performance.now()
    this.#check()
  }

  /** Calls back once, when `count` is at least `target`. */
  reach(target: number, reached: () => void): void {
    this.#target = target
    this.#reached = reached
    this.#check()
  }

  #check(): void {
    if (this.count < this.#target) return
    this.#target = Number.POSITIVE_INFINITY
    this.#reached?.()
  }
}

/** A tally and the total that it has to come to. */
export interface Expectation {
  readonly tally: Tally
  readonly total: number
}

/** A round without any arrival for this long has lost the rest. */
const stallMs = 5000
const pollMs = 50

/** Waits until every expectation is met, nothing has arrived for 5 s, or `capSeconds` have passed. */
export function settle(expectations: readonly Expectation[], capSeconds: number): Promise<Outcome> {
  return new Promise(resolve => {
    const startedAt = performance.now()
    const end = (outcome: Outcome): void => {
      clearInterval(timer)
      resolve(outcome)
    }
    const timer = setInterval(() => {
      const now = performance.now()
      const lastAt = Math.max(startedAt, ...expectations.map(({ tally }) => tally.lastAt))
      if (now - startedAt > capSeconds * 1000) end('capped')
      else if (now - lastAt > stallMs) end('stalled')
    }, pollMs)
    let missing = expectations.length
    for (const { tally, total } of expectations) {
      tally.reach(total, () => {
        missing--
        if (missing === 0) end('complete')
      })
    }
  })
}
