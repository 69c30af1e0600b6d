import type { RouteName, RouteTable } from './route-table.ts'

/** One change of who is there or wants what. */
type LogEntry =
  | readonly ['j', instance: string, brokerId: string, ...routes: RouteName[]]
  | readonly ['r', instance: string, ...changes: string[]]
  | readonly ['g', instance: string]

/** What Redis has of all brokers: as a whole, or from the last known number on. */
export type LogAnswer =
  | readonly [
      id: Buffer,
      number: number,
      kind: Buffer,
      brokers: readonly (readonly [instance: Buffer, id: Buffer, routes: readonly Buffer[]])[],
    ]
  | readonly [id: Buffer, number: number, kind: Buffer, entries: readonly Buffer[]]

export interface RouteLogHost {
  readonly instance: string
  readonly table: RouteTable
  /** What has happened after that number. */
  since(id: string, number: number): Promise<LogAnswer>
  /** Everything up to that number is applied here; whoever made the change wants to know. */
  confirm(instance: string, number: number): void
  /** The others take this broker for dead. */
  buried(): void
}

/** Keeps the route table as Redis has it: entry by entry as they are told, and from the log what was not heard. */
export class RouteLog {
  readonly #host: RouteLogHost
  #id = ''
  #applied = 0
  #heard = 0
  #catching = false

  constructor(host: RouteLogHost) {
    this.#host = host
  }

  /** An entry was told. */
  hear(number: number, entry: LogEntry): void {
    // Before there is a table nothing can be applied.
    if (this.#id !== '' && number === this.#applied + 1 && !this.#catching) this.#apply(number, entry)
    else if (number > this.#applied) {
      this.#heard = Math.max(this.#heard, number)
      if (this.#id !== '') void this.catchUp()
    }
  }

  get applied(): number {
    return this.#applied
  }

  /** What the log is called and where it ends: asked now and then, since an entry may not have been heard. Answers whether everything
   * up to there is applied.
   * @param appliedBefore what was when that was asked: a log that ends before it has lost something */
  async check(id: string, number: number, appliedBefore: number): Promise<boolean> {
    if (id !== this.#id || number > this.#applied || number < appliedBefore) await this.catchUp()
    return id === this.#id && number <= this.#applied
  }

  /** This broker has joined, and that is what it found. */
  async joined(answer: LogAnswer): Promise<void> {
    this.#adopt(answer)
    if (this.#heard > this.#applied) await this.catchUp()
  }

  /** Asks Redis. When it does not answer, the next check asks again. */
  async catchUp(): Promise<void> {
    if (this.#catching) return
    this.#catching = true
    try {
      let heard: number
      do {
        heard = this.#heard
        this.#adopt(await this.#host.since(this.#id, this.#applied))
      } while (this.#heard > heard && this.#heard > this.#applied)
    } catch {
      // The connection has reported it.
    } finally {
      this.#catching = false
    }
  }

  #adopt(answer: LogAnswer): void {
    const [name, number, kind, found] = answer
    const id = name.toString()
    // Another log counts from the beginning.
    if (this.#id !== '' && id !== this.#id) this.#heard = number
    this.#id = id
    if (kind.toString() === 'log') {
      for (const text of found as readonly Buffer[]) this.#apply(this.#applied + 1, JSON.parse(text.toString()))
      return
    }
    this.#replace(found as Extract<LogAnswer, readonly [Buffer, number, Buffer, readonly (readonly unknown[])[]]>[3])
    this.#applied = number
    for (const instance of this.#host.table.instances) this.#host.confirm(instance, number)
  }

  #replace(brokers: readonly (readonly [instance: Buffer, id: Buffer, routes: readonly Buffer[]])[]): void {
    const { table, instance: own } = this.#host
    const there = new Set(brokers.map(([instance]) => instance.toString()))
    for (const instance of table.instances) if (!there.has(instance)) table.leave(instance)
    for (const [name, brokerId, routes] of brokers) {
      const instance = name.toString()
      if (instance !== own) table.join(instance, brokerId.toString(), routes.map(String))
    }
  }

  #apply(number: number, entry: LogEntry): void {
    this.#applied = number
    const [kind, instance] = entry
    const { table, instance: own } = this.#host
    if (instance === own) {
      if (kind === 'g') this.#host.buried()
      return
    }
    switch (kind) {
      case 'j':
        table.join(instance, entry[2], entry.slice(3))
        break
      case 'r':
        for (const change of entry.slice(2)) {
          if (change.startsWith('+')) table.add(instance, change.slice(1))
          else table.remove(instance, change.slice(1))
        }
        break
      case 'g':
        table.leave(instance)
        return
    }
    this.#host.confirm(instance, number)
  }
}
