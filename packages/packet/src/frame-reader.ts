import { PacketError } from './packet-error.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import type { ProtocolVersion } from './packet.ts'
import { headerError, refusedHeader, refusedHeader31 } from './packet-types.ts'
import { bodyOffset } from './variable-integer.ts'

/** Held by every reader that has nothing to read, so that an idle connection owns no buffer. */
const NOTHING: Buffer = Buffer.alloc(0)

/** Cuts a stream of chunks into whole packets ("frames").
 *
 * A frame that lies whole in its chunk is described where it is, without a copy. One that does not is gathered in a buffer
 * of its own, with what has really arrived and never with what the length field promises. After a PacketError
 * the stream cannot be read on: every further `next()` throws again.
 * @see MQTT 5.0 §2.1 */
export class FrameReader {
  /** Bytes of a whole packet, fixed header included; may be changed between packets. */
  maximumPacketSize: number
  /** Where the current frame lies: the chunk, or the buffer in which it was gathered. */
  source: Buffer = NOTHING
  /** First byte of the current frame: packet type and flags. */
  header = 0
  /** Offset of the first byte in `source`. */
  frameStart = 0
  /** Offset of the first byte behind the fixed header in `source`. */
  bodyStart = 0
  /** Offset behind the last byte in `source`. */
  frameEnd = 0

  #version: ProtocolVersion = 4
  #refused = refusedHeader
  #chunk: Buffer = NOTHING
  /** Bytes of `#chunk` that were read. */
  #position = 0
  /** The start of an incomplete frame. Made when there is one, so that an idle connection owns none. */
  #gathered: GatheredBytes | undefined
  /** Bytes of the whole frame that is being gathered; 0 until its length field is complete. */
  #gatheredTotal = 0

  constructor(options: { maximumPacketSize: number }) {
    this.maximumPacketSize = options.maximumPacketSize
  }

  /** 4 until it is set: the flags of the first byte are checked. MQTT 3.1 ignores those that mean nothing. */
  set version(version: ProtocolVersion) {
    this.#version = version
    this.#refused = version === 3 ? refusedHeader31 : refusedHeader
  }

  /** Gives the reader more bytes. They must not change any more: those of an incomplete frame may be kept where they stand.
   * @throws PacketError `READER_NOT_DRAINED` when the previous chunk was not read to its end: the caller's fault. */
  push(chunk: Buffer): void {
    if (!this.isDrained) {
      const left = this.#chunk.length - this.#position
      const message = `push() before next() returned false: ${left} bytes of the previous chunk are unread`
      throw new PacketError('READER_NOT_DRAINED', { message, offset: 0 })
    }
    this.#chunk = chunk
    this.#position = 0
  }

  /** Nothing is left of the chunk: `push` may be called. */
  get isDrained(): boolean {
    return this.#position === this.#chunk.length
  }

