import type { MaybePromise } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'

/** Calls of `authenticate` that have not ended. A limited number runs at a time; the others wait, and their addresses take turns, so
 * that a client which sends thousands of CONNECTs does not delay the others. */
export class AuthenticationQueue {
  readonly #limit: number
  #running = 0
  /** Waiting calls by address; the first address is next. */
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get running(): number {
    return this.#running
  }

  /** Makes the call now, or when its turn comes. */
  run<T>(address: string | undefined, call: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#running < this.#limit) return this.#start(call)
    return new Promise((resolve, reject) => {
      this.#wait(address ?? '', () => {
        try {
          resolve(this.#start(call))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #start<T>(call: () => MaybePromise<T>): MaybePromise<T> {
    const result = call()
    if (!isPromise(result)) return result
    this.#running += 1
    return result.finally(() => {
      this.#running -= 1
      this.#startNext()
    })
  }

  #wait(address: string, start: () => void): void {
    const others = this.#waiting.get(address)
    if (others === undefined) this.#waiting.set(address, [start])
    else others.push(start)
  }

  #startNext(): void {
    while (this.#running < this.#limit) {
      const [next] = this.#waiting
      if (next === undefined) return
      const [address, starts] = next
      this.#waiting.delete(address)
      const start = starts.shift()
      if (starts.length > 0) this.#waiting.set(address, starts)
      start?.()
    }
  }
}
