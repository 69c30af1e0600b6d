import type { MaybePromise, Slices, Subscription } from '@x/contract'
import { parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { GroupMember } from './receiver.ts'
import type { Router } from './router.ts'
import { SharedGroup } from './shared-group.ts'
import type { SharedGroupHost } from './shared-group.ts'
import { SubscriptionQuota } from './subscription-quota.ts'

/** Subscriptions of an ended session that are removed between two readings of the clock. */
const retiredAtATime = 16

/** What {@link Subscriptions} needs of the engine. */
export interface SubscriptionsHost extends SharedGroupHost {
  readonly router: Router
  readonly slices: Slices
  /** Takes a step that nobody waits for, and reports its failure. */
  own(code: 'ROUTE_FAILED', step: () => unknown): void
}

/** The subscriptions of connected clients. Each has a route, or a place in a shared group, and counts against the limits until that is
 * removed. */
export class Subscriptions {
  readonly quota: SubscriptionQuota
  /** By shared filter. */
  readonly groups: Map<string, SharedGroup> = new Map()
  readonly #engine: SubscriptionsHost

  constructor(engine: SubscriptionsHost) {
    this.#engine = engine
    this.quota = new SubscriptionQuota(engine.options, engine.counters)
  }

  /** Adds a subscription that the quota has counted. The promise means that other brokers know the filter. */
  add(session: GroupMember, subscription: Subscription): MaybePromise<void> {
    session.addSubscription(subscription)
    const unshared = parseSharedFilter(subscription.filter as TopicFilter)
    if (unshared === undefined) return this.#engine.router.addSession(session, subscription)
    const group = this.#group(subscription.filter, unshared.filter)
    group.add(session, subscription)
    return group.routed
  }

  remove(session: GroupMember, filter: string): void {
    session.removeSubscription(filter)
    this.#takeOut(session, filter)
  }

  /** Removes all subscriptions of a closed session, in slices, since there may be many. */
  retire(session: GroupMember): void {
    const filters = session.subscriptions.keys()
    const step = (): boolean => {
      for (let count = 0; count < retiredAtATime; count += 1) {
        const next = filters.next()
        if (next.done === true) return false
        // When one fails, the others are removed all the same.
        this.#engine.own('ROUTE_FAILED', () => this.#takeOut(session, next.value))
      }
      return true
    }
    // The few subscriptions of most sessions are removed at once, even in a busy turn, so that short connections leave no heap of
    // routes.
    if (step()) void this.#engine.slices.run(step)
  }

  #takeOut(session: GroupMember, filter: string): void {
    const group = this.groups.get(filter)
    this.quota.release(session, filter, group !== undefined)
    if (group === undefined) {
      this.#engine.router.removeSession(filter, session)
      return
    }
    group.remove(session)
    if (group.size > 0) return
    this.groups.delete(group.name)
    this.#engine.router.removeGroup(group.filter, group)
  }

  /** Returns the group of a shared filter, made when it is needed first. */
  #group(name: string, filter: string): SharedGroup {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = new SharedGroup(name, filter, this.#engine)
      this.groups.set(name, group)
      group.routed = this.#engine.router.addGroup(filter, group)
    }
    return group
  }
}
