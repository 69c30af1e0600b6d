import type { Due } from '@x/contract'
import type { Deadlined } from './deadline-wheel.ts'
import type { Engine } from './engine.ts'
import { publishWill } from './will.ts'

/** ms between two looks. */
const sweepInterval = 1000
const sweepBatch = 100

/** Looks now and then for what has fallen due in the store: expired sessions and delayed wills. */
export class Sweep implements Deadlined {
  wheelTick = 0
  readonly #engine: Engine
  #sweeping = false

  constructor(engine: Engine) {
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
    const { persistence, counters, userSessions } = this.#engine
    try {
      let due: readonly Due[]
      do {
        due = await persistence.claimDue(sweepBatch)
        for (const item of due) {
          if (item.kind === 'sessionExpired') {
            counters.sessionsExpired += 1
            userSessions.forget(item.clientId)
          } else void publishWill(this.#engine, item.will)
        }
      } while (due.length === sweepBatch)
    } finally {
      this.#sweeping = false
    }
  }
}
