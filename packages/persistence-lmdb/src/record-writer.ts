/** Writes the fields of a record one after another into one buffer, which grows as needed and is used again. */
export class RecordWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(1024)
  #length = 0

  /** Begins a record; the one before must have been taken. */
  begin(): this {
    this.#length = 0
    return this
  }

  /** The record, in bytes of its own. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length))
  }

  u8(value: number): this {
    this.#room(1)
    this.#bytes[this.#length] = value
    this.#length += 1
    return this
  }

  u32(value: number): this {
    this.#room(4)
    this.#length = this.#bytes.writeUInt32BE(value, this.#length)
    return this
  }

  /** A whole number up to 2^48 - 1. */
  u48(value: number): this {
    this.#room(6)
    this.#length = this.#bytes.writeUIntBE(value, this.#length, 6)
    return this
  }

  /** 0 stands for undefined, so the value itself is one higher. */
  optional(value: number | undefined): this {
    return this.u48(value === undefined ? 0 : value + 1)
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length)
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.u32(length)
    this.#room(length)
    this.#bytes.write(value, this.#length)
    this.#length += length
    return this
  }

  #room(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
