import type { RouteName, RouteTable } from '@x/emitter-parts'
import type { OutgoingLink } from './outgoing-link.ts'

/** One change of who is there or wants what. */
export type LogEntry =
  | readonly ['j', instance: string, brokerId: string, ...routes: RouteName[]]
  /** The same with too many routes for an entry. */
  | readonly ['a', instance: string, brokerId: string]
  | readonly ['r', instance: string, ...changes: string[]]
  | readonly ['g', instance: string]

/** All routes of one broker, as Redis has them. */
export type BrokerRoutes = readonly [instance: Buffer, id: Buffer, routes: readonly Buffer[]]

type Brokers = readonly BrokerRoutes[]

/** What Redis has of all brokers: as a whole, or after the last known position. */
export type LogAnswer =
  | readonly [position: Buffer, kind: Buffer, brokers: Brokers]
  | readonly [position: Buffer, kind: Buffer, entries: readonly Buffer[]]

/** Entries that Redis is asked for at a time. */
export const logPage = 100

/** What the log of routes needs, and whom it tells. */
export interface RouteLogHost {
  readonly instance: string
  readonly table: RouteTable<OutgoingLink>
  /** What has happened after that position. */
  since(position: string): Promise<LogAnswer>
  /** Everything up to that number is applied here; the broker that made the change is to be told. */
  confirm(instance: string, number: number): void
  /** The others take this broker for dead. */
  buried(): void
  /** What Redis has of this broker's own routes. */
  found(own: readonly RouteName[]): void
}

/** Keeps the route table as Redis has it: entry by entry as they are told, and from the log what was not heard. */
export class RouteLog {
  readonly #host: RouteLogHost
  /** Of the last entry that is applied: its number, and a time. Empty: there is no table yet. */
  #position = ''
  #applied = 0
  #heard = 0
  #catching = false
  /** Everything has to be read, and not only what follows the position. */
  #isStale = false
  /** The log goes on behind what was read. */
  #goesOn = false

  constructor(host: RouteLogHost) {
    this.#host = host
  }

  /** Number of the last entry that is applied. */
  get applied(): number {
    return this.#applied
  }

  /** An entry was told, that comes after the one at `before`. */
  hear(position: string, before: string, entry: LogEntry): void {
    const number = numberOf(position)
    // Before there is a table nothing can be applied.
    if (this.#position !== '' && before === this.#position && !this.#catching) {
      this.#apply(number, entry)
      this.#position = position
      if (this.#isStale) void this.catchUp()
    } else if (number > this.#applied) {
      this.#heard = Math.max(this.#heard, number)
      if (this.#position !== '') void this.catchUp()
    }
  }

  /** Where the log ends: asked now and then, since an entry may not have been heard. Returns whether everything up to there is applied.
   * @param appliedBefore what was when that was asked: a log that ends before it has lost something */
  async check(position: string, appliedBefore: number): Promise<boolean> {
    const number = numberOf(position)
    const isKnown =
      number === this.#applied ? position === this.#position : number >= appliedBefore && number < this.#applied
    return (isKnown && !this.#isStale) || this.catchUp()
  }

  /** This broker has joined: reads who else is there. */
  async joined(): Promise<void> {
    this.#isStale = true
    await this.#readOn(() => undefined)
  }

  /** Asks Redis. Returns whether it has replied; otherwise the next check asks again. */
  async catchUp(): Promise<boolean> {
    return this.#readOn(own => this.#host.found(own))
  }

  /** @param found is told this broker's own routes where everything was read */
  async #readOn(found: (own: readonly RouteName[]) => void): Promise<boolean> {
    if (this.#catching) return false
    this.#catching = true
    const wasStale = this.#isStale
    try {
      let heard: number
      do {
        heard = this.#heard
        const position = this.#isStale ? '' : this.#position
        this.#isStale = false
        const own = this.#adopt(await this.#host.since(position))
        if (own !== undefined) found(own)
      } while (this.#isStale || this.#goesOn || (this.#heard > heard && this.#heard > this.#applied))
      return true
    } catch {
      // The connection has reported it.
      this.#isStale ||= wasStale
      return false
    } finally {
      this.#catching = false
    }
  }

  /** Returns this broker's own routes, if it was everything. */
  #adopt([last, kind, found]: LogAnswer): readonly RouteName[] | undefined {
    const position = last.toString()
    this.#goesOn = kind.toString() === 'log' && found.length === logPage
    if (kind.toString() === 'log') {
      for (const text of found as readonly Buffer[]) this.#apply(this.#applied + 1, JSON.parse(text.toString()))
      this.#position = position
      return undefined
    }
    const own = this.#replace(found as Brokers)
    this.#position = position
    this.#applied = numberOf(position)
    for (const instance of this.#host.table.instances) this.#host.confirm(instance, this.#applied)
    return own
  }

  #replace(brokers: Brokers): readonly RouteName[] {
    const { table, instance: own } = this.#host
    let ownRoutes: readonly RouteName[] = []
    const there = new Set(brokers.map(([instance]) => instance.toString()))
    for (const instance of table.instances) if (!there.has(instance)) table.leave(instance)
    for (const [name, brokerId, routes] of brokers) {
      const instance = name.toString()
      if (instance === own) ownRoutes = routes.map(String)
      else table.join(instance, brokerId.toString(), routes.map(String))
    }
    return ownRoutes
  }

  #apply(number: number, entry: LogEntry): void {
    this.#applied = number
    const [kind, instance] = entry
    const { table, instance: own } = this.#host
    if (instance === own) {
      if (kind === 'g') this.#host.buried()
      return
    }
    switch (kind) {
      case 'j':
        table.join(instance, entry[2], entry.slice(3))
        break
      case 'a':
        // It is confirmed when they are known.
        this.#isStale = true
        return
      case 'r':
        table.change(instance, entry.slice(2))
        break
      case 'g':
        table.leave(instance)
        return
    }
    this.#host.confirm(instance, number)
  }
}

function numberOf(position: string): number {
  return Number.parseInt(position, 10) || 0
}
