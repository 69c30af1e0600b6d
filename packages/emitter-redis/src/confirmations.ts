import type { EmitterCounters } from './emitter-counters.ts'

interface Waiting {
  readonly number: number
  readonly missing: Set<string>
  readonly timer: NodeJS.Timeout
  resolve(): void
}

/** Who has applied which entry of the route log. */
export class Confirmations {
  readonly #counters: EmitterCounters
  readonly #timeout: number
  readonly #waiting = new Set<Waiting>()
  /** Others that did not answer in time: nobody waits for them until they are heard again. */
  readonly #silent = new Set<string>()

  /** @param timeout milliseconds that others are waited for; 0: not at all */
  constructor(counters: EmitterCounters, timeout: number) {
    this.#counters = counters
    this.#timeout = timeout
  }

  /** Answers when all of these brokers have applied the entry with this number, or are gone, or time is over. */
  async wait(number: number, instances: readonly string[]): Promise<void> {
    const missing = new Set(instances.filter(instance => !this.#silent.has(instance)))
    if (missing.size === 0 || this.#timeout === 0) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => this.#end(waiting), this.#timeout)
      const waiting = { number, missing, timer, resolve }
      this.#waiting.add(waiting)
    })
  }

  /** The broker has applied everything up to that number. */
  confirmed(instance: string, number: number): void {
    this.#silent.delete(instance)
    for (const waiting of this.#waiting) if (waiting.number <= number) this.#strike(waiting, instance)
  }

  left(instance: string): void {
    this.#silent.delete(instance)
    for (const waiting of this.#waiting) this.#strike(waiting, instance)
  }

  close(): void {
    for (const waiting of this.#waiting) {
      clearTimeout(waiting.timer)
      waiting.resolve()
    }
    this.#waiting.clear()
  }

  #strike(waiting: Waiting, instance: string): void {
    waiting.missing.delete(instance)
    if (waiting.missing.size > 0) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(waiting)
    waiting.resolve()
  }

  #end(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    this.#counters.unconfirmedRoutes += 1
    for (const instance of waiting.missing) this.#silent.add(instance)
    waiting.resolve()
  }
}
