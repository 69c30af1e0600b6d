const NOTHING: Buffer = Buffer.alloc(0)

/** First reservation, in bytes; doubled until it is a block. */
const SMALLEST = 64
/** Beyond one of these nothing is copied to make room: the next block stands beside it. As much as one read of a socket brings. */
const BLOCK = 65_536

/** Bytes of one frame that has not all come, in memory that grows with what has really arrived.
 *
 * The rest of a chunk that is most of the memory it stands in is kept as it is; other bytes are copied, so that a few never pin many. */
export class GatheredBytes {
  /** Bytes gathered. */
  length = 0
  /** Bytes of memory that they hold. */
  reserved = 0
  /** What stands before `#open`. */
  #parts: Buffer[] = []
  /** Memory of its own, in part free. */
  #open: Buffer = NOTHING
  #openLength = 0

  /** Adds `source[start, end)`, of a frame that has `total` bytes altogether; 0: nobody knows yet. */
  add(source: Buffer, start: number, end: number, total: number): void {
    const size = end - start
    if (size * 2 >= BLOCK && size * 2 >= source.buffer.byteLength) {
      this.#closeBlock()
      this.#parts.push(source.subarray(start, end))
      this.reserved += source.buffer.byteLength
      this.length += size
      return
    }
    for (let position = start; position < end;) {
      if (this.#openLength === this.#open.length || this.length + end - position <= BLOCK) {
        this.#makeRoom(end - position, total)
      }
      const count = Math.min(end - position, this.#open.length - this.#openLength)
      source.copy(this.#open, this.#openLength, position, position + count)
      this.#openLength += count
      this.length += count
      position += count
    }
  }

  /** Where the first five stand, which came one by one. */
  get beginning(): Buffer {
    return this.#open
  }

  /** All of them in one piece, which is the caller's. Nothing may be added any more. */
  take(): Buffer {
    const last = this.#open.subarray(0, this.#openLength)
    return this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last], this.length)
  }

  /** Room for some of `wanted` bytes more, for all of them while they fit into a block. */
  #makeRoom(wanted: number, total: number): void {
    const needed = this.#openLength + wanted
    if (needed <= this.#open.length) return
    if (this.length + wanted > BLOCK) {
      if (this.#openLength < this.#open.length) return
      this.#closeBlock()
      const left = total === 0 ? BLOCK : total - this.length
      this.#reserve(Math.min(BLOCK, left))
      return
    }
    const doubled = Math.max(needed, 2 * this.#open.length, SMALLEST)
    this.#reserve(total === 0 ? doubled : Math.min(doubled, total))
  }

  #reserve(size: number): void {
    const grown = Buffer.allocUnsafe(size)
    this.#open.copy(grown, 0, 0, this.#openLength)
    this.reserved += size - this.#open.length
    this.#open = grown
  }

  #closeBlock(): void {
    // What is free of it would be held for nothing.
    const isFull = this.#openLength === this.#open.length
    if (this.#openLength > 0) this.#parts.push(isFull ? this.#open : copied(this.#open, this.#openLength))
    this.reserved -= this.#open.length - this.#openLength
    this.#open = NOTHING
    this.#openLength = 0
  }
}

function copied(source: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length)
  source.copy(copy, 0, 0, length)
  return copy
}
