import { mergeSubscriptions } from '@x/contract'
import type { MaybePromise, Reception, Subscription } from '@x/contract'
import { FilterTrie } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { ProgramSubscriber } from './subscriber-run.ts'
import type { Receiver } from './receiver.ts'
import type { AdvertisedFilters } from './advertised-filters.ts'
import type { SharedGroup } from './shared-group.ts'

/** One entry of the routing table: a receiver of the topics that match a filter. */
type Route =
  | {
      readonly kind: 'session'
      readonly session: Receiver
      readonly subscription: Subscription
      /** The session as a target of topics that match no other of its filters, made when it is needed first. When one of thousands of
       * subscribers comes or goes, the next plan takes the others' from here. */
      target: Target | undefined
      /** The plan of topics that match this route alone, made when it is needed first. With 100 000 filters and ever new topics it saves
       * a tenth of the time. */
      alone: Plan | undefined
    }
  | { readonly kind: 'group'; readonly group: SharedGroup }
  | { readonly kind: 'program'; readonly subscriber: ProgramSubscriber }

type SessionRoute = Extract<Route, { kind: 'session' }>

/** How one connected session receives the messages of a topic. */
export interface Target extends Reception {
  readonly session: Receiver
  /** Reception of the session's own messages, where `noLocal` makes it differ; undefined: it gets none of them. */
  readonly own: Reception | undefined
  /** No No Local and no identifiers, so QoS 0 bytes can be forwarded unchanged. */
  readonly plain: boolean
}

/** All receivers of a topic on this broker; made once for each topic and set of subscriptions. */
export interface Plan {
  readonly targets: readonly Target[]
  readonly groups: readonly SharedGroup[]
  readonly programSubscribers: readonly ProgramSubscriber[]
  /** Number of receivers of all three kinds. */
  readonly size: number
  /** QoS 0 messages can be forwarded to all targets unchanged. */
  readonly verbatim: boolean
  /** To some targets each of them is written by itself all the same. */
  readonly oneByOne: boolean
}

const DOLLAR = 0x24

function isWildcard(character: number): boolean {
  return character === 0x23 || character === 0x2b
}

/** The routing table: which connected sessions, shared groups and functions of the program receive a topic. */
export class Router {
  readonly #trie: FilterTrie<Route, Plan>
  readonly #advertised: AdvertisedFilters
  /** Functions of the program whose filters begin with a wildcard; undefined while there are none. */
  #programSubscribers: FilterTrie<ProgramSubscriber> | undefined

