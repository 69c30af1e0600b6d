import type { MaybePromise, Subscription } from '@x/contract'
import { limitsSubscriptions, maySubscribe } from '../hooks/topic-access.ts'
import { inBatches } from '../session/filter-batches.ts'
import { checkFilter, decide } from '../session/filter-decision.ts'
import type { Outcome } from '../session/filter-decision.ts'
import { after, all } from '../ground/maybe-promise.ts'
import { addSubscription, isShared } from '../session/new-subscriptions.ts'
import type { Session } from '../session/session.ts'

/** Restores the subscriptions of a resumed session, as far as its listener, `topicAccess` and `authorizeSubscribe` still permit them. CONNACK waits for it, as SUBACK
 * does, so that the client gets all messages that other brokers publish afterwards. Limits do not apply to subscriptions that were
 * granted before. */
export function restoreSubscriptions(session: Session, stored: readonly Subscription[]): MaybePromise<unknown> {
  const { slices, hooks } = session.engine
  const routed: Promise<void>[] = []
  const restore = (some: readonly Subscription[]): void => restoreAll(session, some, routed)
  const ask = (some: readonly Subscription[]): MaybePromise<unknown> =>
    after(
      all(some, one => askAgain(session, one)),
      outcomes => keepAllowed(session, outcomes, restore),
    )
  const each = hooks.authorizeSubscribe === undefined ? restore : ask
  const permitted = (some: readonly Subscription[]): MaybePromise<unknown> =>
    after(withoutForbidden(session, some), kept => each(kept))
  const done = inBatches(slices, stored, limitsSubscriptions(session.engine, session.connection) ? permitted : each)
  return after(done, () => (routed.length === 0 ? undefined : Promise.all(routed)))
}

/** Returns the subscriptions that the listener and `topicAccess` still permit; the store forgets the others. */
function withoutForbidden(session: Session, some: readonly Subscription[]): MaybePromise<readonly Subscription[]> {
  const { engine, connection, handle } = session
  const kept = some.filter(({ filter }) => maySubscribe(engine, connection, filter))
  if (kept.length === some.length) return some
  const forbidden = some.flatMap(one => (kept.includes(one) ? [] : [one.filter]))
  return after(engine.persistence.unsubscribe(handle, forbidden), () => kept)
}

function restoreAll(session: Session, subscriptions: readonly Subscription[], routed: Promise<void>[]): void {
  const { engine } = session
  for (const subscription of subscriptions) {
    // The client has left.
    if (session.connection.phase !== 'connecting') return
    engine.subscriptions.quota.charge(session, subscription.filter, isShared(subscription.filter))
    addSubscription(session, subscription, routed)
  }
}

function askAgain(session: Session, subscription: Subscription): MaybePromise<Outcome> {
  const { filter, qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription
  const wish = { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
  const refusal = checkFilter(session, wish)
  return refusal === undefined
    ? decide(session, wish, subscriptionIdentifier)
    : { kind: 'denied', ...refusal, packet: wish }
}

/** Removes the subscriptions that are no longer permitted. */
function keepAllowed(
  session: Session,
  outcomes: readonly Outcome[],
  restore: (subscriptions: readonly Subscription[]) => void,
): MaybePromise<unknown> {
  if (session.connection.phase !== 'connecting') return undefined
  const { persistence } = session.engine
  const { handle } = session
  const denied = outcomes.flatMap(outcome => (outcome.kind === 'denied' ? [outcome.packet.topic] : []))
  const granted = outcomes.flatMap(outcome => (outcome.kind === 'granted' ? [outcome.subscription] : []))
  const removed = denied.length === 0 ? undefined : persistence.unsubscribe(handle, denied)
  return after(removed, () =>
    after(granted.length === 0 ? undefined : persistence.subscribe(handle, granted), () => restore(granted)),
  )
}
