interface Waiting {
  readonly number: number
  readonly missing: Set<string>
  readonly timer: NodeJS.Timeout
  resolve(): void
}

/** Which brokers have applied which of a row of numbered changes. */
export class Confirmations {
  readonly #timeout: number
  readonly #unconfirmed: () => void
  readonly #waiting = new Set<Waiting>()

  /** @param timeout milliseconds that brokers are waited for; 0: not at all
   * @param unconfirmed is called when time is over */
  constructor(timeout: number, unconfirmed: () => void) {
    this.#timeout = timeout
    this.#unconfirmed = unconfirmed
  }

  /** Answers when all of these brokers have applied the change with this number, or are gone, or time is over. */
  async wait(number: number, brokers: readonly string[]): Promise<void> {
    if (brokers.length === 0 || this.#timeout === 0) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => this.#end(waiting), this.#timeout)
      const waiting = { number, missing: new Set(brokers), timer, resolve }
      this.#waiting.add(waiting)
    })
  }

  /** The broker has applied everything up to that number. */
  confirmed(broker: string, number: number): void {
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
