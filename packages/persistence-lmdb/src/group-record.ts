import type { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'

/** What is stored of one shared group beside its members and the messages that wait. */
export interface GroupRecord {
  /** The shared filter, `$share/{ShareName}/{filter}`. */
  readonly name: string
  /** The filter that topics are matched with. */
  readonly filter: string
  readonly number: number
  members: number
  lastSequence: number
  waitingMessages: number
  waitingBytes: number
  /** When what waits is to be looked through for what has expired; undefined: nothing expires. */
  lookAt: number | undefined
}

/** Writes a shared group as its row has it. */
export function writeGroup(writer: RecordWriter, group: GroupRecord): void {
  writer.text(group.name).text(group.filter).u48(group.number).u48(group.members)
  writer.u48(group.lastSequence).u48(group.waitingMessages).u48(group.waitingBytes).optional(group.lookAt)
}

/** Reads what `writeGroup` has written. */
export function readGroup(reader: RecordReader): GroupRecord {
  return {
    name: reader.text(),
    filter: reader.text(),
    number: reader.u48(),
    members: reader.u48(),
    lastSequence: reader.u48(),
    waitingMessages: reader.u48(),
    waitingBytes: reader.u48(),
    lookAt: reader.isAtEnd ? undefined : reader.optional(),
  }
}
