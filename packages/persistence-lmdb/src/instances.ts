import { readFileSync } from 'node:fs'
import type { Environment } from './environment.ts'
import { kind, numberAt, numberKey } from './keys.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'

/** A broker that has the directory open, or had it when it ended. */
export interface Instance {
  readonly number: number
  readonly state: 'open' | 'closed'
  readonly brokerId: string
  readonly pid: number
  /** Tells the process from a later one with the same pid; empty where the system does not say. */
  readonly started: string
  /** Where it hears news; empty when it hears none. */
  readonly address: string
}

/** Who has the directory open. An instance that is gone leaves its sessions behind: they are swept by those that are there. */
export class Instances {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  put({ number, state, brokerId, pid, started, address }: Instance): void {
    const record = new RecordWriter()
      .u8(state === 'open' ? 1 : 0)
      .text(brokerId)
      .u48(pid)
      .text(started)
      .text(address)
    this.#environment.put(numberKey(kind.instance, number), record.take())
  }

  remove(number: number): void {
    this.#environment.remove(numberKey(kind.instance, number))
  }

  *all(): Generator<Instance> {
    const range = { start: Buffer.of(kind.instance), end: Buffer.of(kind.instance + 1) }
    for (const { key, value } of this.#environment.collect(range)) {
      const reader = new RecordReader(value)
      yield {
        number: numberAt(key, 0),
        state: reader.u8() === 1 ? 'open' : 'closed',
        brokerId: reader.text(),
        pid: reader.u48(),
        started: reader.text(),
        address: reader.text(),
      }
    }
  }

  /** Clients whose sessions an instance had open, at most `limit`. */
  owned(number: number, limit: number): readonly string[] {
    const range = { start: numberKey(kind.owned, number), end: numberKey(kind.owned, number + 1), limit }
    return Array.from(this.#environment.rows(range), ({ value }) => value.toString())
  }
}

export function isGone({ state, pid, started }: Instance): boolean {
  if (state === 'closed') return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, as another user's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  return started !== startOf(pid)
}

/** When a process began, in the system's own unit. Empty where it does not say. */
export function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name before it may hold anything, also spaces and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
