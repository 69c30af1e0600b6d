import { mergeSubscriptions } from '@x/contract'
import type { Reception, Subscription } from '@x/contract'
import { filterMatches, parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { Steps } from './batch.ts'
import type { Environment, Range } from './environment.ts'
import { fitsKey, kind, levelBytes, numberKey, textKey } from './keys.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { SessionRecord } from './session-record.ts'
import { readSubscription, writeSubscription } from './subscription-record.ts'
import type { StoredSubscription } from './subscription-record.ts'
import type { RoutesState, WorkingSet } from './working-set.ts'

/** Who stores a message of one topic: found out once, and used until a route changes. */
export interface StoragePlan {
  readonly sessions: readonly SessionRoute[]
  /** Names of shared groups. */
  readonly groups: readonly string[]
}

/** A session that gets the messages of a topic, and how. */
export interface SessionRoute {
  readonly clientId: string
  readonly reception: Reception
  /** For a message that the session's own client published; undefined: none, by `noLocal`. */
  readonly ownReception: Reception | undefined
}

/** Topics whose plan is kept, and sessions and groups that these name. */
const maximumPlans = 10_000
const maximumTakers = 200_000

const sessionRoute = 0
const groupRoute = 1
const terminator: Buffer = Buffer.of(0)
const separator: Buffer = Buffer.of(1)
const routeByte: Buffer = Buffer.of(kind.route)

/** Subscriptions by session and by filter. What matches a topic is found by walking the filters' levels in the directory, so
 * nothing of it has to be in memory. */
export class Subscriptions {
  readonly #stored: 'every QoS' | 'QoS 1 and 2'
  readonly #environment: Environment
  readonly #set: WorkingSet
  readonly #writer = new RecordWriter()
  readonly #plans = new Map<string, StoragePlan>()
  /** Named by the plans that are kept. */
  #takers = 0
  /** `routesVersion` that the plans were made with. */
  #plannedVersion = 0

  /** @param stored - which messages come into queues */
  constructor(environment: Environment, set: WorkingSet, stored: 'every QoS' | 'QoS 1 and 2' = 'QoS 1 and 2') {
    this.#stored = stored
    this.#environment = environment
    this.#set = set
  }

  /** Returns whether the session had a subscription with that filter. A shared one is kept here, but not routed. */
  add(session: SessionRecord, subscription: Subscription): boolean {
    const key = subscriptionKey(session, subscription.filter)
    const previous = this.#environment.get(key)
    const ordinal = previous === undefined ? session.nextOrdinal : readSubscription(new RecordReader(previous)).ordinal
    const stored: StoredSubscription = { subscription, ordinal }
    writeSubscription(this.#writer.begin(), stored)
    this.#environment.put(key, this.#writer.take())
    if (previous === undefined) {
      session.nextOrdinal += 1
      session.subscriptions += 1
      this.#set.changed(session)
      this.#set.count('subscriptions', 1)
    }
    if (session.sessionExpiryInterval > 0 && !isShared(subscription.filter)) this.#addRoute(session, stored)
    return previous !== undefined
  }

  /** Returns whether it was there. */
  remove(session: SessionRecord, filter: string): boolean {
    const key = subscriptionKey(session, filter)
    if (!this.#environment.has(key)) return false
    this.#environment.remove(key)
    session.subscriptions -= 1
    this.#set.changed(session)
    this.#set.count('subscriptions', -1)
    if (!isShared(filter)) this.#removeRoute(filter, session.number)
    return true
  }

  /** In the order of subscribing. */
  *all(session: SessionRecord): Steps<readonly Subscription[]> {
    if (session.subscriptions === 0) return []
    const stored: StoredSubscription[] = []
    for (const rows of this.#environment.parts(rangeOf(session))) {
      for (const { value } of rows) stored.push(readSubscription(new RecordReader(value)))
      yield
    }
    return stored.sort((one, other) => one.ordinal - other.ordinal).map(({ subscription }) => subscription)
  }

  /** The session has become a stored one, or ceased to be: only then do its plain subscriptions attract messages. */
  *reroute(session: SessionRecord): Steps<void> {
    if (session.subscriptions === 0) return
    for (const rows of this.#environment.parts(rangeOf(session))) {
      for (const { value } of rows) {
        const stored = readSubscription(new RecordReader(value))
        if (isShared(stored.subscription.filter)) continue
        if (session.sessionExpiryInterval > 0) this.#addRoute(session, stored)
        else this.#removeRoute(stored.subscription.filter, session.number)
      }
      yield
    }
  }

  addGroupRoute(filter: string, group: { readonly name: string; readonly number: number }): void {
    this.#writer.begin().u8(groupRoute).text(group.name)
    this.#putRoute(filter, group.number)
  }

  removeGroupRoute(filter: string, groupNumber: number): void {
    this.#removeRoute(filter, groupNumber)
  }

  /** As the transaction that runs sees it. */
  plan(topic: string): StoragePlan {
    return this.#plan(topic, this.#set.totals)
  }

  /** As any process has committed it at this moment; undefined: that can't be seen now. */
  committedPlan(topic: string): StoragePlan | undefined {
    return this.#environment.isCommitted ? this.#plan(topic, this.#set.committedRoutes) : undefined
  }

  #plan(topic: string, state: RoutesState): StoragePlan {
    const { routesVersion } = state
    const isTooMuch = this.#plans.size > maximumPlans || this.#takers > maximumTakers
    if (this.#plannedVersion !== routesVersion || isTooMuch) {
      this.#plans.clear()
      this.#takers = 0
    }
    this.#plannedVersion = routesVersion
    let plan = this.#plans.get(topic)
    if (plan === undefined) {
      plan = planOf(this.#routes(topic, state), this.#stored)
      this.#plans.set(topic, plan)
      this.#takers += plan.sessions.length + plan.groups.length
    }
    return plan
  }

  #addRoute(session: SessionRecord, stored: StoredSubscription): void {
    writeSubscription(this.#writer.begin().u8(sessionRoute).text(session.clientId), stored)
    this.#putRoute(stored.subscription.filter, session.number)
  }

  #putRoute(filter: string, number: number): void {
    const key = routeKey(filter, number)
    const route = this.#writer.take()
    if (key[0] === kind.longRoute) {
      if (!this.#environment.has(key)) this.#set.count('longRoutes', 1)
      this.#environment.put(key, this.#writer.begin().text(filter).bytes(route).take())
    } else this.#environment.put(key, route)
    this.#set.routesChanged()
  }

  #removeRoute(filter: string, number: number): void {
    const key = routeKey(filter, number)
    if (!this.#environment.has(key)) return
    if (key[0] === kind.longRoute) this.#set.count('longRoutes', -1)
    this.#environment.remove(key)
    this.#set.routesChanged()
  }

  #routes(topic: string, { longRoutes }: RoutesState): Route[] {
    const levels = topic.split('/')
    const routes: Route[] = []
    this.#walk(routeByte, { levels, index: 0, wildcards: !topic.startsWith('$') }, routes)
    if (longRoutes > 0) this.#longRoutes(topic, routes)
    return routes
  }

  /** `prefix`: the levels of a filter chosen so far. */
  #walk(prefix: Buffer, place: Place, routes: Route[]): void {
    const { levels, index, wildcards } = place
    const open = index === 0 ? prefix : Buffer.concat([prefix, separator])
    // `a/#` matches `a`, too. MQTT 5.0 §4.7.1.2
    if (wildcards) this.#exact(Buffer.concat([open, hash]), routes)
    const level = levels[index]
    if (level === undefined) {
      this.#exact(prefix, routes)
      return
    }
    const children = wildcards ? [levelBytes([level]), plus] : [levelBytes([level])]
    for (const child of children) {
      const next = Buffer.concat([open, child])
      if (!this.#hasAny(next)) continue
      this.#walk(next, { levels, index: index + 1, wildcards: true }, routes)
    }
  }

  /** Whether a filter begins with these levels. */
  #hasAny(prefix: Buffer): boolean {
    const range = { start: Buffer.concat([prefix, terminator]), end: Buffer.concat([prefix, Buffer.of(2)]) }
    return this.#environment.firstKey(range) !== undefined
  }

  #exact(filter: Buffer, routes: Route[]): void {
    const range = { start: Buffer.concat([filter, terminator]), end: Buffer.concat([filter, separator]) }
    for (const { value } of this.#environment.rows(range)) routes.push(readRoute(value))
  }

  #longRoutes(topic: string, routes: Route[]): void {
    for (const { value } of this.#environment.rows({ start: Buffer.of(kind.longRoute), end: afterLongRoutes })) {
      const reader = new RecordReader(value)
      if (filterMatches(reader.text(), topic)) routes.push(readRoute(reader.bytes()))
    }
  }
}

