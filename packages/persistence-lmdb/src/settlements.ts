import type { SessionHandle } from '@x/contract'
import type { Ending, Steps, TransactionFrame, Work } from './batch.ts'
import type { Instances } from './instances.ts'
import type { Offered, OwnedSessions } from './owned-sessions.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedGroups } from './shared-groups.ts'
import type { UnwrittenRetained, Written } from './unwritten-retained.ts'
import type { WorkingSet } from './working-set.ts'

/** What settlements are made with. */
export interface SettlementsParts {
  readonly set: WorkingSet
  readonly owned: OwnedSessions
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly instances: Instances
  readonly unwritten: UnwrittenRetained
  /** There is something to be written that no caller waits for. */
  report(): void
}

interface Acknowledgement {
  readonly session: SessionHandle
  readonly sequence: number
}

/** What a transaction has stored of it, which is stored again when that is undone. */
interface Settled {
  readonly offered: Offered[]
  readonly acknowledged: Acknowledgement[]
}

function nothing(): Settled {
  return { offered: [], acknowledged: [] }
}

/** What owners did with their entries, which no caller waits for: which of the offered entries they took or refused, and which ones their
 * clients have acknowledged. Each transaction stores that first, in this order: an entry that is acknowledged was taken before. */
export class Settlements implements TransactionFrame {
  readonly #parts: SettlementsParts
  /** What is not in the directory yet. */
  #acknowledged: Acknowledgement[] = []
  /** What transactions that were undone had stored. */
  #again: Settled[] = []
  /** By the transaction that goes on. */
  #settled: Settled = nothing()

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
    this.#again = []
    this.#settle({
      offered: again.flatMap(({ offered }) => offered),
      acknowledged: again.flatMap(({ acknowledged }) => acknowledged),
    })
    this.resume()
  }

  resume(): void {
    const acknowledged = this.#acknowledged
    this.#acknowledged = []
    this.#settle({ offered: [...this.#parts.owned.outcomes()], acknowledged })
  }

  due(): Work<void> | undefined {
    return this.#parts.unwritten.due()
  }

  takeTold(): readonly (() => void)[] {
    return this.#parts.set.takeTold()
  }

  *end(): Steps<Ending> {
    const { set, unwritten } = this.#parts
    const told = yield* set.end()
    const settled = this.#settled
    this.#settled = nothing()
    const retained = unwritten.takeWritten()
    // The working set finds out itself, and the next transaction may be under way.
    return { told, undone: () => this.#putBack(settled, retained) }
  }

  discard(): void {
    const { set, unwritten } = this.#parts
    const settled = this.#settled
    this.#settled = nothing()
    set.discard()
    this.#putBack(settled, unwritten.takeWritten())
  }

  #putBack(settled: Settled, retained: Written): void {
    this.#parts.unwritten.putBack(retained)
    if (settled.offered.length > 0 || settled.acknowledged.length > 0) this.#again.push(settled)
  }

  #settle({ offered, acknowledged }: Settled): void {
    if (offered.length === 0 && acknowledged.length === 0) return
    const { queues, groups, set } = this.#parts
    for (const outcome of offered) this.#settled.offered.push(outcome)
    for (const acknowledgement of acknowledged) this.#settled.acknowledged.push(acknowledgement)
    for (const { handle, taken, refused } of offered) {
      const session = this.#openHere(handle)
      if (session === undefined) continue
      for (const entry of taken) queues.taken(session, entry)
      if (refused) queues.refused(session)
      set.changed(session)
    }
    for (const { session: handle, sequence } of acknowledged) {
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
