/** Sizes in bytes of the buffers that are kept for the next turn. */
const tinySize = 512
const smallSize = 4096
const largeSize = 131072
/** Buffers kept at most, so that one turn with 10 000 writers doesn't hold memory for ever. */
const tinyKept = 8192
const smallKept = 1024
const largeKept = 64
/** Bytes that are cut into tiny buffers: to allocate each by itself takes a microsecond. */
const slabSize = 16_384

/** Buffers for the bytes a connection writes in a turn. An idle connection has none. What one message has to say to 8000 receivers
 * takes 4 MB in tiny buffers, and would take 32 MB in small ones. */
export class BufferPool {
  readonly #tiny: Buffer[] = []
  readonly #small: Buffer[] = []
  readonly #large: Buffer[] = []

  /** A buffer of at least `size` bytes, with any content. */
  take(size: number): Buffer {
    if (size <= tinySize) return this.#tiny.pop() ?? this.#cut()
    if (size <= smallSize) return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallSize)
    if (size <= largeSize) return this.#large.pop() ?? Buffer.allocUnsafeSlow(largeSize)
    return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)))
  }

  /** Takes a buffer back. The caller must hold the only reference to it. */
  give(buffer: Buffer): void {
    if (buffer.length === tinySize) {
      if (this.#tiny.length < tinyKept) this.#tiny.push(buffer)
    } else if (buffer.length === smallSize) {
      if (this.#small.length < smallKept) this.#small.push(buffer)
    } else if (buffer.length === largeSize && this.#large.length < largeKept) this.#large.push(buffer)
  }

  #cut(): Buffer {
    const slab = Buffer.allocUnsafeSlow(slabSize)
    for (let start = tinySize; start < slabSize; start += tinySize) {
      this.#tiny.push(slab.subarray(start, start + tinySize))
    }
    return slab.subarray(0, tinySize)
  }
}
