import { PersistenceError } from '@x/contract'
import type { MaybePromise, Subscription } from '@x/contract'
import { parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { Granted, Outcome } from './filter-decision.ts'
import { after, all, isPromise } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from './session.ts'
import type { Refusal } from '../routing/subscription-quota.ts'

/** Whether a filter is one of a shared subscription. */
export function isShared(filter: string): boolean {
  return parseSharedFilter(filter as TopicFilter) !== undefined
}

/** Stores and routes the granted subscriptions, as far as the limits allow. `routed` collects the promises that other brokers know the
 * filters. */
export function addGranted(
  session: Session,
  outcomes: readonly Outcome[],
  routed: Promise<void>[],
): MaybePromise<readonly Outcome[]> {
  if (session.connection.phase !== 'connected') return outcomes
  const admission = new Admission(session)
  const admitted = outcomes.map(outcome => (outcome.kind === 'granted' ? admission.admit(outcome) : outcome))
  // A session without a stored queue is matched here; the store has only its shared groups.
  const isKept = (outcome: Outcome): outcome is Granted =>
    outcome.kind === 'granted' && (session.stored || isShared(outcome.subscription.filter))
  const kept = admitted.filter(isKept).map(({ subscription }) => subscription)
  let refusals: MaybePromise<readonly (Refusal | undefined)[]>
  try {
    refusals = keep(session, kept)
  } catch (error) {
    admission.withdraw()
    throw error
  }
  const apply = (refused: readonly (Refusal | undefined)[]): readonly Outcome[] => {
    let index = 0
    return admitted.map(outcome => {
      const refusal = isKept(outcome) ? refused[index++] : undefined
      if (outcome.kind === 'denied') return outcome
      return refusal === undefined ? admission.add(outcome, routed) : admission.refuse(outcome, refusal)
    })
  }
  if (!isPromise(refusals)) return apply(refusals)
  return refusals.then(apply, (error: unknown) => {
    admission.withdraw()
    throw error
  })
}

/** Subscriptions on their way into a session. They are counted before the store is asked, so that two packets can't both get the last
 * place. */
class Admission {
  readonly #session: Session
  /** Filters counted in and not added yet. */
  readonly #charged = new Set<string>()
  readonly #newGroups = new Set<string>()

  constructor(session: Session) {
    this.#session = session
  }

  /** Counts a new subscription in; a replaced one is counted already. */
  admit(outcome: Granted): Outcome {
    const { filter } = outcome.subscription
    if (this.#session.subscriptions.has(filter) || this.#charged.has(filter)) return outcome
    const { groups, quota } = this.#session.engine.subscriptions
    const shared = isShared(filter)
      ? {
          isNewGroup: !groups.has(filter) && !this.#newGroups.has(filter),
          groups: groups.size + this.#newGroups.size,
        }
      : undefined
    const refusal = quota.admit(this.#session, filter, shared)
    if (refusal !== undefined) return { kind: 'denied', ...refusal, packet: outcome.packet }
    if (shared?.isNewGroup === true) this.#newGroups.add(filter)
    this.#charged.add(filter)
    return outcome
  }

  /** The store has it. */
  add(outcome: Granted, routed: Promise<void>[]): Outcome {
    const { subscription } = outcome
    const session = this.#session
    const existed = session.subscriptions.has(subscription.filter)
    // The client has left meanwhile, so the session no longer belongs to this connection.
    const isOver = session.connection.phase !== 'connected'
    const charged = this.#charged.delete(subscription.filter)
    if (charged && (existed || isOver)) this.#release(subscription.filter)
    if (isOver) return outcome
    addSubscription(session, subscription, routed)
    return { ...outcome, existed }
  }

  /** The store does not have it. */
  refuse({ subscription, packet }: Granted, refusal: Refusal): Outcome {
    if (this.#charged.delete(subscription.filter)) this.#release(subscription.filter)
    return { kind: 'denied', ...refusal, packet }
  }

  /** Nothing was stored. */
  withdraw(): void {
    for (const filter of this.#charged) this.#release(filter)
  }

  #release(filter: string): void {
    this.#session.engine.subscriptions.quota.release(this.#session, filter, isShared(filter))
  }
}

/** AdvertisedFilters a subscription that was counted in. */
export function addSubscription(session: Session, subscription: Subscription, routed: Promise<void>[]): void {
  const told = session.engine.subscriptions.add(session, subscription)
  if (!isPromise(told)) return
  // The caller may end before it waits for all of them.
  told.catch(() => undefined)
  routed.push(told)
}

const noRefusal: readonly undefined[] = [undefined]

/** Stores the subscriptions. Returns for each why the store refuses it; a shorter list means no refusal. */
function keep(
  session: Session,
  subscriptions: readonly Subscription[],
): MaybePromise<readonly (Refusal | undefined)[]> {
  if (subscriptions.length === 0) return []
  const { persistence, counters } = session.engine
  const refuse = (error: unknown): MaybePromise<readonly (Refusal | undefined)[]> => {
    if (!(error instanceof PersistenceError) || error.code !== 'QUOTA_EXCEEDED') throw error
    if (subscriptions.length > 1) {
      return after(
        all(subscriptions, one => keep(session, [one])),
        each => each.flat(),
      )
    }
    counters.subscriptionsRefused += 1
    return [{ reasonCode: ReasonCode.quotaExceeded, reason: error.message }]
  }
  try {
    const existed = persistence.subscribe(session.handle, subscriptions)
    return isPromise(existed) ? existed.then(() => noRefusal, refuse) : noRefusal
  } catch (error) {
    return refuse(error)
  }
}
