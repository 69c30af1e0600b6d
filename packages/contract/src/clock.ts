/** Where every part reads time and sets timers, so that a test can hold time in its hand. */
export interface Clock {
  /** Milliseconds since the epoch, as the machine has them: may be set forward or back. */
  now(): number
  /** Milliseconds since some moment; never goes back, whatever is done to the machine's time. */
  monotonic(): number
  /** Calls `task` once after `milliseconds`; the timer alone keeps no process alive. */
  setTimeout(task: () => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}

/** The real time. Looks its functions up at each call, so that fake timers of a test framework take effect. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (task, milliseconds) => {
    const timer: unknown = setTimeout(task, milliseconds)
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
      timer.unref()
    }
    return timer
  },
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
}
