import type { MaybePromise, Reception, Slices, Subscription } from '@x/contract'
import { mergeSubscriptions, PersistenceError, subscriptionBytes } from '@x/contract'
import type { TopicFilter } from '@x/topic-trie'
import { FilterTrie, parseSharedFilter } from '@x/topic-trie'
import type { Session, SubscriptionRecord } from './session.ts'
import type { QueueContext } from './queue-context.ts'
import { SharedGroup } from './shared-groups.ts'

/** Who stores a message of one topic: made once per topic, used for every message of it until a subscription changes. */
export interface StoragePlan {
  readonly sessions: readonly SessionRoute[]
  readonly groups: readonly SharedGroup<Session>[]
}

/** A session that gets the messages of a topic, and how. */
export interface SessionRoute {
  readonly session: Session
  readonly reception: Reception
  /** For a message that the session's own client published; undefined: none, by `noLocal`. */
  readonly ownReception: Reception | undefined
}

type Route = SubscriptionRecord | SharedGroup<Session>

/** Bounds of the subscriptions that are kept for sessions. */
export interface SubscriptionLimits {
  /** Subscriptions of all sessions that the store keeps. Default 1 000 000. At this limit and the next `subscribe` refuses a filter
   * that the session does not have yet. */
  readonly maximumSubscriptions: number
  /** Bytes that they take, as `subscriptionBytes` of the contract counts them. Default 256 MiB. */
  readonly maximumSubscriptionBytes: number
}

/** Subscriptions of a session that are put in or taken out between two looks at the clock. */
const handledAtATime = 16

