import type { MaybePromise } from '@x/contract'

/** Whether a result has to be waited for. */
export function isPromise<T>(result: MaybePromise<T>): result is Promise<T> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
}

/** Returns the result of a part that is not the engine's: a promise that is none of the language's becomes one, since its `then` may throw,
 * call back twice, or expect callbacks that are not given. */
export function ownPromise<T>(result: Promise<T>): Promise<T>
export function ownPromise<T>(result: MaybePromise<T>): MaybePromise<T>
export function ownPromise<T>(result: MaybePromise<T>): MaybePromise<T> {
  return isPromise(result) && !(result instanceof Promise) ? Promise.resolve<T>(result) : result
}

/** Calls `next` with the result: at once when it is there, later when it is a promise. */
export function after<T, R>(result: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(result) ? ownPromise(result).then(next) : next(result)
}

/** Takes a step that may fail at once or later. `failed` gets what it throws or rejects; the result of `failed` takes the place of the
 * step's. */
export function recover<T>(step: () => MaybePromise<T>, failed: (error: unknown) => MaybePromise<T>): MaybePromise<T> {
  let result: MaybePromise<T>
  try {
    result = step()
  } catch (error) {
    return failed(error)
  }
  return isPromise(result) ? ownPromise(result).then(undefined, failed) : result
}

/** Calls `step` for each item, in order, and returns all results: at once when all are there.
 *
 * A step that throws ends the row, and the caller gets the first failure. The function takes the steps and not their promises: a caller
 * that made the calls itself would abandon the first promises when a later call throws, and an unhandled rejection ends the process. */
export function all<Item, Result>(
  items: Iterable<Item>,
  step: (item: Item) => MaybePromise<Result>,
): MaybePromise<Result[]> {
  const results: MaybePromise<Result>[] = []
  let isComplete = true
  try {
    for (const item of items) {
      const result = step(item)
      if (isPromise(result)) isComplete = false
      results.push(result)
    }
  } catch (error) {
    if (isComplete) throw error
    results.push(Promise.reject(error))
  }
  return isComplete ? (results as Result[]) : Promise.all(results)
}
