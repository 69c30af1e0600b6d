import type { Delivery, Message, PersistenceHost, Subscription } from '@x/contract'
import { keepMessage } from '@x/contract'
import type { QueueContext } from './queue-context.ts'
import type { SessionStore } from './session-store.ts'
import type { SharedGroup } from './shared-groups.ts'
import type { SubscriptionIndex } from './subscriptions.ts'

/** What a message is distributed with. */
interface Distribution {
  readonly host: PersistenceHost
  readonly context: QueueContext
  readonly subscriptions: SubscriptionIndex
  readonly sessions: SessionStore
}

/** Appends an entry for each stored session and group that the topic's plan names. Returns how many these are. The message is copied once
 * at most. */
export function distribute(store: Distribution, message: Message, retainedCopy: Message | undefined): number {
  const { sessions, groups: matching } = store.subscriptions.match(message.topic)
  // At QoS 0 the broker deals the message to the groups itself.
  const groups = message.qos === 0 ? [] : matching
  const { queuesAtMostOnce } = store.context
  if (sessions.length === 0 && groups.length === 0) return 0
  let kept = retainedCopy
  let reached = groups.length
  for (const { session, reception, ownReception } of sessions) {
    // It has ended, and is on its way out of the plans.
    if (!session.isStored) continue
    const effective = message.publisher === session.clientId ? ownReception : reception
    if (effective === undefined) continue
    const qos = effective.qos < message.qos ? effective.qos : message.qos
    if (qos === 0 && (!queuesAtMostOnce || session.owner !== undefined)) continue
    kept ??= keepMessage(message)
    reached += 1
    store.sessions.queueOf(session).append({
      message: kept,
      qos,
      retain: message.retain && effective.retainAsPublished,
      subscriptionIdentifiers: effective.subscriptionIdentifiers,
    })
  }
  if (groups.length === 0) return reached
  kept ??= keepMessage(message)
  const joined: SharedGroup[] = []
  for (const group of groups) if (group.add(kept)) joined.push(group)
  // Last, since a host may claim at once.
  for (const group of joined) store.host.groupReady(group.name, message.publisher)
  return reached
}

/** A message of a shared group, as its subscription wants it. */
export function sharedDelivery(message: Message, subscription: Subscription): Delivery {
  return {
    message,
    qos: subscription.qos < message.qos ? subscription.qos : message.qos,
    retain: message.retain && subscription.retainAsPublished,
    subscriptionIdentifiers:
      subscription.subscriptionIdentifier === undefined ? undefined : [subscription.subscriptionIdentifier],
  }
}
