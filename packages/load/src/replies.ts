/**
 * Acknowledgements gathered while one chunk is walked, so that they leave in one write. One instance serves the whole
 * process: it is filled and taken within one call from the socket.
 */
export class Replies {
  #bytes = Buffer.allocUnsafe(65_536)
  #length = 0

  /** Appends an acknowledgement without reason code: for both protocol versions that means success. */
  add(first: number, packetIdHigh: number, packetIdLow: number): void {
    if (this.#length + 4 > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2)
    const bytes = this.#bytes
    let at = this.#length
    bytes[at++] = first
    bytes[at++] = 2
    bytes[at++] = packetIdHigh
    bytes[at++] = packetIdLow
    this.#length = at
  }

  /** A copy of what was gathered, or undefined; empty afterwards. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return taken
  }
}
