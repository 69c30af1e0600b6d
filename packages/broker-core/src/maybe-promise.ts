import type { MaybePromise } from '@x/contract'

/** Whether an answer has to be waited for. */
export function isPromise<T>(answer: MaybePromise<T>): answer is Promise<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function'
}

/** Goes on with the answer: at once when it is there, later when it is a promise. */
export function after<T, R>(answer: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(answer) ? answer.then(next) : next(answer)
}

/** All answers, in order: at once when all are there. */
export function all<T>(answers: readonly MaybePromise<T>[]): MaybePromise<T[]> {
  const settled: T[] = []
  for (const answer of answers) {
    if (isPromise(answer)) return Promise.all(answers.map(async each => await each))
    settled.push(answer)
  }
  return settled
}
