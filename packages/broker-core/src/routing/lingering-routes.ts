import type { Clock } from '@x/contract'
import { moreIsDue, shareOfDue } from '../ground/deadline-wheel.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'

/** ms for which a route outlasts the connection of the last session that needed it. */
const lingerDuration = 10_000
/** At this many, the one that has lingered longest is withdrawn. */
const mostLingering = 10_000

/** What {@link LingeringRoutes} needs of the engine. */
export interface LingeringRoutesHost {
  readonly clock: Pick<Clock, 'now'>
  readonly wheel: Pick<DeadlineWheel, 'schedule'>
  /** Nobody has needed the route for {@link lingerDuration}. */
  withdraw(name: string): void
}

/** Routes that nobody needs since a client has left whose session goes on. Clients come back, also to the broker that they came from,
 * and CONNACK waits until all other brokers know their filters: those that they still know cost nothing. What it costs that they linger
 * is QoS 0 messages that are brought in vain. */
export class LingeringRoutes implements Deadlined {
  wheelTick = 0
  readonly #host: LingeringRoutesHost
  /** Until when, by name; the one that ends first comes first. */
  readonly #deadlines = new Map<string, number>()

  constructor(host: LingeringRoutesHost) {
    this.#host = host
  }

  add(name: string): void {
    const { clock, wheel } = this.#host
    const until = clock.now() + lingerDuration
    this.#deadlines.set(name, until)
    if (this.wheelTick === 0) wheel.schedule(this, until)
    if (this.#deadlines.size <= mostLingering) return
    for (const oldest of this.#deadlines.keys()) {
      this.#withdraw(oldest)
      return
    }
  }

  /** Somebody needs the route again. */
  delete(name: string): void {
    this.#deadlines.delete(name)
  }

  checkDeadlines(now: number): number {
    let left = shareOfDue
    for (const [name, until] of this.#deadlines) {
      if (until > now) return until
      if (left === 0) return moreIsDue
      left -= 1
      this.#withdraw(name)
    }
    return 0
  }

  #withdraw(name: string): void {
    this.#deadlines.delete(name)
    this.#host.withdraw(name)
  }
}
