import { SecondWindow } from '@x/contract'
import type { Clock, Logger } from '@x/contract'

const second = 1000

/** How many lines there may be, and what is told of the others. */
export interface SamplingHost {
  readonly logger: Logger
  readonly clock: Clock
  /** Lines of each kind in a second. */
  readonly mostLines: number
  /** An event has no line of its own. */
  summedUp(count: number): void
}

/** Lines of one kind that are many in a storm: so many in a second, and then one with the number of the others. */
export class SampledLines {
  readonly #host: SamplingHost
  /** What has happened so often, in the plural. */
  readonly #what: string
  readonly #window = new SecondWindow()
  #more = 0
  #timer: unknown

  constructor(host: SamplingHost, what: string) {
    this.#host = host
    this.#what = what
  }

  /** Whether the event may have a line; otherwise it is counted for the line at the end of the second. */
  takes(): boolean {
    if (this.#window.takes(this.#host.clock.monotonic(), this.#host.mostLines)) return true
    this.#more += 1
    this.#host.summedUp(1)
    this.#timer ??= this.#host.clock.setTimeout(() => this.flush(), second)
    return false
  }

  /** Logs how many have no line so far. */
  flush(): void {
    if (this.#timer === undefined) return
    this.#host.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const more = this.#more
    this.#more = 0
    this.#host.logger.info(
      { repeated: more },
      `… ${more} more ${this.#what}: maximumLogRate is ${this.#host.mostLines}`,
    )
  }
}
