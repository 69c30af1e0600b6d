import { SteadyClock } from '@x/contract'
import type { Clock, Message } from '@x/contract'

/** The time of the machine, which is what stands in the directory: it outlives the process, whose own clock begins with it and does not
 * jump when it is set. Expiry over a restart follows the machine's time. */
export class MachineTime implements Clock {
  readonly #clock: Clock

  /** @param clock the broker's */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock instanceof SteadyClock ? this.#clock.source.now() : this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimeout(task: () => void, milliseconds: number): unknown {
    return this.#clock.setTimeout(task, milliseconds)
  }

  clearTimeout(timer: unknown): void {
    this.#clock.clearTimeout(timer)
  }

  /** A message of the broker's as the directory has it. */
  inward(message: Message): Message {
    return withExpiry(message, at => (this.#clock instanceof SteadyClock ? this.#clock.toMachine(at) : at))
  }

  /** A message of the directory's as the broker has it. */
  outward(message: Message): Message {
    return withExpiry(message, at => (this.#clock instanceof SteadyClock ? this.#clock.fromMachine(at) : at))
  }
}

/** The same message where the two agree, as they mostly do. */
function withExpiry(message: Message, convert: (at: number) => number): Message {
  if (message.expiresAt === undefined) return message
  const expiresAt = convert(message.expiresAt)
  return expiresAt === message.expiresAt ? message : { ...message, expiresAt }
}