/** Subscriptions by filter, and what they mean for a topic. */
export class SubscriptionIndex {
  readonly #context: QueueContext
  readonly #limits: SubscriptionLimits
  readonly #slices: Slices
  readonly #routes = new FilterTrie<Route, StoragePlan>({
    derive: routes => planStorage(routes, this.#context.queuesAtMostOnce ? 'every QoS' : 'QoS 1 and 2'),
    weigh: weightOf,
  })
  readonly #groups = new Map<string, SharedGroup<Session>>()
  #ordinal = 0
  #size = 0
  /** What the limits count: also those of ended sessions that are not taken out yet. */
  #held = 0
  #heldBytes = 0

  constructor(context: QueueContext, limits: SubscriptionLimits, slices: Slices) {
    this.#context = context
    this.#limits = limits
    this.#slices = slices
  }

  /** Subscriptions of all sessions. */
  get size(): number {
    return this.#size
  }

  /** @throws PersistenceError `QUOTA_EXCEEDED` when there is no room for all that the session does not have yet. */
  checkRoom(session: Session, subscriptions: readonly Subscription[]): void {
    const added = new Set<string>()
    let bytes = 0
    for (const { filter } of subscriptions) {
      if (session.subscriptions?.has(filter) === true || added.has(filter)) continue
      added.add(filter)
      bytes += subscriptionBytes(filter)
    }
    if (added.size === 0) return
    const { maximumSubscriptions, maximumSubscriptionBytes } = this.#limits
    if (this.#held + added.size > maximumSubscriptions) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `${this.#held} subscriptions are stored, the limit is maximumSubscriptions of ${maximumSubscriptions}`,
      })
    }
    if (this.#heldBytes + bytes > maximumSubscriptionBytes) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `${this.#heldBytes} bytes of subscriptions are stored, the limit is maximumSubscriptionBytes of ${maximumSubscriptionBytes}`,
      })
    }
  }

  match(topic: string): StoragePlan {
    // Without stored sessions most brokers have none: asking the cache for each message costs a thirtieth of it.
    return this.#routes.size === 0 ? nobody : this.#routes.match(topic)
  }

  group(name: string): SharedGroup<Session> | undefined {
    return this.#groups.get(name)
  }

  /** Returns whether the session had a subscription with that filter. */
  add(session: Session, subscription: Subscription): boolean {
    const filter = subscription.filter as TopicFilter
    session.subscriptions ??= new Map()
    const replaced = session.subscriptions.get(filter)
    const ordinal = replaced?.ordinal ?? (this.#ordinal += 1)
    const record: SubscriptionRecord = { session, subscription, ordinal }
    session.subscriptions.set(filter, record)
    if (replaced === undefined) {
      this.#size += 1
      this.#held += 1
      this.#heldBytes += subscriptionBytes(filter)
    }
    const shared = parseSharedFilter(filter)
    if (shared !== undefined) {
      this.#groupOf(filter, shared.filter).members.set(session, subscription)
      ;(session.sharedFilters ??= new Set()).add(filter)
    } else if (session.isStored) this.#routes.add(filter, session, record)
    return replaced !== undefined
  }

  /** Adds what the session had elsewhere, in slices, whatever the limits say. */
  addAll(session: Session, subscriptions: readonly Subscription[]): MaybePromise<void> {
    let next = 0
    return this.#slices.run(() => {
      const some = subscriptions.slice(next, (next += handledAtATime))
      for (const subscription of some) this.add(session, subscription)
      return next < subscriptions.length
    })
  }

  /** Returns whether it was there. The last member to leave a group takes the group along. */
  remove(session: Session, filter: string): boolean {
    if (session.subscriptions?.delete(filter) !== true) return false
    this.#size -= 1
    this.#takeOut(session, filter)
    return true
  }

  /** The session has ended: it has no subscriptions from now on. Their routes, which lead nowhere, are taken out in slices. */
  removeAll(session: Session): void {
    const { subscriptions } = session
    if (subscriptions === undefined) return
    // What waits in a group goes with its last member, so whoever joins it afterwards must not find it.
    for (const filter of session.sharedFilters ?? []) this.remove(session, filter)
    session.subscriptions = undefined
    this.#size -= subscriptions.size
    const filters = subscriptions.keys()
    const step = (): boolean => {
      for (let count = 0; count < handledAtATime; count += 1) {
        const next = filters.next()
        if (next.done === true) return false
        this.#takeOut(session, next.value)
      }
      return true
    }
    // The few that most sessions have are gone at once, however busy this turn is: who comes and goes leaves no heap of routes.
    if (step()) void this.#slices.run(step)
  }

  #takeOut(session: Session, filter: string): void {
    this.#held -= 1
    this.#heldBytes -= subscriptionBytes(filter)
    const group = this.#groups.get(filter)
    if (group === undefined) {
      this.#routes.remove(filter as TopicFilter, session)
      return
    }
    session.sharedFilters?.delete(filter)
    group.members.delete(session)
    if (group.members.size === 0) {
      this.#groups.delete(filter)
      this.#routes.remove(group.filter as TopicFilter, group)
      group.clear()
    }
  }

  /** The session has become a stored one, or ceased to be: only then do its plain subscriptions attract messages. */
  reroute(session: Session): void {
    for (const [filter, record] of session.subscriptions ?? []) {
      if (this.#groups.has(filter)) continue
      if (session.isStored) this.#routes.add(filter as TopicFilter, session, record)
      else this.#routes.remove(filter as TopicFilter, session)
    }
  }

  #groupOf(name: string, filter: TopicFilter): SharedGroup<Session> {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new SharedGroup<Session>(this.#context, name, filter)
      this.#groups.set(name, group)
      this.#routes.add(filter, group, group)
    }
    return group
  }
}

/** What a plan keeps: a session with thousands of filters that match is one route. */
function weightOf({ sessions, groups }: StoragePlan): number {
  let weight = sessions.length + groups.length
  for (const { reception } of sessions) weight += reception.subscriptionIdentifiers?.length ?? 0
  return weight
}

/** Of every topic that is stored for nobody. */
const nobody: StoragePlan = { sessions: [], groups: [] }

function planStorage(routes: readonly Route[], queued: 'every QoS' | 'QoS 1 and 2'): StoragePlan {
  if (routes.length === 0) return nobody
  const groups: SharedGroup<Session>[] = []
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
    // Only the order of identifiers shows.
    if (ofSession.some(({ subscription }) => subscription.subscriptionIdentifier !== undefined)) {
      ofSession.sort((one, other) => one.ordinal - other.ordinal)
    }
    const subscriptions = ofSession.map(({ subscription }) => subscription)
    const reception = mergeSubscriptions(subscriptions, false)
    // Effective QoS 0 is the broker's to send, unless it is queued; without `noLocal` subscriptions the QoS can only be higher.
    if (reception === undefined || (reception.qos === 0 && queued !== 'every QoS')) continue
    const hasNoLocal = subscriptions.some(({ noLocal }) => noLocal)
    const ownReception = hasNoLocal ? mergeSubscriptions(subscriptions, true) : reception
    sessions.push({ session, reception, ownReception })
  }
  return { sessions, groups }
}
