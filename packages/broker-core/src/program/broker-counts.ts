import type { BrokerCounts } from '@x/contract'
import type { Host } from '../connect/client-connection.ts'

/** Counts what a broker and its store have now. Asks the store, so it is not for hot paths. */
export async function countsOf(engine: Host): Promise<BrokerCounts> {
  const { persistence, clients, counters, subscriptions: routed, waitingBytes } = engine
  const stored = await persistence.counts()
  let { subscriptions } = stored
  let sharedSubscriptions = 0
  let storedSessions = 0
  for (const { session } of clients.values()) {
    if (session === undefined) continue
    sharedSubscriptions += session.groups?.size ?? 0
    if (session.stored) storedSessions += 1
    else subscriptions += session.subscriptions.size - (session.groups?.size ?? 0)
  }
  return {
    ...stored,
    ...(stored.queuedBytes !== undefined && { queuedBytes: stored.queuedBytes + waitingBytes.bytes }),
    connectedClients: counters.clientsConnected,
    disconnectedSessions: Math.max(0, stored.sessions - storedSessions),
    subscriptions,
    sharedSubscriptions,
    sharedGroups: routed.groups.size,
    subscriptionBytes: routed.quota.bytes,
  }
}
