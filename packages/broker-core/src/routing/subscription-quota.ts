import { subscriptionBytes } from '@x/contract'
import type { Counters } from '@x/contract'
import { ReasonCode } from '../ground/reason-code.ts'
import type { BrokerLimits } from '../ground/limits.ts'

/** The reason why a filter is not granted. */
export interface Refusal {
  readonly reasonCode: number
  /** The Reason String. MQTT 5.0 §3.9.2.1.2 */
  readonly reason: string
}

/** What one session holds of the limits. Only the quota changes it. */
export interface Holder {
  heldSubscriptions: number
  heldSubscriptionBytes: number
  heldSharedSubscriptions: number
}

/** Counts the subscriptions of connected clients as long as they are routed: those of an ended session count until they are removed. */
export class SubscriptionQuota {
  count = 0
  bytes = 0
  readonly #limits: BrokerLimits
  readonly #counters: Counters

  constructor(limits: BrokerLimits, counters: Counters) {
    this.#limits = limits
    this.#counters = counters
  }

  /** Counts a new subscription in, or says which limit it would exceed. `isNewGroup`: nobody here has this shared filter;
   * `groups`: shared filters that somebody has. */
  admit(
    holder: Holder,
    filter: string,
    shared: { isNewGroup: boolean; groups: number } | undefined,
  ): Refusal | undefined {
    const bytes = subscriptionBytes(filter)
    const exceeded = this.#exceeded(holder, bytes, shared)
    if (exceeded !== undefined) {
      this.#counters.subscriptionsRefused += 1
      return { reasonCode: ReasonCode.quotaExceeded, reason: exceeded }
    }
    this.charge(holder, filter, shared !== undefined)
    return undefined
  }

  /** Counts a subscription in, whatever the limits say: one that was granted before. */
  charge(holder: Holder, filter: string, isShared: boolean): void {
    const bytes = subscriptionBytes(filter)
    this.count += 1
    this.bytes += bytes
    holder.heldSubscriptions += 1
    holder.heldSubscriptionBytes += bytes
    if (isShared) holder.heldSharedSubscriptions += 1
  }

  /** Counts out a subscription that was removed. */
  release(holder: Holder, filter: string, isShared: boolean): void {
    const bytes = subscriptionBytes(filter)
    this.count -= 1
    this.bytes -= bytes
    holder.heldSubscriptions -= 1
    holder.heldSubscriptionBytes -= bytes
    if (isShared) holder.heldSharedSubscriptions -= 1
  }

  #exceeded(
    holder: Holder,
    bytes: number,
    shared: { isNewGroup: boolean; groups: number } | undefined,
  ): string | undefined {
    const limits = this.#limits
    const ofClient = limits.maximumSubscriptionsPerClient
    if (holder.heldSubscriptions >= ofClient) return exceeds('maximumSubscriptionsPerClient', ofClient)
    const bytesOfClient = limits.maximumSubscriptionBytesPerClient
    if (holder.heldSubscriptionBytes + bytes > bytesOfClient) {
      return exceeds('maximumSubscriptionBytesPerClient', bytesOfClient)
    }
    if (this.count >= limits.maximumSubscriptions) return exceeds('maximumSubscriptions', limits.maximumSubscriptions)
    if (this.bytes + bytes > limits.maximumSubscriptionBytes) {
      return exceeds('maximumSubscriptionBytes', limits.maximumSubscriptionBytes)
    }
    if (shared === undefined) return undefined
    const sharedOfClient = limits.maximumSharedSubscriptionsPerClient
    if (holder.heldSharedSubscriptions >= sharedOfClient) {
      return exceeds('maximumSharedSubscriptionsPerClient', sharedOfClient)
    }
    const { maximumSharedGroups } = limits
    return shared.isNewGroup && shared.groups >= maximumSharedGroups
      ? exceeds('maximumSharedGroups', maximumSharedGroups)
      : undefined
  }
}

function exceeds(name: keyof BrokerLimits, limit: number): string {
  return `one more subscription would exceed ${name} of ${limit}`
}
