import { FilterTrie, parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { brokerIdOf } from './message-frame.ts'
import { SharedTurn } from './shared-turn.ts'

/** A route as brokers tell it to each other: what it brings, then the filter. `0`: QoS 0 alone; `2`: everything; `s`: a shared filter, of
 * which one broker gets each QoS 0 message. */
export type RouteName = string

/** The name of a route, with the highest QoS that is wanted in it. */
export function routeName(filter: string, maximumQoS: 0 | 2): RouteName {
  return `${filter.startsWith('$share/') ? 's' : maximumQoS}${filter}`
}

/** The way to another broker. */
export interface RouteLink {
  /** The other broker is gone: there is nobody left to bring anything to. */
  close(): void
  /** This broker goes. */
  abandon(): void
}

/** Another broker that is there. */
export interface RemoteBroker<Link extends RouteLink> {
  readonly instance: string
  readonly brokerId: string
  readonly link: Link
}

type RouteKind = '0' | '2' | 's'

interface Route<Link extends RouteLink> {
  readonly broker: RemoteBroker<Link>
  readonly kind: RouteKind
  readonly turn: SharedTurn | undefined
}

/** Who gets the messages of a topic. */
export interface RoutePlan<Link extends RouteLink> {
  readonly all: readonly RemoteBroker<Link>[]
  /** Those of them that get QoS 1 and 2. */
  readonly atLeastOnce: readonly RemoteBroker<Link>[]
  /** Groups with members at other brokers. */
  readonly turns: readonly SharedTurn[]
}

/** What the table of routes needs, and whom it tells. */
export interface RouteTableHost<Link extends RouteLink> {
  /** This broker, whose own routes are not kept here. */
  readonly instance: string
  link(instance: string): Link
  presence(brokerId: string, present: boolean): void
  left(instance: string): void
}

/** What all other brokers subscribe to. */
export class RouteTable<Link extends RouteLink> {
  readonly #host: RouteTableHost<Link>
  readonly #trie: FilterTrie<Route<Link>, RoutePlan<Link>>
  readonly #brokers = new Map<string, RemoteBroker<Link> & { readonly routes: Map<RouteName, Route<Link>> }>()
  readonly #turns = new Map<string, SharedTurn>()

  constructor(host: RouteTableHost<Link>) {
    this.#host = host
    this.#trie = new FilterTrie<Route<Link>, RoutePlan<Link>>({ derive: makePlan })
  }

  /** Names of the lives of all other brokers that are there. */
  get instances(): readonly string[] {
    return [...this.#brokers.keys()]
  }

  broker(instance: string): RemoteBroker<Link> | undefined {
    return this.#brokers.get(instance)
  }

  plan(topic: string): RoutePlan<Link> {
    return this.#trie.match(topic)
  }

  /** Who gets a QoS 0 message whose plan has turns: one broker of each group, with the groups that it serves, and those with routes of
   * their own. The turns advance. */
  receivers({ all, turns }: RoutePlan<Link>): ReadonlyMap<RemoteBroker<Link>, readonly string[]> {
    const { instance } = this.#host
    const receivers = new Map<RemoteBroker<Link>, string[]>(all.map(broker => [broker, []]))
    for (const turn of turns) {
      // With members here it has advanced already, when the engine asked whose turn it is.
      if (!turn.has(instance)) turn.advance()
      const chosen = turn.current === undefined ? undefined : this.#brokers.get(turn.current)
      if (chosen === undefined) continue
      const served = receivers.get(chosen)
      if (served === undefined) receivers.set(chosen, [turn.name])
      else served.push(turn.name)
    }
    return receivers
  }

  /** The turns of a shared group, when a broker has members. */
  turn(group: string): SharedTurn | undefined {
    return this.#turns.get(group)
  }

  /** Another broker is there, with these routes and no others. */
  join(instance: string, brokerId: string, names: readonly RouteName[]): void {
    const known = this.#brokers.get(instance)
    if (known === undefined) {
      this.#brokers.set(instance, { instance, brokerId, link: this.#host.link(instance), routes: new Map() })
    } else {
      const wanted = new Set(names)
      for (const name of known.routes.keys()) if (!wanted.has(name)) this.remove(instance, name)
    }
    for (const name of names) this.add(instance, name)
    if (known === undefined) this.#host.presence(brokerId, true)
  }

  leave(instance: string): void {
    const broker = this.#brokers.get(instance)
    if (broker === undefined) return
    for (const name of broker.routes.keys()) this.remove(instance, name)
    this.#brokers.delete(instance)
    broker.link.close()
    this.#host.left(instance)
    // It may have begun another life already.
    const goesOn = [...this.#brokers.keys()].some(other => brokerIdOf(other) === broker.brokerId)
    if (!goesOn) this.#host.presence(broker.brokerId, false)
  }

  add(instance: string, name: RouteName): void {
    const broker = this.#brokers.get(instance)
    if (broker === undefined || broker.routes.has(name)) return
    const { kind, filter, group } = partsOf(name)
    const route = { broker, kind, turn: group === undefined ? undefined : this.#joinTurn(group, instance) }
    broker.routes.set(name, route)
    this.#trie.add(filter, route, route)
  }

  remove(instance: string, name: RouteName): void {
    const broker = this.#brokers.get(instance)
    const route = broker?.routes.get(name)
    if (broker === undefined || route === undefined) return
    broker.routes.delete(name)
    this.#trie.remove(partsOf(name).filter, route)
    if (route.turn !== undefined) this.#leaveTurn(route.turn, instance)
  }

  /** Adds (`+` and the route) and removes (`-`) routes in that order. */
  change(instance: string, changes: readonly string[]): void {
    for (const change of changes) {
      if (change.startsWith('+')) this.add(instance, change.slice(1))
      else this.remove(instance, change.slice(1))
    }
  }

  /** This broker has members of a shared group. */
  addOwn(group: string): void {
    this.#joinTurn(group, this.#host.instance)
  }

  removeOwn(group: string): void {
    const turn = this.#turns.get(group)
    if (turn !== undefined) this.#leaveTurn(turn, this.#host.instance)
  }

  close(): void {
    for (const { link } of this.#brokers.values()) link.abandon()
    this.#brokers.clear()
  }

  #joinTurn(group: string, instance: string): SharedTurn {
    let turn = this.#turns.get(group)
    if (turn === undefined) {
      turn = new SharedTurn(group)
      this.#turns.set(group, turn)
    }
    turn.add(instance)
    return turn
  }

  #leaveTurn(turn: SharedTurn, instance: string): void {
    turn.remove(instance)
    if (turn.size === 0) this.#turns.delete(turn.name)
  }
}

function partsOf(name: RouteName): { kind: RouteKind; filter: TopicFilter; group: string | undefined } {
  const kind = name[0] as RouteKind
  const filter = name.slice(1) as TopicFilter
  if (kind !== 's') return { kind, filter, group: undefined }
  return { kind, filter: parseSharedFilter(filter)?.filter as TopicFilter, group: filter }
}

function makePlan<Link extends RouteLink>(routes: readonly Route<Link>[]): RoutePlan<Link> {
  const all = new Set<RemoteBroker<Link>>()
  const atLeastOnce = new Set<RemoteBroker<Link>>()
  const turns = new Set<SharedTurn>()
  for (const { broker, kind, turn } of routes) {
    if (turn !== undefined) {
      turns.add(turn)
      continue
    }
    all.add(broker)
    if (kind === '2') atLeastOnce.add(broker)
  }
  return { all: [...all], atLeastOnce: [...atLeastOnce], turns: [...turns] }
}
