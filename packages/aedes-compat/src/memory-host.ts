import type { PersistenceHost } from '@x/contract'

/** The host of the memory that serves sessions. It has no limits of the store as a whole: what they would refuse is in the old store by
 * then. */
export function hostOfMemory(host: PersistenceHost): PersistenceHost {
  const { brokerId, clock, slices, limits } = host
  const { maximumQueuedMessages, maximumQueuedBytes, overflow, maximumTotalQueuedBytes } = limits
  return {
    brokerId,
    clock,
    slices,
    limits: { maximumQueuedMessages, maximumQueuedBytes, overflow, maximumTotalQueuedBytes },
    groupReady: (group, publisher) => host.groupReady(group, publisher),
    dropped: drop => host.dropped(drop),
  }
}
