import type { Message, SessionHandle } from '@x/contract'
import { messageBytes } from '@x/contract'
import { namesOf, recordSize, writeRecord } from '../records/message-record.ts'

/** Who publishes a message, as Redis is told of it. */
interface Origin {
  /** That publishes, if it is open here. */
  readonly session: SessionHandle | undefined
  /** The name of the will that the message is. */
  readonly will: string | undefined
}

/** Before each message: packet id (0: none), and the lengths of its head and its record. */
const prefixSize = 10
const smallestBuffer = 4096
const nobody: SessionHandle = { clientId: '', epoch: '' }

/** Messages one after the other, as `F.publish` takes them: in one argument, since each further one costs a microsecond on both sides.
 *
 * A head says what Redis has to know of a message: `QOS,RETAIN,BYTES,EXPIRY,LENGTH,LENGTH,LENGTH,LENGTH,` with RETAIN empty, `s` (set)
 * or `d` (delete); then topic, publisher, epoch and will, whose lengths these are, and the client, of the session that publishes. Messages of
 * a row often have the same one, which is encoded, and parsed, once. */
export class MessageBatch {
  #buffer: Buffer = Buffer.alloc(0)
  #size = 0
  #names: Buffer | undefined
  #head: Buffer | undefined
  #last: Message | undefined
  #lastOrigin: Origin = { session: undefined, will: undefined }

  get size(): number {
    return this.#size
  }

  add(message: Message, packetId: number, origin: Origin): void {
    const names = this.#namesOf(message)
    const head = this.#headOf(message, origin)
    this.#last = message
    this.#lastOrigin = origin
    const length = recordSize(message, names)
    this.#reserve(prefixSize + head.length + length)
    const buffer = this.#buffer
    let offset = buffer.writeUInt16BE(packetId, this.#size)
    offset = buffer.writeUInt32BE(head.length, offset)
    offset = buffer.writeUInt32BE(length, offset)
    buffer.set(head, offset)
    this.#size = writeRecord(buffer, offset + head.length, message, names)
  }

  /** All of it; the next message begins a new one. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#size)
    this.#buffer = Buffer.alloc(0)
    this.#size = 0
    this.#last = undefined
    return taken
  }

  #namesOf(message: Message): Buffer {
    const last = this.#last
    if (
      last === undefined ||
      this.#names === undefined ||
      last.topic !== message.topic ||
      last.publisher !== message.publisher ||
      last.brokerId !== message.brokerId
    )
      this.#names = namesOf(message)
    return this.#names
  }

  #headOf(message: Message, origin: Origin): Buffer {
    const last = this.#last
    if (
      last === undefined ||
      this.#head === undefined ||
      last.topic !== message.topic ||
      last.publisher !== message.publisher ||
      last.qos !== message.qos ||
      last.retain !== message.retain ||
      last.expiresAt !== message.expiresAt ||
      last.payload.length !== message.payload.length ||
      last.properties?.length !== message.properties?.length ||
      this.#lastOrigin.session?.epoch !== origin.session?.epoch ||
      this.#lastOrigin.will !== origin.will
    )
      this.#head = headOf(message, origin)
    return this.#head
  }

  #reserve(more: number): void {
    const needed = this.#size + more
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length, smallestBuffer))
    this.#buffer.copy(grown, 0, 0, this.#size)
    this.#buffer = grown
  }
}

/** The bytes of each message of a batch. */
export function piecesOf(batch: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let from = 0; from < batch.length;) {
    const through = from + prefixSize + batch.readUInt32BE(from + 2) + batch.readUInt32BE(from + 6)
    pieces.push(batch.subarray(from, through))
    from = through
  }
  return pieces
}

function headOf(message: Message, { session = nobody, will = '' }: Origin): Buffer {
  const { epoch, clientId } = session
  const { topic, qos, retain, payload, expiresAt = '', publisher } = message
  const retained = retain ? (payload.length === 0 ? 'd' : 's') : ''
  const from = publisher === undefined ? '0' : `1${publisher}`
  const lengths = `${Buffer.byteLength(topic)},${Buffer.byteLength(from)},${Buffer.byteLength(epoch)},${Buffer.byteLength(will)}`
  return Buffer.from(
    `${qos},${retained},${messageBytes(message)},${expiresAt},${lengths},${topic}${from}${epoch}${will}${clientId}`,
  )
}
