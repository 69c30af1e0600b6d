import { Buffer } from 'node:buffer'
import { nextTick } from 'node:process'

/** FIN, and the opcode of a binary frame. RFC 6455 §5.2 */
const binaryFrame = 0x82
/** A length from here on takes two more bytes of the frame's header; from `longLength` on it takes eight. */
const mediumLength = 126
const longLength = 65_536
const [mediumMark, longMark] = [126, 127]

/** The bytes of an MQTT length field at most. MQTT 5.0 §1.5.5 */
const longestLengthField = 4

/** Up to this many bytes a loop is faster than a call of `copy`. */
const loopBytes = 40

/** Bytes for each packet, on average, from which on packets are written from where they stand, between the headers of their frames.
 * Smaller ones are copied: hundreds of pieces in one write take longer than copying them does. */
const worthNoCopy = 4096

/** What is written to the socket for some bytes of MQTT. */
export interface FramedPackets {
  /** Whole frames, to be written in this order. */
  readonly pieces: readonly Buffer[]
  /** How many of the bytes are in them: all up to the end of the last whole packet. */
  readonly length: number
}

/** Puts each MQTT packet into a WebSocket frame of its own.
 *
 * The receivers of one message are often handed the same bytes, one after the other: those are framed once. */
export class PacketFrames {
  #source: Buffer | undefined
  #framed: FramedPackets | undefined
  /** The writer may use the memory again when it is told that the bytes are written, which happens no sooner than in a later tick. */
  readonly #forget = (): void => {
    this.#source = undefined
    this.#framed = undefined
  }

  of(bytes: Buffer): FramedPackets {
    const source = this.#source
    if (
      this.#framed !== undefined &&
      source?.buffer === bytes.buffer &&
      source.byteOffset === bytes.byteOffset &&
      source.length === bytes.length
    ) {
      return this.#framed
    }
    if (source === undefined) nextTick(this.#forget)
    this.#source = bytes
    this.#framed = framed(bytes)
    return this.#framed
  }
}

/** The frame of one piece, whatever is in it. */
export function frameOf(bytes: Buffer): readonly Buffer[] {
  const header = Buffer.allocUnsafe(headerSize(bytes.length))
  writeHeader(header, 0, bytes.length)
  return [header, bytes]
}

/** Offset behind the packet that begins at `start`. Beyond the end: the packet is not complete, nor maybe its length, which is taken
 * for the least it can be. */
export function packetEnd(bytes: Buffer, start: number): number {
  let length = 0
  let position = start + 1
  for (let shift = 0; shift < 7 * longestLengthField; shift += 7, position += 1) {
    if (position >= bytes.length) return position + 1
    const byte = bytes[position] as number
    length += (byte & 0x7f) << shift
    if (byte < 0x80) return position + 1 + length
  }
  // No MQTT, so there is nothing to keep apart.
  return bytes.length
}

function framed(bytes: Buffer): FramedPackets {
  let packets = 0
  let headers = 0
  let length = 0
  for (let end = packetEnd(bytes, 0); end <= bytes.length; end = packetEnd(bytes, length)) {
    packets += 1
    headers += headerSize(end - length)
    length = end
    if (length === bytes.length) break
  }
  const whole = length === bytes.length ? bytes : bytes.subarray(0, length)
  if (packets <= 1) return { pieces: packets === 0 ? [] : frameOf(whole), length }
  if (length >= packets * worthNoCopy) return { pieces: inPlace(whole), length }
  return { pieces: [inOnePiece(whole, length + headers)], length }
}

function inPlace(packets: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let start = 0, end = 0; start < packets.length; start = end) {
    end = packetEnd(packets, start)
    pieces.push(...frameOf(packets.subarray(start, end)))
  }
  return pieces
}

function inOnePiece(packets: Buffer, size: number): Buffer {
  const frames = Buffer.allocUnsafe(size)
  let offset = 0
  for (let start = 0, end = 0; start < packets.length; start = end) {
    end = packetEnd(packets, start)
    offset = writeHeader(frames, offset, end - start)
    if (end - start > loopBytes) packets.copy(frames, offset, start, end)
    else for (let index = 0; index < end - start; index += 1) frames[offset + index] = packets[start + index] as number
    offset += end - start
  }
  return frames
}

function headerSize(length: number): number {
  if (length < mediumLength) return 2
  return length < longLength ? 4 : 10
}

/** Returns the offset behind the header of a frame that is not masked. */
function writeHeader(target: Buffer, offset: number, length: number): number {
  target[offset] = binaryFrame
  if (length < mediumLength) {
    target[offset + 1] = length
    return offset + 2
  }
  if (length < longLength) {
    target[offset + 1] = mediumMark
    return target.writeUInt16BE(length, offset + 2)
  }
  target[offset + 1] = longMark
  target.writeUInt16BE(0, offset + 2)
  return target.writeUIntBE(length, offset + 4, 6)
}
