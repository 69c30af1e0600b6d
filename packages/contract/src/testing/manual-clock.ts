import type { Clock } from '../clock.ts'

interface Timer {
  /** Monotonic. */
  readonly at: number
  readonly task: () => void
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  /** What the machine's time is ahead of the monotonic one. */
  #offset: number
  /** Monotonic, and not the epoch's, so that who mixes the two is found out. */
  #monotonic = 1000
  /** In the order they were set. */
  readonly #timers = new Set<Timer>()

  /** @param start milliseconds since the epoch */
  constructor(start = 1_700_000_000_000) {
    this.#offset = start - this.#monotonic
  }

  now(): number {
    return this.#monotonic + this.#offset
  }

  monotonic(): number {
    return this.#monotonic
  }

  setTimeout(task: () => void, milliseconds: number): unknown {
    const timer: Timer = { at: this.#monotonic + milliseconds, task }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  /** Moves time on; runs every timer that falls due on the way, at its own time and in the order of time. */
  advance(milliseconds: number): void {
    const end = this.#monotonic + milliseconds
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next)
      this.#monotonic = Math.max(this.#monotonic, next.at)
      next.task()
    }
    this.#monotonic = end
  }

  /** Sets the machine's time forward, or back with a negative number; the monotonic time and timers don't mind. */
  setMachineTime(milliseconds: number): void {
    this.#offset += milliseconds
  }

  /** The process stands still, and goes on with what is due by then: every timer runs once, late. */
  standStill(milliseconds: number): void {
    this.#monotonic += milliseconds
    const due = [...this.#timers].filter(({ at }) => at <= this.#monotonic).sort((one, other) => one.at - other.at)
    for (const timer of due) {
      if (this.#timers.delete(timer)) timer.task()
    }
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer
    }
    return next
  }
}
