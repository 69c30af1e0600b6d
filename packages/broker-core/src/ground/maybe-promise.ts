import type { MaybePromise } from '@x/contract'

/** Whether a result has to be waited for. */
export function isPromise<T>(answer: MaybePromise<T>): answer is Promise<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function'
}

/** Returns the answer of a part that is not the engine's: a promise that is none of the language's becomes one, since its `then` may throw,
 * call back twice, or expect callbacks that are not given. */
export function ownPromise<T>(answer: Promise<T>): Promise<T>
export function ownPromise<T>(answer: MaybePromise<T>): MaybePromise<T>
export function ownPromise<T>(answer: MaybePromise<T>): MaybePromise<T> {
  return isPromise(answer) && !(answer instanceof Promise) ? Promise.resolve<T>(answer) : answer
}

/** Calls `next` with the result: at once when it is there, later when it is a promise. */
export function after<T, R>(answer: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(answer) ? ownPromise(answer).then(next) : next(answer)
}

/** Takes a step that may fail at once or later. `failed` gets what it throws or rejects; the result of `failed` takes the place of the
 * step's. */
export function recover<T>(step: () => MaybePromise<T>, failed: (error: unknown) => MaybePromise<T>): MaybePromise<T> {
  let answer: MaybePromise<T>
  try {
    answer = step()
  } catch (error) {
    return failed(error)
  }
  return isPromise(answer) ? ownPromise(answer).then(undefined, failed) : answer
}

/** Calls `step` for each item, in order, and returns all results: at once when all are there.
 *
 * A step that throws ends the row, and the caller gets the first failure. The function takes the steps and not their promises: a caller
 * that made the calls itself would abandon the first promises when a later call throws, and an unhandled rejection ends the process. */
export function all<Item, Answer>(
  items: Iterable<Item>,
  step: (item: Item) => MaybePromise<Answer>,
): MaybePromise<Answer[]> {
  const answers: MaybePromise<Answer>[] = []
  let isComplete = true
  try {
    for (const item of items) {
      const answer = step(item)
      if (isPromise(answer)) isComplete = false
      answers.push(answer)
    }
  } catch (error) {
    if (isComplete) throw error
    answers.push(Promise.reject(error))
  }
  return isComplete ? (answers as Answer[]) : Promise.all(answers)
}
