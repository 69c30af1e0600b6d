import type { Case, Style } from './case.ts'

const falsyValues = [false, undefined, null, 0, '', Number.NaN] as const
const nonsenseValues = [42, 'x', {}, [], Symbol('x'), true, () => 1, new Date(0)] as const

/** What a place does when it does what it should, and otherwise. */
export interface Answers {
  ok(): unknown
  /** An Error is thrown or handed to the callback. */
  deny?(): unknown
  mangle?(): unknown
  /** Calls back into the broker. */
  publish?(): void
  close?(): void
}

export type Done = (error?: unknown, answer?: unknown) => void

/** One call of a place. */
interface Call {
  readonly answers: Answers
  readonly later: (task: () => void) => void
  readonly falsy: () => unknown
  readonly nonsense: () => unknown
}

const ok = ({ answers }: Call): unknown => answers.ok()
const throwError = (): never => {
  throw new Error('faulty: thrown')
}

/** By what is returned, thrown, or promised. */
const returning: Readonly<Record<Style, (call: Call) => unknown>> = {
  ok,
  publishes: ok,
  closes: ok,
  throw: throwError,
  thenThrow: throwError,
  throwFalsy: ({ falsy }) => {
    throw falsy()
  },
  reject: async () => throwError(),
  rejectFalsy: async ({ falsy }) => {
    throw falsy()
  },
  falsy: ({ falsy }) => falsy(),
  nonsense: ({ nonsense }) => nonsense(),
  deny: ({ answers }) => thrown(answers.deny?.()),
  mangle: ({ answers, nonsense }) => answers.mangle?.() ?? nonsense(),
  late: ({ answers, later }) => {
    const answer = answers.ok()
    return new Promise(resolve => later(() => resolve(answer)))
  },
  lateReject: ({ later }) => new Promise((_, reject) => later(() => reject(new Error('faulty: rejected late')))),
  never: () => new Promise(() => undefined),
  twice: ({ answers }) => thenable(answers.ok()),
  thenable: ({ answers }) => thenable(answers.ok()),
}

const doneOk = ({ answers }: Call, done: Done): unknown => done(null, answers.ok())

/** By the callback, or, where a function with one does so all the same, otherwise. */
const callingBack: Readonly<Record<Style, (call: Call, done: Done) => unknown>> = {
  ok: doneOk,
  publishes: doneOk,
  closes: doneOk,
  throw: returning.throw,
  throwFalsy: returning.throwFalsy,
  reject: returning.reject,
  rejectFalsy: returning.rejectFalsy,
  thenable: returning.thenable,
  falsy: ({ falsy }, done) => done(falsy(), falsy()),
  nonsense: ({ nonsense }, done) => done(null, nonsense()),
  deny: ({ answers }, done) => {
    const no = answers.deny?.()
    return no instanceof Error ? done(no) : done(null, no)
  },
  mangle: ({ answers, nonsense }, done) => done(null, answers.mangle?.() ?? nonsense()),
  late: ({ answers, later }, done) => {
    const answer = answers.ok()
    later(() => done(null, answer))
  },
  lateReject: ({ later }, done) => later(() => done(new Error('faulty: refused late'))),
  never: () => undefined,
  twice: ({ answers, later, nonsense }, done) => {
    done(null, answers.ok())
    done(new Error('faulty: refused after all'))
    later(() => done(null, nonsense()))
  },
  thenThrow: ({ answers }, done) => {
    done(null, answers.ok())
    throw new Error('faulty: thrown after all')
  },
}

/** Says how each call of each place goes. The same case gives the same answers. */
export class Behaviour {
  /** Otherwise everything does what it should. */
  enabled = false
  readonly #faults: Case['faults']
  readonly #calls = new Map<string, number>()
  readonly #later: (task: () => void) => void
  #values = 0

  /** @param later runs a task some turns later */
  constructor(faults: Case['faults'], later: (task: () => void) => void) {
    this.#faults = faults
    this.#later = later
  }

  declaresCallback(place: string): boolean {
    return this.#faults[place]?.callback ?? false
  }

  /** Whether it is there at all. */
  has(place: string): boolean {
    return this.#faults[place] !== undefined
  }

  /** Answers by return value, promise, throw, or, given `done`, by calling it. */
  act(place: string, answers: Answers, done?: Done): unknown {
    const style = this.#next(place)
    if (style === 'publishes') answers.publish?.()
    if (style === 'closes') answers.close?.()
    const call: Call = { answers, later: this.#later, falsy: () => this.#falsy(), nonsense: () => this.#nonsense() }
    return done === undefined ? returning[style](call) : callingBack[style](call, done)
  }

  #next(place: string): Style {
    const styles = this.#faults[place]?.styles
    if (!this.enabled || styles === undefined || styles.length === 0) return 'ok'
    const call = this.#calls.get(place) ?? 0
    this.#calls.set(place, call + 1)
    return styles[call % styles.length] ?? 'ok'
  }

  #falsy(): unknown {
    return falsyValues[this.#values++ % falsyValues.length]
  }

  #nonsense(): unknown {
    return nonsenseValues[this.#values++ % nonsenseValues.length]
  }
}

function thrown(answer: unknown): unknown {
  if (answer instanceof Error) throw answer
  return answer
}

/** Answers, refuses after all, and throws. */
function thenable(answer: unknown): unknown {
  return {
    // A program's code may do so.
    // oxlint-disable-next-line unicorn/no-thenable
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
      resolve(answer)
      reject(new Error('faulty: rejected after all'))
      throw new Error('faulty: then throws')
    },
  }
}
