import { openSync, readSync } from 'node:fs'

/** What a process has used of its processor. */
export interface TurnReading {
  /** ms of CPU that the whole process has used, garbage collection on other threads included. */
  readonly cpu: number
  /** ms of the main thread's CPU that the longest turn of its event loop took. */
  readonly longestTurn: number
}

const nanosecondsPerMillisecond = 1e6
const microsecondsPerMillisecond = 1e3

/** Measures turns of this process's event loop in CPU time, so that another process on the same core does not count.
 *
 * Once in each turn, after its timers and input, an immediate reads how long the kernel has had the main thread on a processor
 * (`/proc/self/schedstat`, brought up to date by the kernel's clock tick, every 1 to 4 ms). The immediate is unreferenced: it does not keep the loop from
 * sleeping. Linux only. */
export class TurnMeter {
  readonly #file = openSync('/proc/self/schedstat', 'r')
  readonly #bytes = Buffer.alloc(64)
  #last = 0
  #longest = 0
  #cpuBefore = 0

  start(): void {
    this.reset()
    const turn = (): void => {
      const now = this.#threadTime()
      this.#longest = Math.max(this.#longest, now - this.#last)
      this.#last = now
      setImmediate(turn).unref()
    }
    turn()
  }

  /** Forgets what was, the turn that is going on included. */
  reset(): void {
    this.#longest = 0
    this.#last = this.#threadTime()
    this.#cpuBefore = processTime()
  }

  /** What the turn that is going on has done so far does not count: it is the measuring's own. */
  forgive(): void {
    this.#last = this.#threadTime()
  }

  read(): TurnReading {
    return { cpu: processTime() - this.#cpuBefore, longestTurn: this.#longest }
  }

  #threadTime(): number {
    const length = readSync(this.#file, this.#bytes, 0, this.#bytes.length, 0)
    return Number.parseInt(this.#bytes.toString('latin1', 0, length), 10) / nanosecondsPerMillisecond
  }
}

function processTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / microsecondsPerMillisecond
}
