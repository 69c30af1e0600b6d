import type { Reception, Subscription } from '@x/contract'
import { mergeSubscriptions } from '@x/contract'
import type { TopicFilter } from '@x/topic-trie'
import { FilterTrie, parseSharedFilter } from '@x/topic-trie'
import type { Session, SubscriptionRecord } from './session.ts'
import type { QueueContext } from './session-queue.ts'
import { SharedGroup } from './shared-group.ts'

/** Who stores a message of one topic: made once per topic, used for every message of it until a subscription changes. */
export interface StoragePlan {
  readonly sessions: readonly SessionRoute[]
  readonly groups: readonly SharedGroup[]
}

export interface SessionRoute {
  readonly session: Session
  readonly reception: Reception
  /** For a message that the session's own client published; undefined: none, by `noLocal`. */
  readonly ownReception: Reception | undefined
}

type Route = SubscriptionRecord | SharedGroup

/** Subscriptions by filter, and what they mean for a topic. */
export class SubscriptionIndex {
  readonly #context: QueueContext
  readonly #routes = new FilterTrie<Route, StoragePlan>({ derive: planStorage })
  readonly #groups = new Map<string, SharedGroup>()
  #ordinal = 0
  #size = 0

  constructor(context: QueueContext) {
    this.#context = context
  }

  /** Subscriptions of all sessions. */
  get size(): number {
    return this.#size
  }

  match(topic: string): StoragePlan {
    return this.#routes.match(topic)
  }

  group(name: string): SharedGroup | undefined {
    return this.#groups.get(name)
  }

  /** Answers whether the session had a subscription with that filter. */
  add(session: Session, subscription: Subscription): boolean {
    const filter = subscription.filter as TopicFilter
    session.subscriptions ??= new Map()
    const replaced = session.subscriptions.get(filter)
    const ordinal = replaced?.ordinal ?? (this.#ordinal += 1)
    const record: SubscriptionRecord = { session, subscription, ordinal }
    session.subscriptions.set(filter, record)
    if (replaced === undefined) this.#size += 1
    const shared = parseSharedFilter(filter)
    if (shared !== undefined) this.#groupOf(filter, shared.filter).members.set(session, subscription)
    else if (session.isStored) this.#routes.add(filter, session, record)
    return replaced !== undefined
  }

  /** Answers whether it was there. The last member to leave a group takes the group along. */
  remove(session: Session, filter: string): boolean {
    if (session.subscriptions?.delete(filter) !== true) return false
    this.#size -= 1
    const group = this.#groups.get(filter)
    if (group === undefined) {
      this.#routes.remove(filter as TopicFilter, session)
      return true
    }
    group.members.delete(session)
    if (group.members.size === 0) {
      this.#groups.delete(filter)
      this.#routes.remove(group.filter as TopicFilter, group)
      group.clear()
    }
    return true
  }

  removeAll(session: Session): void {
    for (const filter of session.subscriptions?.keys() ?? []) this.remove(session, filter)
    session.subscriptions = undefined
  }

  /** The session has become a stored one, or ceased to be: only then do its plain subscriptions attract messages. */
  reroute(session: Session): void {
    for (const [filter, record] of session.subscriptions ?? []) {
      if (this.#groups.has(filter)) continue
      if (session.isStored) this.#routes.add(filter as TopicFilter, session, record)
      else this.#routes.remove(filter as TopicFilter, session)
    }
  }

  #groupOf(name: string, filter: TopicFilter): SharedGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new SharedGroup(this.#context, name, filter)
      this.#groups.set(name, group)
      this.#routes.add(filter, group, group)
    }
    return group
  }
}

function planStorage(routes: readonly Route[]): StoragePlan {
  const groups: SharedGroup[] = []
  const records = new Map<Session, SubscriptionRecord[]>()
  for (const route of routes) {
    if (route instanceof SharedGroup) {
      groups.push(route)
      continue
    }
    const ofSession = records.get(route.session)
    if (ofSession === undefined) records.set(route.session, [route])
    else ofSession.push(route)
  }
  const sessions: SessionRoute[] = []
  for (const [session, ofSession] of records) {
    const subscriptions = ofSession
      .sort((one, other) => one.ordinal - other.ordinal)
      .map(({ subscription }) => subscription)
    const reception = mergeSubscriptions(subscriptions, false)
    // Effective QoS 0 is the broker's to send; without `noLocal` subscriptions the QoS can only be higher.
    if (reception === undefined || reception.qos === 0) continue
    const ownReception = mergeSubscriptions(subscriptions, true)
    sessions.push({ session, reception, ownReception })
  }
  return { sessions, groups }
}
