import type { MaybePromise } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'
import { ignore } from '../ground/ignore.ts'

/** Called when an operation is done, with the error if it failed. */
export type DoneCallback = (error?: Error) => void

/** The promise that a method of the broker or a client returns. A program may ignore it, as programs written for Aedes do. When it
 * rejects and has no handler one turn of the event loop later, `abandoned` gets the error instead of ending the process as an unhandled
 * rejection. */
export class Outcome extends Promise<void> {
  #isAskedFor = false

  /** `then` returns an ordinary promise, which the program has to handle. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** `step` runs at once. */
  constructor(step: () => MaybePromise<void>, abandoned: (error: unknown) => void) {
    const settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: ignore, reject: ignore }
    super((resolve, reject) => Object.assign(settle, { resolve, reject }))
    const failed = (thrown: unknown): void => {
      settle.reject(thrown)
      super.then(undefined, ignore)
      setImmediate(() => {
        if (!this.#isAskedFor) abandoned(thrown)
      })
    }
    try {
      const result = step()
      if (isPromise(result)) result.then(settle.resolve, failed)
      else settle.resolve()
    } catch (error) {
      failed(error)
    }
  }

  // `await`, `catch`, `finally` and `Promise.all` come here as well.
  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<Fulfilled = void, Rejected = never>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#isAskedFor = true
    return super.then(onFulfilled, onRejected)
  }
}
