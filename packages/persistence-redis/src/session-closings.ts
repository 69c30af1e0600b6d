import { PersistentCall, Repetitions } from './calls/persistent-call.ts'

/** Closings of sessions that Redis has not answered yet: nobody else says them again, and what Redis does not hear of would stay open
 * as long as this broker lives. */
export class SessionClosings {
  readonly #mayRetry: (error: unknown) => boolean
  readonly #repetitions = new Repetitions()
  /** By client identifier; an empty set is not kept. */
  readonly #byClient = new Map<string, Set<Pick<PersistentCall<unknown>, 'attempt' | 'hasFailed'>>>()

  constructor(mayRetry: (error: unknown) => boolean) {
    this.#mayRetry = mayRetry
  }

  async say<Answer>(clientId: string, call: () => Promise<Answer>): Promise<Answer> {
    const closing = new PersistentCall(call, this.#mayRetry, this.#repetitions)
    const closings = this.#byClient.get(clientId) ?? new Set()
    this.#byClient.set(clientId, closings.add(closing))
    try {
      return await closing.answered
    } finally {
      closings.delete(closing)
      if (closings.size === 0) this.#byClient.delete(clientId)
    }
  }

  /** To be called before a session of the client is opened: a connection that has ended must not be taken over as an open one, with
   * a will that nobody wants any more. Undefined: nothing has to be said again; the promise rejects with what that fails with. */
  hurry(clientId: string): Promise<unknown> | undefined {
    const closings = this.#byClient.get(clientId)
    if (closings === undefined) return undefined
    const late = [...closings].filter(({ hasFailed }) => hasFailed)
    return late.length === 0 ? undefined : Promise.all(late.map(async closing => closing.attempt()))
  }
}
