/** Sizes in bytes of the buffers that are kept for the next turn. */
const smallSize = 4096
const largeSize = 131072
/** Buffers kept at most, so that one turn with 10 000 writers doesn't hold memory for ever. */
const smallKept = 1024
const largeKept = 64

/** Buffers for the bytes a connection writes in a turn. An idle connection has none. */
export class BufferPool {
  readonly #small: Buffer[] = []
  readonly #large: Buffer[] = []

  /** A buffer of at least `size` bytes, with any content. */
  take(size: number): Buffer {
    if (size <= smallSize) return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallSize)
    if (size <= largeSize) return this.#large.pop() ?? Buffer.allocUnsafeSlow(largeSize)
    return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)))
  }

  /** Takes a buffer back. The caller must hold the only reference to it. */
  give(buffer: Buffer): void {
    if (buffer.length === smallSize) {
      if (this.#small.length < smallKept) this.#small.push(buffer)
    } else if (buffer.length === largeSize && this.#large.length < largeKept) this.#large.push(buffer)
  }
}
