/** Reads one value of MessagePack, as far as stores of Aedes write it: maps with texts as keys become objects, bytes are Buffers.
 * @throws RangeError for bytes that end too early; TypeError for a type that these never hold */
export function decodeMessagePack(bytes: Buffer): unknown {
  return new Reader(bytes).value()
}

class Reader {
  readonly #bytes: Buffer
  #place = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  value(): unknown {
    const type = this.#unsigned(1)
    if (type <= 0x7f) return type
    if (type <= 0x8f) return this.#map(type & 0x0f)
    if (type <= 0x9f) return this.#array(type & 0x0f)
    if (type <= 0xbf) return this.#take(type & 0x1f).toString()
    if (type >= 0xe0) return type - 0x100
    return this.#long(type)
  }

  #long(type: number): unknown {
    switch (type) {
      case 0xc0:
        return undefined
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(2 ** (type - 0xc4)))
      case 0xca:
        return this.#take(4).readFloatBE(0)
      case 0xcb:
        return this.#take(8).readDoubleBE(0)
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(2 ** (type - 0xcc))
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE(0))
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const length = 2 ** (type - 0xd0)
        return this.#take(length).readIntBE(0, length)
      }
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE(0))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#take(this.#unsigned(2 ** (type - 0xd9))).toString()
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 ** (type - 0xdb)))
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 ** (type - 0xdd)))
      default:
        throw new TypeError(`a value has the type 0x${type.toString(16)}`)
    }
  }

  #array(length: number): unknown[] {
    const values: unknown[] = []
    for (let count = 0; count < length; count += 1) values.push(this.value())
    return values
  }

  #map(length: number): Record<string, unknown> {
    const entries: [string, unknown][] = []
    for (let count = 0; count < length; count += 1) entries.push([String(this.value()), this.value()])
    return Object.fromEntries(entries)
  }

  #unsigned(length: number): number {
    return this.#take(length).readUIntBE(0, length)
  }

  #take(length: number): Buffer {
    const start = this.#place
    if (start + length > this.#bytes.length) throw new RangeError('the value is cut off')
    this.#place += length
    return this.#bytes.subarray(start, start + length)
  }
}
