/** Milliseconds until what could not be said is said again. */
const retryDelay = 250

/** A call that is made again until there is an answer: for what Redis must hear sooner or later, and may hear twice. */
export class PersistentCall<Answer> {
  /** What the first call that succeeds answers, or one fails with that is not to be repeated. */
  readonly answered: Promise<Answer>
  readonly #call: () => Promise<Answer>
  readonly #mayRetry: (error: unknown) => boolean
  #hasFailed = false
  #settled = false
  #resolve: (answer: Answer) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  /** Makes the first call.
   * @param mayRetry whether it makes sense to call again after this error */
  constructor(call: () => Promise<Answer>, mayRetry: (error: unknown) => boolean) {
    this.#call = call
    this.#mayRetry = mayRetry
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    void this.#repeat()
  }

  /** It could not be said so far. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** Calls now, without waiting for the time to repeat, and throws what is to be repeated. */
  async attempt(): Promise<void> {
    try {
      this.#resolve(await this.#call())
    } catch (error) {
      if (this.#mayRetry(error)) throw error
      this.#reject(error)
    }
    this.#settled = true
  }

  async #repeat(): Promise<void> {
    while (!this.#settled) {
      try {
        await this.attempt()
      } catch {
        this.#hasFailed = true
        await new Promise(resolve => void setTimeout(resolve, retryDelay).unref())
      }
    }
  }
}
