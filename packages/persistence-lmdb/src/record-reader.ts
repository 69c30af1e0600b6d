/** Reads the fields of a record in the order they were written. A record that ends too early throws a RangeError. */
export class RecordReader {
  readonly #bytes: Buffer
  #place = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Nothing follows: an older version wrote the record, and knew of no more. */
  get isAtEnd(): boolean {
    return this.#place >= this.#bytes.length
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4))
  }

  u48(): number {
    return this.#bytes.readUIntBE(this.#advance(6), 6)
  }

  optional(): number | undefined {
    const value = this.u48()
    return value === 0 ? undefined : value - 1
  }

  /** A view into the record. */
  bytes(): Buffer {
    const length = this.u32()
    const start = this.#advance(length)
    if (start + length > this.#bytes.length) throw new RangeError('the record is cut off')
    return this.#bytes.subarray(start, start + length)
  }

  text(): string {
    return this.bytes().toString()
  }

  #advance(length: number): number {
    const start = this.#place
    this.#place += length
    return start
  }
}
