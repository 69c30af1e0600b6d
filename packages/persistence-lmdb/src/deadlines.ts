import type { Environment, Range, Row } from './environment.ts'
import { kind, numberAt, numberKey } from './keys.ts'

/** In this order at the same moment: a will is due before its session ends. */
const subjects = ['will', 'sessionExpired', 'unconfirmedWill', 'queueExpiry', 'groupExpiry'] as const

/** What falls due. */
export interface Subject {
  readonly what: (typeof subjects)[number]
  /** Of the session, the will, or the group. */
  readonly number: number
}

/** A subject with its time. */
export interface Deadline extends Subject {
  readonly at: number
  /** The client, or the shared filter; empty for an unconfirmed will. */
  readonly name: string
}

/** Moments at which something falls due, by time. */
export class Deadlines {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  set(at: number, subject: Subject, name: string): void {
    this.#environment.put(deadlineKey(at, subject), Buffer.from(name))
  }

  cancel(at: number, subject: Subject): void {
    this.#environment.remove(deadlineKey(at, subject))
  }

  /** Takes the earliest one that is not after `now`. */
  take(now: number): Deadline | undefined {
    const row = this.#environment.firstRow(until(now))
    if (row === undefined) return undefined
    this.#environment.remove(row.key)
    return decode(row)
  }

  /** Those that are not after `now`, at most `limit`. */
  *passed(now: number, limit: number): Generator<Deadline> {
    for (const row of this.#environment.rows({ ...until(now), limit })) yield decode(row)
  }
}

function until(now: number): Range {
  return { start: numberKey(kind.deadline, 0), end: numberKey(kind.deadline, now + 1) }
}

function decode({ key, value }: Row): Deadline {
  const what = subjects[numberAt(key, 1)] ?? 'unconfirmedWill'
  return { at: numberAt(key, 0), what, number: numberAt(key, 2), name: value.toString() }
}

function deadlineKey(at: number, { what, number }: Subject): Buffer {
  return numberKey(kind.deadline, at, subjects.indexOf(what), number)
}
