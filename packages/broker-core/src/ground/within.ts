import type { Clock } from '@x/contract'

/** Settles like the promise, or rejects when that takes too long.
 * @param milliseconds by the broker's clock */
export function within<T>(clock: Clock, milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      reject(new Error(`it took more than closeTimeout of ${milliseconds} ms`))
    }, milliseconds)
    void promise.then(resolve, reject).then(() => clock.clearTimeout(timer))
  })
}
