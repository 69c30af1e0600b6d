/** Milliseconds until what could not be said is said again. */
const retryDelay = 250
/** Calls that are made again together, once such calls succeed. */
const largestWidth = 256

/** A call that is made again until there is an answer: for what Redis must hear sooner or later, and may hear twice. */
export class PersistentCall<Answer> {
  /** What the first call that succeeds answers, or one fails with that is not to be repeated. */
  readonly answered: Promise<Answer>
  readonly #call: () => Promise<Answer>
  readonly #mayRetry: (error: unknown) => boolean
  #hasFailed = false
  #isSettled = false
  #resolve: (answer: Answer) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  /** Makes the first call.
   * @param mayRetry whether it makes sense to call again after this error */
  constructor(call: () => Promise<Answer>, mayRetry: (error: unknown) => boolean, repetitions: Repetitions) {
    this.#call = call
    this.#mayRetry = mayRetry
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.attempt().catch(() => {
      this.#hasFailed = true
      repetitions.add(this)
    })
  }

  /** It could not be said so far. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Calls now, without waiting for the time to repeat, and throws what is to be repeated. */
  async attempt(): Promise<void> {
    try {
      this.#resolve(await this.#call())
    } catch (error) {
      if (this.#mayRetry(error)) throw error
      this.#reject(error)
    }
    this.#isSettled = true
  }
}

type Repeated = Pick<PersistentCall<unknown>, 'attempt' | 'isSettled'>

/** Calls that have failed: one of them tries whether they succeed again, and more and more follow. All at once they would keep a broker
 * busy as long as Redis is away, and Redis when it is back. */
export class Repetitions {
  #calls: Repeated[] = []
  #isRunning = false

  add(call: Repeated): void {
    this.#calls.push(call)
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    let width = 0
    while (this.#calls.length > 0) {
      if (width === 0) await new Promise(resolve => void setTimeout(resolve, retryDelay).unref())
      const calls = this.#calls.splice(0, Math.max(1, width)).filter(({ isSettled }) => !isSettled)
      const outcomes = await Promise.allSettled(calls.map(async call => call.attempt()))
      const failed = calls.filter((_, index) => outcomes[index]?.status === 'rejected')
      // Behind the others: it may be this one alone that fails.
      this.#calls.push(...failed)
      width = failed.length > 0 ? 0 : Math.min(Math.max(2, width * 2), largestWidth)
    }
    this.#isRunning = false
  }
}
