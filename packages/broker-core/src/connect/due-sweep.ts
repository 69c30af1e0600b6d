import type { DueBatch } from '@x/contract'
import type { Deadlined } from '../ground/deadline-wheel.ts'
import type { Host } from './client-connection.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { publishWill } from './will.ts'

/** ms between two sweeps. */
const sweepInterval = 1000
/** Items taken at a time: from a store in memory in one step of long work, from another one in one call. */
const smallBatch = 8
const largeBatch = 100

/** Acts at regular intervals on what is due in the store: expired sessions and messages, and delayed wills. */
export class DueSweep implements Deadlined {
  wheelTick = 0
  readonly #engine: Host
  #sweeping = false

  constructor(engine: Host) {
    this.#engine = engine
  }

  begin(): void {
    const { wheel, clock } = this.#engine
    wheel.schedule(this, clock.now() + sweepInterval)
  }

  checkDeadlines(now: number): number {
    if (!this.#sweeping) {
      this.#sweeping = true
      this.#engine.watch(this.#sweep(), 'SWEEP_FAILED')
    }
    return now + sweepInterval
  }

  async #sweep(): Promise<void> {
    try {
      while (await this.#sweepOnce());
    } finally {
      this.#sweeping = false
    }
  }

  /** Takes all due items of a store in memory, in slices; of another store one call's. True: there may be more. */
  async #sweepOnce(): Promise<boolean> {
    const { persistence, slices, closed } = this.#engine
    if (closed) return false
    let result: Promise<DueBatch> | undefined
    await slices.run(() => {
      if (this.#engine.closed) return false
      const due = persistence.claimDue(smallBatch)
      if (!isPromise(due)) return this.#settle(due, smallBatch)
      result = due
      return false
    })
    if (result === undefined) return false
    const isMore = this.#settle(await result, smallBatch)
    return isMore && this.#settle(await persistence.claimDue(largeBatch), largeBatch)
  }

  /** True: there may be more. */
  #settle(due: DueBatch, asked: number): boolean {
    const { counters, userSessions } = this.#engine
    for (const item of due) {
      if (item.kind === 'sessionExpired') {
        counters.sessionsExpired += 1
        userSessions.forget(item.clientId)
      } else void publishWill(this.#engine, item.will)
    }
    return due.more === true || due.length === asked
  }
}
