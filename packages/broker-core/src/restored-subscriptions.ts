import type { MaybePromise, Subscription } from '@x/contract'
import type { Connection } from './connection.ts'
import { inBatches } from './filter-batches.ts'
import { checkFilter, decide } from './filter-decision.ts'
import type { Outcome } from './filter-decision.ts'
import { after, all } from './maybe-promise.ts'
import { addSubscription, isShared } from './new-subscriptions.ts'
import type { Session } from './session.ts'

/** Takes up again what a resumed session subscribes to, as far as `authorizeSubscribe` still allows it. CONNACK waits for it as SUBACK
 * does: of QoS 0 messages, and of all that the store does not bring, the session gets what other brokers publish afterwards.
 * What was granted once is not refused by a limit. */
export function restoreSubscriptions(connection: Connection, stored: readonly Subscription[]): MaybePromise<unknown> {
  const { slices, hooks } = connection.engine
  const routed: Promise<void>[] = []
  const restore = (some: readonly Subscription[]): void => restoreAll(connection, some, routed)
  const ask = (some: readonly Subscription[]): MaybePromise<unknown> =>
    after(
      all(some, one => askAgain(connection, one)),
      outcomes => keepAllowed(connection, outcomes, restore),
    )
  const done = inBatches(slices, stored, hooks.authorizeSubscribe === undefined ? restore : ask)
  return after(done, () => (routed.length === 0 ? undefined : Promise.all(routed)))
}

function restoreAll(connection: Connection, subscriptions: readonly Subscription[], routed: Promise<void>[]): void {
  const { engine, session } = connection
  for (const subscription of subscriptions) {
    // The client has left.
    if (connection.phase !== 'connecting') return
    engine.subscriptions.quota.charge(session as Session, subscription.filter, isShared(subscription.filter))
    addSubscription(connection, subscription, routed)
  }
}

function askAgain(connection: Connection, subscription: Subscription): MaybePromise<Outcome> {
  const { filter, qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription
  const wish = { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
  const refusal = checkFilter(connection, wish)
  return refusal === undefined
    ? decide(connection, wish, subscriptionIdentifier)
    : { kind: 'denied', ...refusal, packet: wish }
}

/** A right that was taken away ends the subscription, and what it would have brought. */
function keepAllowed(
  connection: Connection,
  outcomes: readonly Outcome[],
  restore: (subscriptions: readonly Subscription[]) => void,
): MaybePromise<unknown> {
  if (connection.phase !== 'connecting') return undefined
  const { persistence } = connection.engine
  const { handle } = connection.session as Session
  const denied = outcomes.flatMap(outcome => (outcome.kind === 'denied' ? [outcome.packet.topic] : []))
  const granted = outcomes.flatMap(outcome => (outcome.kind === 'granted' ? [outcome.subscription] : []))
  const removed = denied.length === 0 ? undefined : persistence.unsubscribe(handle, denied)
  return after(removed, () =>
    after(granted.length === 0 ? undefined : persistence.subscribe(handle, granted), () => restore(granted)),
  )
}
