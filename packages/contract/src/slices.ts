import type { MaybePromise } from './maybe-promise.ts'

/** One piece of long work: short (a tenth of a millisecond at most), and true while more is to be done. */
export type Step = () => boolean

interface Job {
  readonly step: Step
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** How long a slice may last. */
export interface SlicesOptions {
  /** ms that all long work together may take of one turn of the event loop. Default 10. */
  readonly budget?: number
  /** ms of a clock that never goes back. Default `performance.now`. */
  readonly now?: () => number
  /** Calls back in a later turn, when others have been served. Default `setImmediate`. */
  readonly defer?: (resume: () => void) => void
}

/** ms that one job may go on before the next one has its turn. */
const share = 1

/** Cuts long work into slices, so that one client's work never keeps the event loop from the others. Everything that runs by
 * one instance shares one budget per turn, in which its jobs take turns; what goes beyond goes on in the next turn. */
export class Slices {
  readonly #budget: number
  readonly #now: () => number
  readonly #defer: (resume: () => void) => void
  /** Jobs that did not end in the turn they began in; the first one is next. */
  #jobs: Job[] = []
  /** ms of this turn that are used up. */
  #used = 0
  /** {@link #nextTurn} is on its way. */
  #deferred = false

  constructor({
    budget = 10,
    now = () => performance.now(),
    defer = resume => setImmediate(resume),
  }: SlicesOptions = {}) {
    this.#budget = budget
    this.#now = now
    this.#defer = defer
  }

  /** Jobs that wait for a later turn. */
  get waiting(): number {
    return this.#jobs.length
  }

  /** Runs the steps one after another until one returns false: at once as far as this turn's budget lasts, then in later turns. A step
   * that throws ends its job: `run` throws, or rejects. */
  run(step: Step): MaybePromise<void> {
    // Shorter work than what already waits does not wait behind it: jobs take turns.
    if (this.#runFor(step, this.#budget - this.#used)) return undefined
    return new Promise((resolve, reject) => {
      this.#jobs.push({ step, resolve, reject })
    })
  }

  /** True: done. */
  #runFor(step: Step, milliseconds: number): boolean {
    if (!this.#deferred) {
      this.#deferred = true
      this.#defer(() => this.#nextTurn())
    }
    const began = this.#now()
    try {
      let elapsed = 0
      while (elapsed < milliseconds) {
        if (!step()) return true
        elapsed = this.#now() - began
      }
      return false
    } finally {
      this.#used += this.#now() - began
    }
  }

  #nextTurn(): void {
    this.#deferred = false
    this.#used = 0
    while (this.#jobs.length > 0 && this.#used < this.#budget) {
      const job = this.#jobs.shift() as Job
      try {
        if (this.#runFor(job.step, Math.min(share, this.#budget - this.#used))) job.resolve()
        else this.#jobs.push(job)
      } catch (error) {
        job.reject(error)
      }
    }
  }
}
