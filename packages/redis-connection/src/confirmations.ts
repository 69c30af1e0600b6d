interface Waiting {
  readonly number: number
  readonly missing: Set<string>
  readonly timer: NodeJS.Timeout
  resolve(): void
}

/** A change that was made: its number, and who has to apply it. */
export interface NumberedChange {
  readonly number: number
  readonly brokers: readonly string[]
}

/** Which brokers have applied which of a row of numbered changes. */
export class Confirmations {
  readonly #timeout: number
  readonly #unconfirmed: () => void
  readonly #waiting = new Set<Waiting>()
  /** For each change that is being made, what was confirmed meanwhile: that may come before the answer of Redis. */
  readonly #early = new Set<Map<string, number>>()

  /** @param timeout milliseconds that brokers are waited for; 0: not at all
   * @param unconfirmed is called when time is over */
  constructor(timeout: number, unconfirmed: () => void) {
    this.#timeout = timeout
    this.#unconfirmed = unconfirmed
  }

  /** Makes a change, and answers when all of its brokers have applied it, or are gone, or time is over. */
  async change(make: () => Promise<NumberedChange>): Promise<void> {
    const early = new Map<string, number>()
    this.#early.add(early)
    try {
      const { number, brokers } = await make()
      const missing = new Set(brokers.filter(broker => (early.get(broker) ?? -1) < number))
      this.#early.delete(early)
      if (missing.size > 0 && this.#timeout > 0) await this.#wait(number, missing)
    } finally {
      this.#early.delete(early)
    }
  }

  /** The broker has applied everything up to that number. */
  confirmed(broker: string, number: number): void {
    for (const early of this.#early) early.set(broker, number)
    for (const waiting of this.#waiting) if (waiting.number <= number) this.#strike(waiting, broker)
  }

  /** The broker is gone. */
  left(broker: string): void {
    for (const waiting of this.#waiting) this.#strike(waiting, broker)
  }

  close(): void {
    for (const waiting of this.#waiting) {
      clearTimeout(waiting.timer)
      waiting.resolve()
    }
    this.#waiting.clear()
  }

  #wait(number: number, missing: Set<string>): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#end(waiting), this.#timeout)
      const waiting = { number, missing, timer, resolve }
      this.#waiting.add(waiting)
    })
  }

  #strike(waiting: Waiting, broker: string): void {
    waiting.missing.delete(broker)
    if (waiting.missing.size > 0) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(waiting)
    waiting.resolve()
  }

  #end(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    this.#unconfirmed()
    waiting.resolve()
  }
}
