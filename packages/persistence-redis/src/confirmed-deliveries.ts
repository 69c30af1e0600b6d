import type { DeliveredNews } from './news.ts'
import type { StoreCalls } from './calls/store-calls.ts'

/** Deliveries that calls of other brokers have brought. Where a message counts when replicas have it, so do they: what is gone with the
 * primary must not have been passed on, since its publisher sends it again. */
export class ConfirmedDeliveries {
  readonly #calls: StoreCalls
  readonly #deliver: (news: DeliveredNews) => void
  #waiting: DeliveredNews[] = []

  constructor(calls: StoreCalls, deliver: (news: DeliveredNews) => void) {
    this.#calls = calls
    this.#deliver = deliver
  }

  add(news: DeliveredNews): void {
    if (!this.#calls.waitsForReplicas) {
      this.#deliver(news)
      return
    }
    if (this.#waiting.length === 0) this.#calls.atTurnEnd(() => void this.#confirm())
    this.#waiting.push(news)
  }

  async #confirm(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const floor = Number(await this.#calls.call('floor'))
      for (const news of waiting) if (news.number > floor) this.#deliver(news)
    } catch {
      // What they were about is in the queues, which are looked at again after a call that has failed.
    }
  }
}
