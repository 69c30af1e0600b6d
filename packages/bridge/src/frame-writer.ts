import { publishSize, writeAck, writePublish } from '@x/packet'
import type { OutgoingPublish, ProtocolVersion } from '@x/packet'

const blockSize = 32_768
const largestAck = 5

/** Gathers packets, so that all that one chunk brings leaves in one write. What was handed out is never written to again: a stream may
 * keep it. */
export class FrameWriter {
  #block: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  readonly #full: Buffer[] = []

  publish(packet: OutgoingPublish, version: ProtocolVersion): void {
    this.#reserve(publishSize(packet, version))
    this.#end = writePublish(this.#block, this.#end, packet, version)
  }

  ack(header: number, messageId: number, reasonCode: number, version: ProtocolVersion): void {
    this.#reserve(largestAck)
    this.#end = writeAck(this.#block, this.#end, header, messageId, reasonCode, version)
  }

  bytes(frame: Buffer): void {
    this.#handOver()
    this.#full.push(frame)
  }

  /** What was gathered since the last time, to be written in this order. */
  take(): readonly Buffer[] {
    this.#handOver()
    return this.#full.splice(0)
  }

  get isEmpty(): boolean {
    return this.#start === this.#end && this.#full.length === 0
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#block.length) return
    this.#handOver()
    this.#block = Buffer.allocUnsafeSlow(Math.max(blockSize, size))
    this.#start = 0
    this.#end = 0
  }

  #handOver(): void {
    if (this.#start === this.#end) return
    this.#full.push(this.#block.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
