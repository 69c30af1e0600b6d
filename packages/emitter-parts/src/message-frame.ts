import type { Message } from '@x/contract'
import { FrameError } from './frame-error.ts'

/** A message in a frame: its fields with their lengths before them. */
const flag = { retain: 4, properties: 8, expires: 16, publisher: 32, otherBroker: 64, groups: 128 } as const

/** @param sender id of the broker that sends it; where the message entered, mostly
 * @param groups shared routes that the receiver serves with it */
export function encodeMessage(message: Message, sender: string, groups: readonly string[]): Buffer {
  const { topic, payload, qos, retain, properties, expiresAt, publisher, brokerId, brokerCounter } = message
  const texts = [topic]
  if (publisher !== undefined) texts.push(publisher)
  if (brokerId !== sender) texts.push(brokerId)
  if (groups.length > 0) texts.push(JSON.stringify(groups))
  let size = 1 + 8 + 8 + 4 + payload.length + (properties === undefined ? 0 : 4 + properties.length)
  // A character takes three bytes at most, a pair of surrogates four.
  for (const text of texts) size += 4 + text.length * 3
  const record = Buffer.allocUnsafe(size)
  record[0] =
    qos |
    (retain ? flag.retain : 0) |
    (properties === undefined ? 0 : flag.properties) |
    (expiresAt === undefined ? 0 : flag.expires) |
    (publisher === undefined ? 0 : flag.publisher) |
    (brokerId === sender ? 0 : flag.otherBroker) |
    (groups.length === 0 ? 0 : flag.groups)
  let offset = record.writeDoubleBE(brokerCounter, 1)
  if (expiresAt !== undefined) offset = record.writeDoubleBE(expiresAt, offset)
  for (const text of texts) {
    const length = record.write(text, offset + 4)
    record.writeUInt32BE(length, offset)
    offset += 4 + length
  }
  if (properties !== undefined) offset = put(record, properties, offset)
  offset = put(record, payload, offset)
  return record.subarray(0, offset)
}

function put(record: Buffer, bytes: Uint8Array, offset: number): number {
  const start = record.writeUInt32BE(bytes.length, offset)
  record.set(bytes, start)
  return start + bytes.length
}

/** Messages of one broker for another one: what one turn of the event loop had. */
export function makeFrame(instance: string, records: readonly Buffer[]): Buffer {
  return Buffer.concat([frameHead(instance), ...records])
}

/** What a frame of this sender begins with; the records of its messages follow. */
export function frameHead(instance: string): Buffer {
  const name = Buffer.from(instance)
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(name.length)
  return Buffer.concat([length, name])
}

/** Id of a broker, from the name of one life of it. */
export function brokerIdOf(instance: string): string {
  return instance.slice(0, instance.lastIndexOf('~'))
}

/** A message with the shared routes that its receiver serves with it. */
export interface Delivered {
  readonly message: Message
  readonly groups: readonly string[]
}

/** A frame that has come, read from front to back. */
export class IncomingFrame {
  readonly sender: string
  /** In the inbox; undefined: QoS 0, which is in none. */
  readonly number: number | undefined
  readonly #bytes: Buffer
  readonly #brokerId: string
  #offset = 0

  /** @throws FrameError `FRAME_INVALID` */
  constructor(bytes: Buffer, number: number | undefined) {
    this.#bytes = bytes
    this.number = number
    this.sender = this.#text()
    this.#brokerId = brokerIdOf(this.sender)
  }

  get size(): number {
    return this.#bytes.length
  }

  get hasMore(): boolean {
    return this.#offset < this.#bytes.length
  }

  /** @throws FrameError `FRAME_INVALID` */
  next(): Delivered {
    const bytes = this.#bytes
    const flags = bytes[this.#offset] as number
    this.#offset += 1
    const brokerCounter = this.#number()
    const expiresAt = (flags & flag.expires) === 0 ? undefined : this.#number()
    const topic = this.#text()
    const publisher = (flags & flag.publisher) === 0 ? undefined : this.#text()
    const brokerId = (flags & flag.otherBroker) === 0 ? this.#brokerId : this.#text()
    const groups = (flags & flag.groups) === 0 ? none : (JSON.parse(this.#text()) as string[])
    const properties = (flags & flag.properties) === 0 ? undefined : Uint8Array.from(this.#take())
    // Copied, so that a message that is kept doesn't keep the frame.
    const payload = Buffer.from(this.#take())
    const qos = (flags & 3) as Message['qos']
    const retain = (flags & flag.retain) !== 0
    return {
      message: { topic, payload, qos, retain, properties, expiresAt, publisher, brokerId, brokerCounter },
      groups,
    }
  }

  #number(): number {
    const offset = this.#forward(8)
    return this.#bytes.readDoubleBE(offset)
  }

  #text(): string {
    const length = this.#bytes.readUInt32BE(this.#forward(4))
    const start = this.#forward(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  #take(): Buffer {
    const length = this.#bytes.readUInt32BE(this.#forward(4))
    const start = this.#forward(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Goes on by that many bytes; returns where they begin. */
  #forward(length: number): number {
    const start = this.#offset
    if (start + length > this.#bytes.length) {
      throw new FrameError(`a frame of ${this.#bytes.length} bytes ends within a field of ${length} bytes at ${start}`)
    }
    this.#offset = start + length
    return start
  }
}

const none: readonly string[] = []
