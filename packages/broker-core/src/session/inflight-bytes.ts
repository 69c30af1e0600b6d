/** Bytes of the payloads of QoS 1 and 2 messages that were sent to one client and not acknowledged. Messages that were there before the
 * session was resumed count again when they are sent again. */
export class InflightBytes {
  readonly #maximum: number
  /** By sequence. */
  readonly #sizes = new Map<number, number>()
  #bytes = 0

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** Another message may be sent: it may exceed the maximum by itself. */
  get hasRoom(): boolean {
    return this.#bytes < this.#maximum
  }

  add(sequence: number, bytes: number): void {
    this.#sizes.set(sequence, bytes)
    this.#bytes += bytes
  }

  finish(sequence: number): void {
    this.#bytes -= this.#sizes.get(sequence) ?? 0
    this.#sizes.delete(sequence)
  }
}
