import type { MaybePromise } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'

/** Called when it is done, with the error when it failed. */
export type DoneCallback = (error?: Error) => void

/** The promise that a method of the broker or of a client returns. The program may leave it alone: programs that were written for Aedes
 * publish without a callback and don't look back. When it rejects, and nobody has asked for it one turn of the event loop later, the
 * error goes to `abandoned` instead of ending the process as an unhandled rejection. */
export class Outcome extends Promise<void> {
  #isAskedFor = false

  /** What `then` returns is an ordinary promise: from there on the program is in charge. */
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
      const answer = step()
      if (isPromise(answer)) answer.then(settle.resolve, failed)
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

function ignore(): void {
  // Settled before there was a promise: can't be.
}
