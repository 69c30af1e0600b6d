import { randomInt } from 'node:crypto'
import type { Steps } from './batch.ts'
import type { Environment } from './environment.ts'
import { readGroup, writeGroup } from './group-record.ts'
import type { GroupRecord } from './group-record.ts'
import { kind, metaKey, textKey } from './keys.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import { newSession, readSession, writeSession } from './session-record.ts'
import type { SessionRecord } from './session-record.ts'
import { decodeTotals, encodeTotals, newTotals, routesVersionIn } from './totals.ts'
import type { Totals } from './totals.ts'

/** Records kept from one transaction to the next. */
const maximumKept = 20_000

/** Records that are written in a tenth of a millisecond. */
const partSize = 32

const totalsKey: Buffer = metaKey('totals')
const writerKey: Buffer = metaKey('writer')

/** What is known of a record; undefined: there is none. */
interface Held<Record> {
  readonly record: Record | undefined
}

/** What the routes of a topic depend on. */
export type RoutesState = Readonly<Pick<Totals, 'routesVersion' | 'longRoutes'>>

/** The records that transactions work on. They stay in memory as long as no other process has written, so that a session that gets a
 * thousand messages in a transaction is read and written once, or not read at all. */
export class WorkingSet {
  readonly #environment: Environment
  /** Names the writer: another one's transaction makes everything here old. */
  readonly #writer: string
  readonly #record = new RecordWriter()
  readonly #sessions = new Map<string, Held<SessionRecord>>()
  readonly #groups = new Map<string, Held<GroupRecord>>()
  readonly #changedSessions = new Set<string>()
  readonly #changedGroups = new Set<string>()
  #totals: Totals = newTotals()
  #totalsChanged = false
  #committedRoutes: RoutesState = newTotals()
  #transactions = 0
  #generation = 0
  /** What is told when the transaction is durable, in order. */
  #told: (() => void)[] = []
  #silent = false

  constructor(environment: Environment, writer: string) {
    this.#environment = environment
    this.#writer = writer
  }

  begin(): void {
    if (!this.isStale) return
    this.#forget()
    const totals = this.#environment.get(totalsKey)
    this.#totals = totals === undefined ? newTotals() : decodeTotals(totals)
  }

  /** Writes what was changed. Returns whom to tell when that is durable. */
  *end(): Steps<readonly (() => void)[]> {
    yield* this.write()
    return this.takeTold()
  }

  /** Those who have to be told of what has been done since the last call. */
  takeTold(): readonly (() => void)[] {
    const told = this.#told
    this.#told = []
    return this.#silent ? [] : told
  }

  /** Nobody is told anything any more. */
  silence(): void {
    this.#silent = true
  }

