import type { MaybePromise, Subscription } from '@x/contract'
import { inBatches } from '../session/filter-batches.ts'
import { checkFilter, decide } from '../session/filter-decision.ts'
import type { Outcome } from '../session/filter-decision.ts'
import { after, all } from '../ground/maybe-promise.ts'
import { addSubscription, isShared } from '../session/new-subscriptions.ts'
import type { Session } from '../session/session.ts'

/** Takes up again what a resumed session subscribes to, as far as `authorizeSubscribe` still allows it. CONNACK waits for it as SUBACK
 * does: of QoS 0 messages, and of all that the store does not bring, the session gets what other brokers publish afterwards.
 * What was granted once is not refused by a limit. */
export function restoreSubscriptions(session: Session, stored: readonly Subscription[]): MaybePromise<unknown> {
  const { slices, hooks } = session.engine
  const routed: Promise<void>[] = []
  const restore = (some: readonly Subscription[]): void => restoreAll(session, some, routed)
  const ask = (some: readonly Subscription[]): MaybePromise<unknown> =>
    after(
      all(some, one => askAgain(session, one)),
      outcomes => keepAllowed(session, outcomes, restore),
    )
  const done = inBatches(slices, stored, hooks.authorizeSubscribe === undefined ? restore : ask)
  return after(done, () => (routed.length === 0 ? undefined : Promise.all(routed)))
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

/** A right that was taken away ends the subscription, and what it would have brought. */
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
