import type { Clock, Message } from '@x/contract'
import { SteadyClock, keepMessage } from '@x/contract'

/** Redis, and other brokers, go by the machine's time; a running broker goes by a clock that does not jump with it. */
export class ExpiryTime {
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The message with its expiry as Redis has it. */
  stored(message: Message): Message {
    const { expiresAt } = message
    if (expiresAt === undefined || !(this.#clock instanceof SteadyClock)) return message
    const converted = this.#clock.toMachine(expiresAt)
    return converted === expiresAt ? message : { ...keepMessage(message), expiresAt: converted }
  }

  /** A time of Redis as this broker has it. */
  restored(expiresAt: number): number {
    return this.#clock instanceof SteadyClock ? this.#clock.fromMachine(expiresAt) : expiresAt
  }
}