  /** Moves to the next whole frame, which the fields describe until the next call; false when more bytes are needed.
   * @throws PacketError `MALFORMED_LENGTH`, `PACKET_TOO_LARGE`, `RESERVED_BITS`, `QOS_INVALID`, `UNKNOWN_PACKET_TYPE`, or
   * `TRAILING_BYTES` for a PINGREQ or PINGRESP with a body; each as soon as the fixed header shows it. */
  next(): boolean {
    if (this.#gathered !== undefined) return this.#gather(this.#gathered)
    const chunk = this.#chunk
    const start = this.#position
    if (start + 2 > chunk.length) return this.#gather(undefined)
    const header = chunk[start] as number
    const first = chunk[start + 1] as number
    if (this.#refused[header] !== 0 || first >= 0x80) return this.#nextLong(header)
    const bodyStart = start + 2
    const frameEnd = bodyStart + first
    if (frameEnd > chunk.length || first + 2 > this.maximumPacketSize || isPing(header)) return this.#nextLong(header)
    this.source = chunk
    this.header = header
    this.frameStart = start
    this.bodyStart = bodyStart
    this.frameEnd = frameEnd
    this.#position = frameEnd
    return true
  }

  /** A view of the whole current frame. */
  frame(): Buffer {
    return this.source.subarray(this.frameStart, this.frameEnd)
  }

  /** How many whole frames `next()` would still make current, counted up to `limit`. Malformed ones count as none. */
  countFrames(limit: number): number {
    if (this.#gathered !== undefined) return 0
    let count = 0
    try {
      for (let start = this.#position; count < limit; count++) {
        const size = this.#frameSize(this.#chunk, start, this.#chunk.length)
        start += size
        if (size === 0 || start > this.#chunk.length) break
      }
    } catch {
      // next() will throw it.
    }
    return count
  }

  /** Bytes held of an incomplete frame. */
  get buffered(): number {
    return this.#gathered?.length ?? 0
  }

  /** Bytes that were pushed and belong to no frame yet that `next()` has moved to. */
  get pending(): number {
    return this.buffered + this.#chunk.length - this.#position
  }

  /** Bytes of memory that an incomplete frame holds: at most twice `buffered`, and 64 at least when there is one. */
  get reserved(): number {
    return this.#gathered?.reserved ?? 0
  }

  /** Lets go of what is there of an incomplete frame: the stream is not read on. */
  abandon(): void {
    this.#gathered = undefined
    this.#gatheredTotal = 0
  }

  /** `next()` for everything but a short frame that is all there. */
  #nextLong(header: number): boolean {
    const chunk = this.#chunk
    const start = this.#position
    const total = this.#frameSize(chunk, start, chunk.length)
    if (total === 0 || start + total > chunk.length) return this.#gather(undefined)
    this.source = chunk
    this.header = header
    this.frameStart = start
    this.bodyStart = bodyOffset(chunk, start)
    this.frameEnd = start + total
    this.#position = start + total
    return true
  }

  /** Size of the frame at `start`, as far as the bytes before `end` tell it; 0 when its length field is not complete. */
  #frameSize(source: Buffer, start: number, end: number): number {
    const header = source[start] as number
    const refused = this.#refused[header] === 0 ? undefined : headerError(header, this.#version)
    if (refused !== undefined) throw refused
    let remaining = 0
    for (let index = 0; index < 4; index++) {
      const position = start + 1 + index
      if (position >= end) return 0
      const byte = source[position] as number
      remaining |= (byte & 0x7f) << (7 * index)
      if (byte >= 0x80) continue
      if (byte === 0 && index > 0) break // [MQTT5-1.5.5-1]
      const size = remaining + index + 2
      this.#checkSize(header, remaining, size)
      return size
    }
    throw malformedLength()
  }

  #checkSize(header: number, remaining: number, size: number): void {
    if (size > this.maximumPacketSize) {
      const message = `Packet of ${size} bytes exceeds maximumPacketSize of ${this.maximumPacketSize} bytes`
      throw new PacketError('PACKET_TOO_LARGE', { message, offset: 1 })
    }
    if (isPing(header) && remaining > 0) {
      throw new PacketError('TRAILING_BYTES', {
        message: `Ping with ${remaining} bytes, which must have none`,
        offset: 2,
      })
    }
  }

  /** Adds the chunk's bytes to the incomplete frame; true when that completes it. */
  #gather(begun: GatheredBytes | undefined): boolean {
    if (begun === undefined && this.#position === this.#chunk.length) return this.#release()
    const gathered = (this.#gathered = begun ?? new GatheredBytes())
    while (this.#gatheredTotal === 0) {
      if (gathered.length > 0) {
        this.#gatheredTotal = this.#frameSize(gathered.beginning, 0, gathered.length)
        if (this.#gatheredTotal > 0) break
      }
      if (this.#position === this.#chunk.length) return this.#release()
      this.#append(gathered, 1)
    }
    const missing = this.#gatheredTotal - gathered.length
    const available = this.#chunk.length - this.#position
    this.#append(gathered, missing < available ? missing : available)
    if (missing > available) return this.#release()
    this.source = gathered.take()
    this.header = this.source[0] as number
    this.frameStart = 0
    this.bodyStart = bodyOffset(this.source, 0)
    this.frameEnd = this.#gatheredTotal
    this.#gathered = undefined
    this.#gatheredTotal = 0
    return true
  }

  #append(gathered: GatheredBytes, count: number): void {
    gathered.add(this.#chunk, this.#position, this.#position + count, this.#gatheredTotal)
    this.#position += count
  }

  /** Lets go of the chunk, so that an idle connection does not pin it. */
  #release(): false {
    this.#chunk = NOTHING
    this.#position = 0
    this.source = NOTHING
    this.frameStart = 0
    this.bodyStart = 0
    this.frameEnd = 0
    return false
  }
}

/** PINGREQ or PINGRESP. */
function isPing(header: number): boolean {
  return (header & 0xe0) === 0xc0
}

function malformedLength(): PacketError {
  const message = 'Remaining length takes more bytes than it needs, or more than 4'
  return new PacketError('MALFORMED_LENGTH', { message, offset: 1 })
}
