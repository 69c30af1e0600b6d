import type { Clock } from './clock.ts'

/** ms between two looks above which the process stood still: stopped, asleep, or held up by the program. Twice the time after
 * which a broker that runs looks again. */
const gap = 500
/** ms of such a gap that count all the same. */
const counted = 250
/** ms by which the machine's time may differ before it matters to others. */
const tolerance = 1000

/** The time of one running process: begins as the machine's time, goes on by its monotonic clock, and rests while the process stands
 * still. So nothing falls due because the machine's time was set, and nobody is late who had no chance to speak.
 *
 * Others go by the machine's time: what is stored for a later process or told to another one is converted by {@link toMachine} and
 * {@link fromMachine}. */
export class SteadyClock implements Clock {
  readonly source: Clock
  /** Monotonic ms of the last look. */
  #looked: number
  /** What makes milliseconds since the epoch of monotonic ones. */
  #offset: number

  constructor(source: Clock) {
    this.source = source
    this.#looked = source.monotonic()
    this.#offset = source.now() - this.#looked
  }

  /** Whole milliseconds since the epoch, as far as the machine's time was right when this clock was made. */
  now(): number {
    const monotonic = this.source.monotonic()
    const elapsed = monotonic - this.#looked
    if (elapsed > gap) this.#offset -= elapsed - counted
    this.#looked = monotonic
    return Math.floor(monotonic + this.#offset)
  }

  monotonic(): number {
    return this.source.monotonic()
  }

  setTimeout(task: () => void, milliseconds: number): unknown {
    return this.source.setTimeout(task, milliseconds)
  }

  clearTimeout(timer: unknown): void {
    this.source.clearTimeout(timer)
  }

  /** A time of this clock as the machine has it now. */
  toMachine(time: number): number {
    return time + this.#difference()
  }

  /** A time of the machine's as this clock will have it. */
  fromMachine(time: number): number {
    return time - this.#difference()
  }

  #difference(): number {
    const difference = this.source.now() - this.now()
    return Math.abs(difference) < tolerance ? 0 : Math.round(difference)
  }
}
