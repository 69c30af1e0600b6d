import { readFileSync, readlinkSync } from 'node:fs'
import type { Environment, Row } from './environment.ts'
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
  /** All that have the directory open have the same. Empty: an older version has it open, or had it. */
  readonly durability: string
  /** Where it hears news. */
  readonly address: string
  /** Where its pid means something: this start of the system, and the processes that see each other. */
  readonly machine: Machine
}

/** What tells one start of one system from another. */
export interface Machine {
  /** Differs after each start of the system; empty where it does not say. */
  readonly boot: string
  /** Differs between containers; empty where there are none. */
  readonly processes: string
}

/** Who has the directory open. An instance that is gone leaves its sessions behind: they are swept by those that are there. */
export class Instances {
  readonly #environment: Environment
  #own: Instance | undefined

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Number of this broker's own opening; 0 before it is registered. */
  get own(): number {
    return this.#own?.number ?? 0
  }

  register(own: Instance): void {
    this.#own = own
    this.#put(own)
  }

  /** This broker has left its sessions to the others. */
  leave(): void {
    if (this.#own !== undefined) this.#put({ ...this.#own, state: 'closed' })
  }

  /** Leaves what an instance had open to be swept, whatever its process does. */
  bury(instance: Instance): void {
    this.#put({ ...instance, machine: { boot: 'none', processes: '' } })
  }

  #put({ number, state, brokerId, pid, started, address, machine, durability }: Instance): void {
    const record = new RecordWriter()
      .u8(state === 'open' ? 1 : 0)
      .text(brokerId)
      .u48(pid)
      .text(started)
      .text(address)
      .text(machine.boot)
      .text(machine.processes)
      .text(durability)
    this.#environment.put(numberKey(kind.instance, number), record.take())
  }

  remove(number: number): void {
    this.#environment.remove(numberKey(kind.instance, number))
  }

  *all(): Generator<Instance> {
    const range = { start: Buffer.of(kind.instance), end: Buffer.of(kind.instance + 1) }
    for (const row of this.#environment.collect(range)) yield readInstance(row)
  }

  /** Clients whose sessions an instance had open, at most `limit`. */
  owned(number: number, limit: number): readonly string[] {
    const range = { start: numberKey(kind.owned, number), end: numberKey(kind.owned, number + 1), limit }
    return Array.from(this.#environment.rows(range), ({ value }) => value.toString())
  }
}

/** An instance as it was stored. */
export function readInstance({ key, value }: Row): Instance {
  const reader = new RecordReader(value)
  return {
    number: numberAt(key, 0),
    state: reader.u8() === 1 ? 'open' : 'closed',
    brokerId: reader.text(),
    pid: reader.u48(),
    started: reader.text(),
    address: reader.text(),
    machine: { boot: reader.text(), processes: reader.text() },
    durability: reader.isAtEnd ? '' : reader.text(),
  }
}

/** Its pid says nothing here, since it stands for another process, if for any: it runs in another container, or is gone. */
export function isOutOfSight({ machine }: Instance): boolean {
  return machine.boot === ownMachine.boot && machine.processes !== ownMachine.processes
}

/** Whether the process of an instance has ended. */
export function isGone(instance: Instance): boolean {
  const { state, pid, started, machine } = instance
  // One in another container was not there when this broker began, and would not begin while this one is here.
  if (state === 'closed' || machine.boot !== ownMachine.boot || isOutOfSight(instance)) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, as another user's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  return started !== startOf(pid)
}

/** The machine of this process, which it never leaves: every broker looks after every other one each second. */
export const ownMachine: Machine = {
  boot: whereSaid(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
  processes: whereSaid(() => readlinkSync('/proc/self/ns/pid')),
}

/** When a process began, in the system's own unit. Empty where it does not say. */
export function startOf(pid: number): string {
  return whereSaid(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name before it may hold anything, also spaces and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  })
}

/** Empty on systems without such a file. */
function whereSaid(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