const hash: Buffer = Buffer.from('#')
const plus: Buffer = Buffer.from('+')
const afterLongRoutes: Buffer = Buffer.of(kind.longRoute + 1)

interface Place {
  readonly levels: readonly string[]
  readonly index: number
  /** False at the first level of a `$` topic. [MQTT5-4.7.2-1] */
  readonly wildcards: boolean
}

type Route = { readonly group: string } | { readonly clientId: string; readonly stored: StoredSubscription }

function readRoute(value: Buffer): Route {
  const reader = new RecordReader(value)
  const isGroup = reader.u8() === groupRoute
  const name = reader.text()
  return isGroup ? { group: name } : { clientId: name, stored: readSubscription(reader) }
}

function rangeOf({ number }: SessionRecord): Range {
  return { start: numberKey(kind.subscription, number), end: numberKey(kind.subscription, number + 1) }
}

function subscriptionKey(session: SessionRecord, filter: string): Buffer {
  return textKey(kind.subscription, filter, session.number)
}

function routeKey(filter: string, number: number): Buffer {
  const levels = levelBytes(filter.split('/'))
  if (!fitsKey(levels)) return textKey(kind.longRoute, filter, number)
  return Buffer.concat([routeByte, levels, terminator, numberKey(0, number).subarray(1)])
}

function isShared(filter: string): boolean {
  return parseSharedFilter(filter as TopicFilter) !== undefined
}

function planOf(routes: readonly Route[], queued: 'every QoS' | 'QoS 1 and 2'): StoragePlan {
  const groups: string[] = []
  const bySession = new Map<string, StoredSubscription[]>()
  for (const route of routes) {
    if ('group' in route) {
      groups.push(route.group)
      continue
    }
    const ofSession = bySession.get(route.clientId)
    if (ofSession === undefined) bySession.set(route.clientId, [route.stored])
    else ofSession.push(route.stored)
  }
  const sessions: SessionRoute[] = []
  for (const [clientId, stored] of bySession) {
    const inOrder = stored.sort((one, other) => one.ordinal - other.ordinal).map(({ subscription }) => subscription)
    const reception = mergeSubscriptions(inOrder, false)
    // Effective QoS 0 is the broker's to send, unless it is queued; without `noLocal` subscriptions the QoS can only be higher.
    if (reception === undefined || (reception.qos === 0 && queued !== 'every QoS')) continue
    sessions.push({ clientId, reception, ownReception: mergeSubscriptions(inOrder, true) })
  }
  return { sessions, groups }
}
