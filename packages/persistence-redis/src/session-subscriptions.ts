import type { SessionHandle, Subscription } from '@x/contract'
import type { OwnedSessions } from './owned-sessions.ts'
import type { StoreCalls } from './store-calls.ts'
import type { StoredRoutes } from './stored-routes.ts'
import { encodeSubscription } from './subscription-record.ts'

/** Filters that one call adds or removes at most: more would keep Redis for longer than some milliseconds, and nobody else is served
 * meanwhile. */
const largestPart = 500

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

  /** Answers for each whether its filter was there. */
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

  /** Answers for each whether it was there. */
  async remove(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    const answers: number[] = []
    for (const part of partsOf(filters)) {
      answers.push(...((await this.#calls.callFor(session, 'unsubscribe', ...part)) as number[]))
      this.#sessions.get(session.epoch)?.left(part)
    }
    return answers.map(before => before === 1)
  }
}

function* partsOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let from = 0; from < items.length; from += largestPart) yield items.slice(from, from + largestPart)
}
