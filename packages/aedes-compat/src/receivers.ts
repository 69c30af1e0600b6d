import { mergeSubscriptions } from '@x/contract'
import type { Message, Subscription } from '@x/contract'
import type { QoS } from '@x/packet'
import { filterMatches } from '@x/topic-trie'
import { subscriptionOf } from './aedes-packet.ts'
import type { AedesSubscription } from './aedes-packet.ts'

/** Clients that get a message in the same way. */
export interface Receivers {
  readonly qos: QoS
  readonly retain: boolean
  readonly clientIds: readonly string[]
}

/** Who gets the message of those whose subscriptions an old store has found, each client once, at its highest QoS. */
export function receiversOf(
  found: readonly (AedesSubscription & { clientId: string })[],
  message: Message,
): readonly Receivers[] {
  const byClient = new Map<string, Subscription[]>()
  for (const subscription of found) {
    // Stores find `$` topics by wildcards, too.
    if (!filterMatches(subscription.topic, message.topic)) continue
    const ofClient = byClient.get(subscription.clientId)
    if (ofClient === undefined) byClient.set(subscription.clientId, [subscriptionOf(subscription)])
    else ofClient.push(subscriptionOf(subscription))
  }
  const groups = new Map<string, { qos: QoS; retain: boolean; clientIds: string[] }>()
  for (const [clientId, subscriptions] of byClient) {
    const reception = mergeSubscriptions(subscriptions, clientId === message.publisher)
    const qos = Math.min(reception?.qos ?? 0, message.qos) as QoS
    if (reception === undefined || qos === 0) continue
    const retain = message.retain && reception.retainAsPublished
    const group = groups.get(`${qos} ${retain}`) ?? { qos, retain, clientIds: [] }
    groups.set(`${qos} ${retain}`, group)
    group.clientIds.push(clientId)
  }
  return [...groups.values()]
}
