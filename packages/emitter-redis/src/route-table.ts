import { FilterTrie, parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { OutgoingLink } from './outgoing-link.ts'
import { brokerIdOf } from './message-frame.ts'
import { SharedTurn } from './shared-turn.ts'

/** A route as it is named in Redis: what it brings, then the filter. `0`: QoS 0 alone; `2`: everything; `s`: a shared filter, of
 * which one broker gets each QoS 0 message. */
export type RouteName = string

export function routeName(filter: string, maximumQoS: 0 | 2): RouteName {
  return `${filter.startsWith('$share/') ? 's' : maximumQoS}${filter}`
}

/** Another broker that is there. */
export interface RemoteBroker {
  readonly instance: string
  readonly brokerId: string
  readonly link: OutgoingLink
}

interface Route {
  readonly broker: RemoteBroker
  readonly kind: '0' | '2' | 's'
  readonly turn: SharedTurn | undefined
}

/** Who gets the messages of a topic. */
export interface RoutePlan {
  readonly all: readonly RemoteBroker[]
  /** Those of them that get QoS 1 and 2. */
  readonly atLeastOnce: readonly RemoteBroker[]
  /** Groups with members at other brokers. */
  readonly turns: readonly SharedTurn[]
}

export interface RouteTableHost {
  /** This broker, whose own routes are not kept here. */
  readonly instance: string
  link(instance: string): OutgoingLink
  presence(brokerId: string, present: boolean): void
  left(instance: string): void
}

/** What all other brokers subscribe to. */
export class RouteTable {
  readonly #host: RouteTableHost
  readonly #trie: FilterTrie<Route, RoutePlan>
  readonly #brokers = new Map<string, RemoteBroker & { readonly routes: Map<RouteName, Route> }>()
  readonly #turns = new Map<string, SharedTurn>()

  constructor(host: RouteTableHost) {
    this.#host = host
    this.#trie = new FilterTrie<Route, RoutePlan>({ derive: makePlan })
  }

  /** Names of the lives of all other brokers that are there. */
  get instances(): readonly string[] {
    return [...this.#brokers.keys()]
  }

  broker(instance: string): RemoteBroker | undefined {
    return this.#brokers.get(instance)
  }

  plan(topic: string): RoutePlan {
    return this.#trie.match(topic)
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

function partsOf(name: RouteName): { kind: Route['kind']; filter: TopicFilter; group: string | undefined } {
  const kind = name[0] as Route['kind']
  const filter = name.slice(1) as TopicFilter
  if (kind !== 's') return { kind, filter, group: undefined }
  return { kind, filter: parseSharedFilter(filter)?.filter as TopicFilter, group: filter }
}

function makePlan(routes: readonly Route[]): RoutePlan {
  const all = new Set<RemoteBroker>()
  const atLeastOnce = new Set<RemoteBroker>()
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
