import type { Environment } from './environment.ts'
import { kind, numberAt, numberKey } from './keys.ts'

/** In this order at the same moment: a will is due before its session ends. */
const subjects = ['will', 'sessionExpired', 'unconfirmedWill'] as const

export interface Subject {
  readonly what: (typeof subjects)[number]
  /** Of the session, or of the will. */
  readonly number: number
}

export interface Deadline extends Subject {
  readonly at: number
  /** Whose it is; empty for an unconfirmed will. */
  readonly clientId: string
}

/** Moments at which something falls due, by time. */
export class Deadlines {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  set(at: number, subject: Subject, clientId: string): void {
    this.#environment.put(deadlineKey(at, subject), Buffer.from(clientId))
  }

  cancel(at: number, subject: Subject): void {
    this.#environment.remove(deadlineKey(at, subject))
  }

  /** Takes the earliest one that is not after `now`. */
  take(now: number): Deadline | undefined {
    const row = this.#environment.firstRow({
      start: numberKey(kind.deadline, 0),
      end: numberKey(kind.deadline, now + 1),
    })
    if (row === undefined) return undefined
    this.#environment.remove(row.key)
    const what = subjects[numberAt(row.key, 1)] ?? 'unconfirmedWill'
    return { at: numberAt(row.key, 0), what, number: numberAt(row.key, 2), clientId: row.value.toString() }
  }
}

function deadlineKey(at: number, { what, number }: Subject): Buffer {
  return numberKey(kind.deadline, at, subjects.indexOf(what), number)
}
