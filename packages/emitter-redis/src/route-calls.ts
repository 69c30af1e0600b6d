import type { RouteName } from '@x/emitter-parts'
import type { NumberedChange, RedisArgument, RedisConnection } from '@x/redis-connection'
import { leaseDuration } from './presence.ts'
import { library } from './functions/library.ts'
import { schema } from './keys.ts'
import { logPage } from './route-log.ts'
import type { BrokerRoutes, LogAnswer } from './route-log.ts'

/** Routes that one call changes, and that one page of all has. */
const [largestChange, routesPage] = [300, 1000]

/** What the calls about routes are made with. */
export interface RouteCallsParts {
  readonly connection: RedisConnection
  /** What the keys of routes begin with. */
  readonly base: string
  readonly instance: string
  readonly brokerId: string
}

/** The calls about routes. Each is short, however many routes there are, so that nobody else waits long for Redis. */
export class RouteCalls {
  readonly #parts: RouteCallsParts

  constructor(parts: RouteCallsParts) {
    this.#parts = parts
  }

  /** Brings routes to Redis that count once the broker joins. Returns them; none when they are so few that {@link join} brings them. */
  async stage(names: readonly RouteName[]): Promise<readonly RouteName[]> {
    if (names.length <= largestChange) return []
    for (const [index, part] of partsOf(names).entries())
      await this.#call('stage', this.#parts.instance, leaseDuration, index === 0 ? 1 : 0, JSON.stringify(part))
    return names
  }

  /** Says that this broker is there, and that its routes are those that were staged, with these changes.
   * @throws RedisError `REDIS_SCHEMA_MISMATCH` while brokers are there that speak another schema */
  async join(staged: readonly RouteName[], changes: readonly string[]): Promise<NumberedChange> {
    const { instance, brokerId } = this.#parts
    const isStaged = staged.length > 0 ? 1 : 0
    const parameters = [instance, brokerId, leaseDuration, isStaged, JSON.stringify(changes), schema]
    return changeOf(await this.#call('join', ...parameters))
  }

  /** @param changes `+` or `-` and a route each; no more than {@link partsOf} puts into one part */
  async change(changes: readonly string[]): Promise<NumberedChange> {
    const name = changes.some(change => change.startsWith('+')) ? 'route' : 'unroute'
    return changeOf(await this.#call(name, this.#parts.instance, leaseDuration, JSON.stringify(changes)))
  }

  /** Returns the log after this position. When the log no longer reaches back so far, it returns the routes of all brokers instead, read page
   * by page: a change that is made meanwhile may be in them or not, and follows in the log. */
  async since(position: string): Promise<LogAnswer> {
    const [last, kind, found] = (await this.#call('since', position, logPage)) as readonly [Buffer, Buffer, unknown]
    if (kind.toString() === 'log') return [last, kind, found as readonly Buffer[]]
    const brokers: BrokerRoutes[] = []
    for (const [instance, id] of found as readonly (readonly [Buffer, Buffer])[])
      brokers.push([instance, id, await this.#routesOf(instance.toString())])
    return [last, kind, brokers]
  }

  async #routesOf(instance: string): Promise<Buffer[]> {
    const key = `${this.#parts.base}r:${instance}`
    // A page may have some of another one.
    const found = new Map<string, Buffer>()
    let cursor = '0'
    do {
      const answer = await this.#parts.connection.command(key, 'SSCAN', key, cursor, 'COUNT', routesPage)
      const [next, page] = answer as [Buffer, Buffer[]]
      for (const name of page) found.set(name.toString(), name)
      cursor = next.toString()
    } while (cursor !== '0')
    return [...found.values()]
  }

  #call(name: string, ...parameters: RedisArgument[]): Promise<unknown> {
    return this.#parts.connection.call(library, name, this.#parts.base, ...parameters)
  }
}

/** Splits the items into parts that one call may have. */
export function partsOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  const parts: (readonly Item[])[] = []
  for (let from = 0; from < items.length; from += largestChange) parts.push(items.slice(from, from + largestChange))
  return parts
}

function changeOf(answer: unknown): NumberedChange {
  const [number, brokers] = answer as [number, Buffer[]]
  return { number, brokers: brokers.map(String) }
}
