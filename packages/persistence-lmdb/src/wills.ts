import { messageBytes } from '@x/contract'
import type { Clock, Will } from '@x/contract'
import type { Deadlines } from './deadlines.ts'
import type { Environment } from './environment.ts'
import { kind, numberKey } from './keys.ts'
import { readMessage, writeMessage } from './message-record.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { SessionRecord } from './session-record.ts'
import type { WorkingSet } from './working-set.ts'

/** ms after which a will that was handed out and not confirmed is handed out again: its broker may have died. */
const confirmation = 30_000

/** What wills are kept with. */
export interface WillParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly deadlines: Deadlines
  readonly clock: Clock
}

/** Wills of connections, wills that wait for their delay, and wills that were handed out but may not have been published. */
export class StoredWills {
  readonly #parts: WillParts
  readonly #writer = new RecordWriter()
  /** Numbers of those that were handed out here. */
  readonly #numbers = new WeakMap<Will, number>()

  constructor(parts: WillParts) {
    this.#parts = parts
  }

  put(session: SessionRecord, will: Will): void {
    this.#parts.environment.put(numberKey(kind.will, session.number), this.#encode(will))
    this.#parts.set.count('willBytes', messageBytes(will.message))
  }

  /** Bytes of the will of a session, by its number. */
  bytesOf(session: number): number {
    const value = this.#parts.environment.get(numberKey(kind.will, session))
    return value === undefined ? 0 : messageBytes(decodeWill(value).message)
  }

  /** The will of a session, which has none from now on. */
  take(session: SessionRecord): Will | undefined {
    const key = numberKey(kind.will, session.number)
    const value = this.#parts.environment.get(key)
    if (value === undefined) return undefined
    this.#parts.environment.remove(key)
    const will = decodeWill(value)
    this.#parts.set.count('willBytes', -messageBytes(will.message))
    return will
  }

  /** Keeps a will that is returned to a broker until that has confirmed it. */
  handOut(will: Will): Will {
    const { environment, set } = this.#parts
    const number = set.nextNumber()
    environment.put(numberKey(kind.handedOut, number), this.#encode(will))
    this.#setDeadline(number)
    this.#numbers.set(will, number)
    return will
  }

  /** A will whose broker did not confirm it in time. */
  handOutAgain(number: number): Will | undefined {
    const value = this.#parts.environment.get(numberKey(kind.handedOut, number))
    if (value === undefined) return undefined
    this.#setDeadline(number)
    const will = decodeWill(value)
    this.#numbers.set(will, number)
    return will
  }

  /** Whether its message was stored before, or nobody waits for it any more since it was confirmed. */
  isStored(will: Will): boolean {
    const number = this.#numbers.get(will)
    if (number === undefined) return false
    const value = this.#parts.environment.get(numberKey(kind.handedOut, number))
    return value === undefined || !readWill(value).reader.isAtEnd
  }

  /** Its message is stored by this transaction; it may come back until it is confirmed. */
  stored(will: Will): void {
    const number = this.#numbers.get(will)
    if (number === undefined) return
    const key = numberKey(kind.handedOut, number)
    const value = this.#parts.environment.get(key)
    // One byte behind the will.
    if (value !== undefined) this.#parts.environment.put(key, Buffer.concat([value, Buffer.of(1)]))
  }

  /** Its deadline finds nothing and is gone then. */
  confirm(will: Will): void {
    const number = this.#numbers.get(will)
    if (number !== undefined) this.#parts.environment.remove(numberKey(kind.handedOut, number))
  }

  #setDeadline(number: number): void {
    this.#parts.deadlines.set(this.#parts.clock.now() + confirmation, { what: 'unconfirmedWill', number }, '')
  }

  #encode(will: Will): Buffer {
    this.#writer.begin().text(will.clientId).optional(will.messageExpiryInterval).u48(will.delayInterval)
    writeMessage(this.#writer, will.message)
    return this.#writer.take()
  }
}

/** A will as it was kept. */
export function decodeWill(value: Buffer): Will {
  return readWill(value).will
}

function readWill(value: Buffer): { readonly will: Will; readonly reader: RecordReader } {
  const reader = new RecordReader(value)
  const will = {
    clientId: reader.text(),
    messageExpiryInterval: reader.optional(),
    delayInterval: reader.u48(),
    message: readMessage(reader),
  }
  return { will, reader }
}
