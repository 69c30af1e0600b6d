import type { Message } from '@x/contract'
import type { Environment } from './environment.ts'
import { kind, numberKey } from './keys.ts'
import { readMessage, writeMessage } from './message-record.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { WorkingSet } from './working-set.ts'

/** Messages that were read lately, and their bytes: sessions that come back together read the same ones. */
const maximumKept = 1000
const maximumKeptBytes = 16 * 1024 * 1024

/** Messages that stand in several queues: each is stored once, with the number of entries that point to it. The last entry to go takes
 * the message along, in the same transaction. */
export class SharedMessages {
  readonly #environment: Environment
  readonly #set: WorkingSet
  readonly #writer = new RecordWriter()
  readonly #kept = new Map<number, Message>()
  #keptBytes = 0
  /** Of the working set, when the first one of those that are kept was read. */
  #generation = 0

  constructor(environment: Environment, set: WorkingSet) {
    this.#environment = environment
    this.#set = set
  }

  /** Returns the number of the message, which must get this many entries. */
  add(message: Message, entries: number): number {
    const number = this.#set.nextNumber()
    writeMessage(this.#writer.begin(), message)
    this.#environment.put(numberKey(kind.message, number), this.#writer.take())
    this.#putReferences(number, entries)
    return number
  }

  get(number: number): Message {
    if (this.#generation !== this.#set.generation) this.#forget()
    let message = this.#kept.get(number)
    if (message === undefined) {
      const value = this.#environment.get(numberKey(kind.message, number))
      if (value === undefined) throw new Error(`message ${number} is not in the directory, but an entry points to it`)
      message = readMessage(new RecordReader(value))
      if (this.#kept.size >= maximumKept || this.#keptBytes >= maximumKeptBytes) this.#forget()
      this.#kept.set(number, message)
      this.#keptBytes += value.length
    }
    return message
  }

  /** Some of its entries are gone, or were not made after all. */
  release(number: number, entries = 1): void {
    if (entries === 0) return
    const key = numberKey(kind.references, number)
    const value = this.#environment.get(key)
    const left = (value === undefined ? 0 : value.readUInt32BE(0)) - entries
    if (left > 0) {
      this.#putReferences(number, left)
      return
    }
    this.#environment.remove(key)
    this.#environment.remove(numberKey(kind.message, number))
    this.#kept.delete(number)
  }

  #forget(): void {
    this.#kept.clear()
    this.#keptBytes = 0
    this.#generation = this.#set.generation
  }

  #putReferences(number: number, entries: number): void {
    const value = Buffer.allocUnsafe(4)
    value.writeUInt32BE(entries, 0)
    this.#environment.put(numberKey(kind.references, number), value)
  }
}
