import type { SessionHandle } from '@x/contract'
import type { Ending, Steps, TransactionFrame } from './commits.ts'
import type { Instances } from './instances.ts'
import type { Offered, OwnedSessions } from './owned-sessions.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedGroups } from './shared-groups.ts'
import type { WorkingSet } from './working-set.ts'

export interface SettlementsParts {
  readonly set: WorkingSet
  readonly owned: OwnedSessions
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly instances: Instances
  /** Something waits to be written, and nobody waits for that. */
  report(): void
}

interface Acknowledgement {
  readonly session: SessionHandle
  readonly sequence: number
}

/** What a transaction has stored of it, which is stored again when that is undone. */
interface Settled {
  readonly offered: readonly Offered[]
  readonly acknowledged: readonly Acknowledgement[]
}

const none: Settled = { offered: [], acknowledged: [] }

/** What owners did with their entries and nobody waits for: what they took or refused of what they were offered, and what their clients
 * have acknowledged. Each transaction stores it before anything else, in this order: what is acknowledged was taken before. */
export class Settlements implements TransactionFrame {
  readonly #parts: SettlementsParts
  /** What is not in the directory yet. */
  #acknowledged: Acknowledgement[] = []
  /** What transactions that were undone had stored. */
  #again: Settled[] = []
  /** By the transaction that goes on. */
  #settled: Settled = none

  constructor(parts: SettlementsParts) {
    this.#parts = parts
  }

  acknowledge(session: SessionHandle, sequence: number): void {
    this.#acknowledged.push({ session, sequence })
    if (this.#acknowledged.length === 1) this.#parts.report()
  }

  begin(): void {
    this.#parts.set.begin()
    const again = this.#again
    this.#settled = {
      offered: [...again.flatMap(({ offered }) => offered), ...this.#parts.owned.outcomes()],
      acknowledged: [...again.flatMap(({ acknowledged }) => acknowledged), ...this.#acknowledged],
    }
    this.#again = []
    this.#acknowledged = []
    this.#store()
  }

  *end(): Steps<Ending> {
    const told = yield* this.#parts.set.end()
    const settled = this.#settled
    this.#settled = none
    // The working set finds out itself, and the next transaction may be under way.
    return { told, undone: () => this.#putBack(settled) }
  }

  discard(): void {
    const settled = this.#settled
    this.#settled = none
    this.#parts.set.discard()
    this.#putBack(settled)
  }

  #putBack(settled: Settled): void {
    if (settled.offered.length > 0 || settled.acknowledged.length > 0) this.#again.push(settled)
  }

  #store(): void {
    const { queues, groups, set } = this.#parts
    for (const { handle, taken, refused } of this.#settled.offered) {
      const session = this.#openHere(handle)
      if (session === undefined) continue
      for (const entry of taken) queues.taken(session, entry)
      if (refused) queues.refused(session)
      set.changed(session)
    }
    for (const { session: handle, sequence } of this.#settled.acknowledged) {
      // Its client is connected elsewhere by now, and will be asked for it again.
      const session = this.#openHere(handle)
      if (session === undefined) continue
      queues.acknowledge(session, sequence)
      groups.settle(session, sequence)
    }
  }

  #openHere({ clientId, epoch }: SessionHandle): SessionRecord | undefined {
    const session = this.#parts.set.session(clientId)
    const isOpen = session?.owner === this.#parts.instances.own && String(session.epoch) === epoch
    return isOpen ? session : undefined
  }
}
