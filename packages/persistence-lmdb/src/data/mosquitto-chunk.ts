import { PersistenceError } from '@x/contract'
import type { Message } from '@x/contract'

const magic: Buffer = Buffer.from([0x00, 0xb5, 0x00, ...Buffer.from('mosquitto db')])
const readableVersion = 6
const checksumLength = 4
const headerLength = 8
const subscriptionIdentifierProperty = 0x0b

/** One record of Mosquitto's persistence file. Its structs are written as they are in memory: lengths and packet identifiers in network
 * byte order, numbers of messages and times in that of the machine, which is little-endian wherever Mosquitto usually runs. */
export class MosquittoChunk {
  readonly kind: number
  readonly #bytes: Buffer
  readonly #path: string
  #place = 0

  constructor(path: string, kind: number, bytes: Buffer) {
    this.#path = path
    this.kind = kind
    this.#bytes = bytes
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1))
  }

  qos(): Message['qos'] {
    const qos = this.u8()
    if (qos > 2) throw this.#damaged(`QoS is ${qos}`)
    return qos as Message['qos']
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4))
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#advance(8))
  }

  skip(length: number): void {
    this.#advance(length)
  }

  bytes(length: number): Buffer {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(length: number): string {
    return this.bytes(length).toString()
  }

  /** The properties at its end, without their length. */
  properties(): Buffer {
    if (this.#place === this.#bytes.length) return Buffer.alloc(0)
    return this.bytes(this.#variableInteger())
  }

  /** The only property that a client's message has beside those of the message itself. */
  subscriptionIdentifier(): number | undefined {
    if (this.#place === this.#bytes.length || this.#variableInteger() === 0) return undefined
    return this.u8() === subscriptionIdentifierProperty ? this.#variableInteger() : undefined
  }

  #variableInteger(): number {
    let value = 0
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.u8()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw this.#damaged('a length has more than four bytes')
  }

  #advance(length: number): number {
    const start = this.#place
    if (start + length > this.#bytes.length) throw this.#damaged('a record ends too early')
    this.#place += length
    return start
  }

  #damaged(why: string): PersistenceError {
    return damaged(this.#path, why)
  }
}

/** @throws PersistenceError `OPTION_INVALID` for what is no such file, another version, or cut off */
export function* readChunks(path: string, bytes: Buffer): Generator<MosquittoChunk> {
  const versionAt = magic.length + checksumLength
  if (bytes.length < versionAt + 4 || !bytes.subarray(0, magic.length).equals(magic)) {
    throw new PersistenceError('OPTION_INVALID', { message: `${path} is no persistence file of Mosquitto` })
  }
  const version = bytes.readUInt32BE(versionAt)
  if (version !== readableVersion) {
    throw new PersistenceError('OPTION_INVALID', {
      message: `${path} has version ${version}, version ${readableVersion} can be read: let Mosquitto 1.6 or later load and save it`,
    })
  }
  let place = versionAt + 4
  while (place < bytes.length) {
    if (place + headerLength > bytes.length) throw damaged(path, 'it is cut off')
    const start = place + headerLength
    const end = start + bytes.readUInt32BE(place + 4)
    if (end > bytes.length) throw damaged(path, 'it is cut off')
    yield new MosquittoChunk(path, bytes.readUInt32BE(place), bytes.subarray(start, end))
    place = end
  }
}

function damaged(path: string, why: string): PersistenceError {
  return new PersistenceError('OPTION_INVALID', { message: `${path} is damaged: ${why}` })
}
