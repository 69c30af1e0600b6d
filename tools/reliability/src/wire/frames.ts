/** One packet as it came from the broker. */
export interface Frame {
  /** Upper half of the first byte. */
  readonly type: number
  readonly flags: number
  /** What stands behind the Remaining Length. */
  readonly body: Buffer
}

export const packetType = {
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  suback: 9,
  unsuback: 11,
  pingresp: 13,
  disconnect: 14,
} as const

/** Cuts a stream of bytes into packets. */
export class FrameCutter {
  /** The beginning of a packet that is not complete, in pieces as they came. */
  #pieces: Buffer[] = []
  #length = 0
  /** Bytes that {@link #pieces} must have before it is worth looking at them again. */
  #wanted = 2

  /** Calls `take` for each packet that this chunk completes. */
  push(chunk: Buffer, take: (frame: Frame) => void): void {
    this.#pieces.push(chunk)
    this.#length += chunk.length
    if (this.#length < this.#wanted) return
    const all = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces)
    let start = 0
    for (;;) {
      const end = this.#endOf(all, start, take)
      if (end === undefined) break
      start = end
    }
    const rest = all.subarray(start)
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
  }

  #endOf(all: Buffer, start: number, take: (frame: Frame) => void): number | undefined {
    let length = 0
    for (let digit = 1; digit <= 4; digit++) {
      const byte = all[start + digit]
      if (byte === undefined) {
        this.#wanted = digit + 1
        return undefined
      }
      length += (byte & 0x7f) * 128 ** (digit - 1)
      if (byte < 0x80) {
        const end = start + digit + 1 + length
        this.#wanted = end - start
        if (end > all.length) return undefined
        const first = all[start] ?? 0
        take({ type: first >> 4, flags: first & 0x0f, body: all.subarray(start + digit + 1, end) })
        return end
      }
    }
    throw new Error(`no Remaining Length in ${all.toString('hex', start, start + 5)}`)
  }
}
