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

/** What confirmations need, and whom they tell. */
export interface ConfirmationsHost {
  /** Milliseconds that brokers are waited for; 0: not at all. */
  readonly timeout: number
  /** Called when time is over. */
  unconfirmed(): void
  /** Runs the task at the end of this turn. */
  atTurnEnd(task: () => void): void
  /** Says to another broker that everything up to that number is applied here. */
  say(broker: string, number: number): Promise<unknown>
}

/** Which brokers have applied which of a row of numbered changes. */
export class Confirmations {
  readonly #host: ConfirmationsHost
  readonly #waiting = new Set<Waiting>()
  /** For each change that is being made, what was confirmed meanwhile: that may come before the answer of Redis. */
  readonly #early = new Set<Map<string, number>>()

  /** To whom, and up to which number, this turn has something to confirm. */
  readonly #toSay = new Map<string, number>()

  constructor(host: ConfirmationsHost) {
    this.#host = host
  }

  /** Makes a change, and resolves when all of its brokers have applied it, or are gone, or time is over. */
  async change(make: () => Promise<NumberedChange>): Promise<void> {
    const early = new Map<string, number>()
    this.#early.add(early)
    try {
      const { number, brokers } = await make()
      const missing = new Set(brokers.filter(broker => (early.get(broker) ?? -1) < number))
      this.#early.delete(early)
      if (missing.size > 0 && this.#host.timeout > 0) await this.#wait(number, missing)
    } finally {
      this.#early.delete(early)
    }
  }

  /** Tells the broker that made a change, once for all of a turn, that everything up to that number is applied here. */
  confirm(broker: string, number: number): void {
    if (this.#toSay.size === 0) this.#host.atTurnEnd(() => this.#say())
    this.#toSay.set(broker, number)
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

  #say(): void {
    // One that is not told waits until its time is over.
    for (const [broker, number] of this.#toSay) this.#host.say(broker, number).catch(() => undefined)
    this.#toSay.clear()
  }

  #wait(number: number, missing: Set<string>): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#end(waiting), this.#host.timeout)
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
    this.#host.unconfirmed()
    waiting.resolve()
  }
}