  /** Writes what was changed so far: rows that are read within the transaction show it. */
  *write(): Steps<void> {
    if (!this.#totalsChanged && this.#changedSessions.size === 0 && this.#changedGroups.size === 0) return
    let written = 0
    for (const clientId of this.#changedSessions) {
      this.#writeSession(clientId)
      written += 1
      if (written % partSize === 0) yield
    }
    for (const name of this.#changedGroups) this.#writeGroup(name)
    this.#changedSessions.clear()
    this.#changedGroups.clear()
    if (this.#totalsChanged) this.#environment.put(totalsKey, encodeTotals(this.#totals))
    this.#totalsChanged = false
    this.#transactions += 1
    this.#environment.put(writerKey, Buffer.from(this.#signature))
    if (this.#sessions.size > maximumKept) this.#sessions.clear()
    if (this.#groups.size > maximumKept) this.#groups.clear()
  }

  /** The transaction was undone: nothing that its work left in memory holds. */
  discard(): void {
    this.#forget()
    this.#told = []
    // No transaction has this signature, so that the next one reads everything again.
    this.#transactions += 1
  }

  /** Is called when the transaction is durable, after those that were given before. */
  afterwards(tell: () => void): void {
    this.#told.push(tell)
  }

  /** Another process has written since the last transaction of this one. */
  get isStale(): boolean {
    return this.#environment.get(writerKey)?.toString() !== this.#signature
  }

  /** Changes whenever what was known may be wrong: numbers that were given in a transaction that was undone are given again. */
  get generation(): number {
    return this.#generation
  }

  get totals(): Readonly<Totals> {
    return this.#totals
  }

  /** What any process has committed at this moment. To be read between transactions. */
  get committedRoutes(): RoutesState {
    const value = this.#environment.newest(totalsKey)
    if (routesVersionIn(value) !== this.#committedRoutes.routesVersion) {
      this.#committedRoutes = value === undefined ? newTotals() : decodeTotals(value)
    }
    return this.#committedRoutes
  }

  count(name: Exclude<keyof Totals, 'nextNumber' | 'routesVersion'>, difference: number): void {
    this.#totals[name] += difference
    this.#totalsChanged = true
  }

  /** A version by chance, so that the one of a transaction that was undone never comes again. */
  routesChanged(): void {
    this.#totals.routesVersion = randomInt(2 ** 48 - 1)
    this.#totalsChanged = true
  }

  nextNumber(): number {
    this.#totalsChanged = true
    this.#totals.nextNumber += 1
    return this.#totals.nextNumber - 1
  }

  session(clientId: string): SessionRecord | undefined {
    let held = this.#sessions.get(clientId)
    if (held === undefined) {
      const value = this.#environment.get(textKey(kind.session, clientId))
      held = { record: value === undefined ? undefined : readSession(new RecordReader(value)) }
      this.#sessions.set(clientId, held)
    }
    return held.record
  }

  addSession(clientId: string): SessionRecord {
    const record = newSession(clientId, this.nextNumber())
    this.#sessions.set(clientId, { record })
    this.#changedSessions.add(clientId)
    return record
  }

  /** The record was changed, so it will be written. */
  changed(record: SessionRecord): void {
    this.#changedSessions.add(record.clientId)
  }

  removeSession(record: SessionRecord): void {
    this.#sessions.set(record.clientId, { record: undefined })
    this.#changedSessions.add(record.clientId)
  }

  group(name: string): GroupRecord | undefined {
    let held = this.#groups.get(name)
    if (held === undefined) {
      const value = this.#environment.get(textKey(kind.group, name))
      held = { record: value === undefined ? undefined : readGroup(new RecordReader(value)) }
      this.#groups.set(name, held)
    }
    return held.record
  }

  addGroup(name: string, filter: string): GroupRecord {
    const number = this.nextNumber()
    const record = {
      name,
      filter,
      number,
      members: 0,
      lastSequence: 0,
      waitingMessages: 0,
      waitingBytes: 0,
      lookAt: undefined,
    }
    this.#groups.set(name, { record })
    this.#changedGroups.add(name)
    return record
  }

  groupChanged(group: GroupRecord): void {
    this.#changedGroups.add(group.name)
  }

  removeGroup(group: GroupRecord): void {
    this.#groups.set(group.name, { record: undefined })
    this.#changedGroups.add(group.name)
  }

  get #signature(): string {
    return `${this.#writer} ${this.#transactions}`
  }

  #writeSession(clientId: string): void {
    const key = textKey(kind.session, clientId)
    const record = this.#sessions.get(clientId)?.record
    if (record === undefined) {
      this.#environment.remove(key)
      return
    }
    writeSession(this.#record.begin(), record)
    this.#environment.put(key, this.#record.take())
  }

  #writeGroup(name: string): void {
    const key = textKey(kind.group, name)
    const record = this.#groups.get(name)?.record
    if (record === undefined) {
      this.#environment.remove(key)
      return
    }
    writeGroup(this.#record.begin(), record)
    this.#environment.put(key, this.#record.take())
  }

  #forget(): void {
    this.#generation += 1
    this.#sessions.clear()
    this.#groups.clear()
    this.#changedSessions.clear()
    this.#changedGroups.clear()
    this.#totalsChanged = false
  }
}