  /** `worked` gets the microseconds of each plan that took long to make. */
  constructor(advertised: AdvertisedFilters, worked: (microseconds: number) => void) {
    this.#trie = new FilterTrie<Route, Plan>({
      derive: makePlan,
      weigh: weightOf,
      worked: steps => worked(steps / stepsPerMicrosecond),
    })
    this.#advertised = advertised
  }

  /** The same object as long as nothing that concerns the topic has changed. */
  plan(topic: string): Plan {
    if (this.#programSubscribers !== undefined && topic.charCodeAt(0) === DOLLAR)
      return this.#planWithLocals(this.#programSubscribers, topic)
    return this.#trie.match(topic)
  }

  /** Wildcards at the beginning hide `$` topics from clients (MQTT 5.0 §4.7.2), not from the program. */
  #planWithLocals(leading: FilterTrie<ProgramSubscriber>, topic: string): Plan {
    const plan = this.#trie.match(topic)
    // A wildcard takes any first level, so another one that has no `$` finds the same filters.
    const more = leading.match(`_${topic}`)
    if (more.length === 0) return plan
    return {
      ...plan,
      programSubscribers: [...plan.programSubscribers, ...more],
      size: plan.size + more.length,
      verbatim: false,
    }
  }

  /** Returns when other brokers know that this broker has a subscriber for the filter; so do the next two methods. */
  addSession(session: Receiver, subscription: Subscription): MaybePromise<void> {
    const filter = subscription.filter as TopicFilter
    const before = this.#trie.get(filter, session)
    this.#trie.add(filter, session, {
      kind: 'session',
      session,
      subscription,
      target: undefined,
      alone: undefined,
    })
    const added = this.#advertised.addSession(filter, isServedByStore(session, subscription))
    // Removed afterwards, so that there is a route at all times.
    if (before !== undefined) this.#removeRoute(filter, before)
    return added
  }

  addGroup(filter: string, group: SharedGroup): MaybePromise<void> {
    this.#trie.add(filter as TopicFilter, group, { kind: 'group', group })
    return this.#advertised.addGroup(filter, group.name)
  }

  addProgramSubscriber(filter: string, subscriber: ProgramSubscriber): MaybePromise<void> {
    if (isWildcard(filter.charCodeAt(0))) {
      this.#programSubscribers ??= new FilterTrie()
      this.#programSubscribers.add(filter as TopicFilter, subscriber, subscriber)
    }
    this.#trie.add(filter as TopicFilter, subscriber, { kind: 'program', subscriber })
    return this.#advertised.addProgramSubscriber(filter)
  }

  removeSession(filter: string, session: Receiver): void {
    const route = this.#trie.get(filter as TopicFilter, session)
    if (route === undefined) return
    this.#trie.remove(filter as TopicFilter, session)
    this.#removeRoute(filter, route)
  }

  removeGroup(filter: string, group: SharedGroup): void {
    if (this.#trie.remove(filter as TopicFilter, group)) this.#advertised.removeGroup(filter, group.name)
  }

  removeProgramSubscriber(filter: string, subscriber: ProgramSubscriber): void {
    this.#programSubscribers?.remove(filter as TopicFilter, subscriber)
    if (this.#programSubscribers?.size === 0) this.#programSubscribers = undefined
    if (this.#trie.remove(filter as TopicFilter, subscriber)) this.#advertised.removeProgramSubscriber(filter)
  }

  #removeRoute(filter: string, route: Route): void {
    if (route.kind !== 'session') return
    this.#advertised.removeSession(filter, isServedByStore(route.session, route.subscription))
  }
}

/** Whether the session gets messages of this subscription from the store: those of QoS 1 and 2. */
function isServedByStore(session: Receiver, subscription: Subscription): boolean {
  return session.stored && subscription.qos > 0
}

/** Steps of making a plan here and one in the store, which has the same filters for stored sessions. */
const stepsPerMicrosecond = 8

/** The memory of a plan: a client with 16 000 matching filters is one target. */
function weightOf({ targets, size }: Plan): number {
  let weight = size
  for (const { subscriptionIdentifiers } of targets) weight += subscriptionIdentifiers?.length ?? 0
  return weight
}

/** The plan of every topic without receivers. A new one for each topic was two thirds of the garbage of ever new topics. */
const nobody: Plan = { targets: [], groups: [], programSubscribers: [], size: 0, verbatim: true, oneByOne: false }

function makePlan(routes: readonly Route[]): Plan {
  const [first] = routes
  if (first === undefined) return nobody
  if (routes.length !== 1 || first.kind !== 'session') return combine(routes)
  first.alone ??= combine(routes)
  return first.alone
}

function combine(routes: readonly Route[]): Plan {
  const bySession = new Map<Receiver, SessionRoute | SessionRoute[]>()
  const groups: SharedGroup[] = []
  const programSubscribers: ProgramSubscriber[] = []
  for (const route of routes) {
    if (route.kind === 'group') groups.push(route.group)
    else if (route.kind === 'program') programSubscribers.push(route.subscriber)
    else {
      const others = bySession.get(route.session)
      if (others === undefined) bySession.set(route.session, route)
      else if (Array.isArray(others)) others.push(route)
      else bySession.set(route.session, [others, route])
    }
  }
  const targets: Target[] = []
  for (const route of bySession.values()) targets.push(Array.isArray(route) ? targetOfAll(route) : targetOf(route))
  const verbatim = groups.length === 0 && programSubscribers.length === 0 && targets.every(target => target.plain)
  return {
    targets,
    groups,
    programSubscribers,
    size: targets.length + groups.length + programSubscribers.length,
    verbatim,
    oneByOne: targets.some(({ session }) => session.lane === 0),
  }
}

function targetOf(route: SessionRoute): Target {
  route.target ??= makeTarget(route.session, [route.subscription])
  return route.target
}

function targetOfAll(routes: readonly SessionRoute[]): Target {
  const [{ session }] = routes as readonly [SessionRoute]
  return makeTarget(
    session,
    routes.map(route => route.subscription),
  )
}

function makeTarget(session: Receiver, subscriptions: readonly Subscription[]): Target {
  const reception = mergeSubscriptions(subscriptions, false) as Reception
  const hasNoLocal = subscriptions.some(subscription => subscription.noLocal)
  return {
    session,
    qos: reception.qos,
    retainAsPublished: reception.retainAsPublished,
    subscriptionIdentifiers: reception.subscriptionIdentifiers,
    own: hasNoLocal ? mergeSubscriptions(subscriptions, true) : reception,
    plain: !hasNoLocal && reception.subscriptionIdentifiers === undefined,
  }
}
