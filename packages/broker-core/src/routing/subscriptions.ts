import type { MaybePromise, Slices, Subscription } from '@x/contract'
import { parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { GroupMember } from './receiver.ts'
import type { Router } from './router.ts'
import { SharedGroup } from './shared-group.ts'
import type { SharedGroupHost } from './shared-group.ts'
import { SubscriptionQuota } from './subscription-quota.ts'

/** Subscriptions of an ended session that are taken out between two looks at the clock. */
const retiredAtATime = 16

/** What {@link Subscriptions} needs of the engine. */
export interface SubscriptionsHost extends SharedGroupHost {
  readonly router: Router
  readonly slices: Slices
  /** Takes a step that nobody waits for, and reports its failure. */
  own(code: 'ROUTE_FAILED', step: () => unknown): void
}

/** Who of the clients connected here subscribes to what: each subscription has a route, or is a place in a shared group, and counts
 * until that is gone. */
export class Subscriptions {
  readonly quota: SubscriptionQuota
  /** By shared filter. */
  readonly groups: Map<string, SharedGroup> = new Map()
  readonly #engine: SubscriptionsHost

  constructor(engine: SubscriptionsHost) {
    this.#engine = engine
    this.quota = new SubscriptionQuota(engine.options, engine.counters)
  }

  /** Of what was counted in already. The promise says that other brokers know of it. */
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

  /** Takes out everything of a session that has been closed, and gets nothing any more: in slices, since that may be much. */
  retire(session: GroupMember): void {
    const filters = session.subscriptions.keys()
    const step = (): boolean => {
      for (let count = 0; count < retiredAtATime; count += 1) {
        const next = filters.next()
        if (next.done === true) return false
        // Whatever becomes of one, the others go as well.
        this.#engine.own('ROUTE_FAILED', () => this.#takeOut(session, next.value))
      }
      return true
    }
    // The few that most sessions have are gone at once, however busy this turn is: who comes and goes leaves no heap of routes.
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

  /** The group of a shared filter, made when it is first needed. */
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
