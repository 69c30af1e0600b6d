import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PersistenceError } from '@x/contract'
import type { Message } from '@x/contract'
import { prepareDirectory } from '../directory.ts'
import { readEntry } from '../entry-record.ts'
import { Environment } from '../environment.ts'
import type { Range, Row, View } from '../environment.ts'
import { kind, metaKey, numberAt, numberKey } from '../keys.ts'
import { readMessage } from '../message-record.ts'
import type { FoundEntry } from '../queue-entry.ts'
import { RecordReader } from '../record-reader.ts'
import { readSession } from '../session-record.ts'
import type { SessionRecord } from '../session-record.ts'

/** @throws PersistenceError `UNAVAILABLE` when there is no store in the directory */
export function checkStore(directory: string): void {
  if (!existsSync(join(directory, 'data.mdb'))) {
    throw new PersistenceError('UNAVAILABLE', {
      message: `${directory} has no data.mdb: no broker keeps its state there`,
    })
  }
  prepareDirectory(directory)
}

/** A directory as it is at one moment, also while brokers have it open. */
export class Snapshot {
  readonly #environment: Environment
  readonly #view: View

  constructor(directory: string) {
    checkStore(directory)
    this.#environment = new Environment({ directory, sync: true })
    this.#view = this.#environment.view()
  }

  get schema(): string {
    return this.get(metaKey('schema'))?.toString() ?? 'none'
  }

  get(key: Buffer): Buffer | undefined {
    return this.#view.get(key)
  }

  rows(range: Range): Iterable<Row> {
    return this.#view.rows(range)
  }

  /** All rows of a kind. */
  all(first: number): Iterable<Row> {
    return this.rows({ start: Buffer.of(first), end: Buffer.of(first + 1) })
  }

  /** All rows of a kind that belong to one number. */
  of(first: number, number: number): Iterable<Row> {
    return this.rows({ start: numberKey(first, number), end: numberKey(first, number + 1) })
  }

  *sessions(): Generator<SessionRecord> {
    for (const { value } of this.all(kind.session)) yield readSession(new RecordReader(value))
  }

  *entries({ number }: SessionRecord): Generator<FoundEntry> {
    for (const { key, value } of this.of(kind.entry, number)) {
      const { entry, rest } = readEntry(value)
      yield { sequence: numberAt(key, 1), record: entry, message: this.message(entry.message, rest), value }
    }
  }

  /** A message that stands under this number, or else in the record itself. */
  message(shared: number | undefined, rest: RecordReader): Message {
    if (shared === undefined) return readMessage(rest)
    const value = this.get(numberKey(kind.message, shared))
    if (value === undefined) {
      throw new PersistenceError('UNAVAILABLE', { message: `message ${shared} is missing, but an entry points to it` })
    }
    return readMessage(new RecordReader(value))
  }

  async close(): Promise<void> {
    this.#view.release()
    await this.#environment.close()
  }
}
