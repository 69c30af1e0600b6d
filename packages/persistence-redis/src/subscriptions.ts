import type { SessionHandle, Subscription } from '@x/contract'
import type { OwnedSessions } from './owned-sessions.ts'
import type { StoreCalls } from './calls/store-calls.ts'
import type { StoredRoutes } from './stored-routes.ts'
import { decodeSubscriptions, encodeSubscription } from './records/subscription-record.ts'

/** Levels of the filters that one call adds or removes: more would keep Redis for longer than some milliseconds, and nobody else is
 * served meanwhile. A filter counts for two levels more. */
const largestPart = 1000

/** Adds and removes the subscriptions of open sessions, in as many steps as it takes. */
export class SessionSubscriptions {
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions
  readonly #routes: StoredRoutes

  constructor(calls: StoreCalls, sessions: OwnedSessions, routes: StoredRoutes) {
    this.#calls = calls
    this.#sessions = sessions
    this.#routes = routes
  }

  /** Returns for each whether its filter was there. */
  async add(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    const answers: number[] = []
    for (const part of partsOf(subscriptions)) {
      const parameters = part.flatMap(one => [one.filter, encodeSubscription(one)])
      await this.#routes.add(async () => {
        const answer = await this.#calls.callFor(session, 'subscribe', ...parameters)
        const [before, number, followers] = answer as [number[], number, Buffer[]]
        this.#sessions.get(session.epoch)?.joined(part.map(({ filter }) => filter))
        answers.push(...before)
        return { number, brokers: followers.map(String) }
      })
    }
    return answers.map(before => before === 1)
  }

  /** All of a session that was opened just now.
   * @param found by the call that has opened it; 0: they are too many for that */
  async restored(session: SessionHandle, found: readonly Buffer[] | 0): Promise<Subscription[]> {
    if (found !== 0) return decodeSubscriptions(found)
    const options = new Map<string, Buffer>()
    let cursor = '0'
    do {
      const [next, page] = (await this.#calls.callFor(session, 'subscriptions', cursor)) as [Buffer, Buffer[]]
      for (let index = 0; index + 1 < page.length; index += 2)
        options.set(String(page[index]), page[index + 1] as Buffer)
      cursor = String(next)
    } while (cursor !== '0')
    return decodeSubscriptions([...options].flatMap(([filter, text]) => [Buffer.from(filter), text]))
  }

  /** Returns for each whether it was there. */
  async remove(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    const answers: number[] = []
    for (const part of partsOf(filters)) {
      answers.push(...((await this.#calls.callFor(session, 'unsubscribe', ...part)) as number[]))
      this.#sessions.get(session.epoch)?.left(part)
    }
    return answers.map(before => before === 1)
  }
}

function* partsOf<Item extends string | Subscription>(items: readonly Item[]): Generator<readonly Item[]> {
  let part: Item[] = []
  let weight = 0
  for (const item of items) {
    const filter = typeof item === 'string' ? item : item.filter
    const levels = filter.split('/').length + 2
    if (part.length > 0 && weight + levels > largestPart) {
      yield part
      part = []
      weight = 0
    }
    part.push(item)
    weight += levels
  }
  if (part.length > 0) yield part
}
