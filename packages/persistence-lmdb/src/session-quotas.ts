import { messageBytes, PersistenceError } from '@x/contract'
import type { Clock, OpenSessionRequest, StoreLimits } from '@x/contract'
import type { Deadline, Deadlines } from './deadlines.ts'
import type { SessionRecord } from './session-record.ts'
import type { StoredWills } from './wills.ts'
import type { WorkingSet } from './working-set.ts'

/** What the limits of sessions are kept with. */
export interface SessionQuotaParts {
  readonly set: WorkingSet
  readonly wills: StoredWills
  readonly deadlines: Deadlines
  readonly clock: Clock
  readonly maximumSessions: number
  readonly limits: StoreLimits
}

/** Deadlines that are looked at for one opening. */
const maximumOverdue = 1000

/** What the limits say to the opening of a session. */
export class SessionQuotas {
  readonly #parts: SessionQuotaParts

  constructor(parts: SessionQuotaParts) {
    this.#parts = parts
  }

  /** `previous`: the client's session that is there.
   * @throws PersistenceError `QUOTA_EXCEEDED` */
  check(request: OpenSessionRequest, previous: SessionRecord | undefined): void {
    this.#checkSessions(request, previous)
    this.#checkWills(request, previous)
  }

  #checkSessions(request: OpenSessionRequest, previous: SessionRecord | undefined): void {
    const { maximumSessions, set } = this.#parts
    const isStored = previous !== undefined && previous.sessionExpiryInterval > 0
    const { sessions } = set.totals
    if (request.sessionExpiryInterval === 0 || isStored || sessions < maximumSessions) return
    if (sessions - this.#overdue('sessionExpired', () => 1) < maximumSessions) return
    throw new PersistenceError('QUOTA_EXCEEDED', {
      message: `${sessions} sessions are stored, the limit is maximumSessions of ${maximumSessions}`,
    })
  }

  /** The will that it replaces, or which is dropped or due then, makes room. */
  #checkWills({ will }: OpenSessionRequest, previous: SessionRecord | undefined): void {
    const { wills, limits, set } = this.#parts
    const { maximumWillBytes = Infinity } = limits
    if (will === undefined) return
    const replaced = previous === undefined ? 0 : wills.bytesOf(previous.number)
    const bytes = set.totals.willBytes - replaced + messageBytes(will.message)
    if (bytes <= maximumWillBytes) return
    const others = (number: number): number => (number === previous?.number ? 0 : wills.bytesOf(number))
    if (bytes - this.#overdue('will', others) <= maximumWillBytes) return
    throw new PersistenceError('QUOTA_EXCEEDED', {
      message: `all wills would take ${bytes} bytes, the limit is maximumWillBytes of ${maximumWillBytes}`,
    })
  }

  /** What is over counts against no limit, also before it is claimed. */
  #overdue(what: Deadline['what'], amountOf: (number: number) => number): number {
    const { deadlines, clock } = this.#parts
    let amount = 0
    for (const deadline of deadlines.passed(clock.now(), maximumOverdue)) {
      if (deadline.what === what) amount += amountOf(deadline.number)
    }
    return amount
  }
}
