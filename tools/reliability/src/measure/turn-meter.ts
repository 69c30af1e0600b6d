import { ThreadTime } from './thread-time.ts'

/** What a process has used of its processor. */
export interface TurnReading {
  /** ms of CPU that the whole process has used, garbage collection on other threads included. */
  readonly cpu: number
  /** ms of the main thread's CPU that the longest turn of its event loop took. */
  readonly longestTurn: number
}

const microsecondsPerMillisecond = 1e3

/** Measures turns of this process's event loop in CPU time, so that another process on the same core does not count.
 *
 * Once in each turn, after its timers and input, an immediate reads how long the main thread has had a processor. It is
 * unreferenced: it does not keep the loop from sleeping. */
export class TurnMeter {
  readonly #thread = new ThreadTime('self')
  #last = 0
  #longest = 0
  #cpuBefore = 0

  start(): void {
    this.reset()
    const turn = (): void => {
      const now = this.#thread.read()
      this.#longest = Math.max(this.#longest, now - this.#last)
      this.#last = now
      setImmediate(turn).unref()
    }
    turn()
  }

  /** Forgets what was, the turn that is going on included. */
  reset(): void {
    this.#longest = 0
    this.#last = this.#thread.read()
    this.#cpuBefore = processTime()
  }

  /** What the turn that is going on has done so far does not count: it is the measuring's own. */
  forgive(): void {
    this.#last = this.#thread.read()
  }

  read(): TurnReading {
    return { cpu: processTime() - this.#cpuBefore, longestTurn: this.#longest }
  }
}

function processTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / microsecondsPerMillisecond
}
