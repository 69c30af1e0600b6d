import type { RedisConnection } from '@x/redis-connection'
import { leaseDuration } from './presence.ts'
import { library } from './functions/library.ts'
import { tendInterval } from './inbox.ts'
import type { InboxHost, StreamEntry } from './inbox.ts'

/** Milliseconds for which the inbox is kept: it must not end before the lease of a broker that is cut off. */
const keptFor = leaseDuration + tendInterval

/** What a broker asks Redis about its inbox. */
export class InboxCalls implements Pick<InboxHost, 'read' | 'tend' | 'last'> {
  readonly #connection: RedisConnection
  readonly #base: string
  #isThere = false

  /** @param base what the keys of the inbox begin with */
  constructor(connection: RedisConnection, base: string) {
    this.#connection = connection
    this.#base = base
  }

  async read(after: number, limit: number): Promise<readonly StreamEntry[]> {
    const key = `${this.#base}in`
    const answer = await this.#connection.command(key, 'XRANGE', key, `${after + 1}-0`, '+', 'COUNT', limit)
    return answer as readonly StreamEntry[]
  }

  async tend(seen: number, done: number, bytes: number): Promise<{ lost: boolean; last: number }> {
    const answer = await this.#connection.call(library, 'tend', this.#base, keptFor, seen, done, bytes)
    const [lost, last] = answer as [number, number]
    // The first time there was none.
    const wasThere = this.#isThere
    this.#isThere = true
    return { lost: lost === 1 && wasThere, last }
  }

  async last(): Promise<number> {
    const key = `${this.#base}n`
    return Number((await this.#connection.command(key, 'HGET', key, 'last')) ?? Number.NaN)
  }
}
