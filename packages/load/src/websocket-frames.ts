const binary = 0x82
const masked = 0x80
const oneByteLength = 126
const twoByteLength = 65_536
const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const maskWord = mask.readUInt32LE()

/** The request that turns a connection into a WebSocket. RFC 6455 §4.1 */
export function upgradeRequest(host: string): string {
  const lines = [
    'GET /mqtt HTTP/1.1',
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: mqtt',
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The bytes as one binary message, masked as a client's must be. RFC 6455 §5.2 */
export function maskedFrame(bytes: Buffer): Buffer {
  const { length } = bytes
  const extra = length < oneByteLength ? 0 : length < twoByteLength ? 2 : 8
  const start = 6 + extra
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = binary
  frame[1] = masked | (extra === 0 ? length : extra === 2 ? 126 : 127)
  if (extra === 2) frame.writeUInt16BE(length, 2)
  else if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  mask.copy(frame, 2 + extra)
  bytes.copy(frame, start)
  applyMask(frame, start)
  return frame
}

function applyMask(frame: Buffer, start: number): void {
  let position = start
  // Up to a multiple of four in the memory beneath, and from there on in words.
  let turn = 0
  while ((frame.byteOffset + position) % 4 !== 0 && position < frame.length) {
    frame[position] = (frame[position] as number) ^ (mask[turn] as number)
    position += 1
    turn = (turn + 1) % 4
  }
  const words = new Uint32Array(frame.buffer, frame.byteOffset + position, (frame.length - position) >> 2)
  const word = turn === 0 ? maskWord : (maskWord >>> (8 * turn)) | (maskWord << (8 * (4 - turn)))
  for (let index = 0; index < words.length; index += 1) words[index] = (words[index] as number) ^ word
  for (position += 4 * words.length; position < frame.length; position += 1) {
    frame[position] = (frame[position] as number) ^ (mask[turn] as number)
    turn = (turn + 1) % 4
  }
}

/** Up to this many bytes a loop is faster than the call of `copyWithin`. */
const loopBytes = 80

/** Takes the frames of a server apart: gives out what the binary ones of a chunk hold, in one piece. */
export class WebSocketFrames {
  readonly #give: (bytes: Uint8Array, length: number) => void
  /** Of the answer to the upgrade, or of a frame's header. */
  #carry: Buffer = Buffer.alloc(0)
  #upgraded = false
  /** Bytes of the frame at hand that have not come yet. */
  #left = 0

  constructor(give: (bytes: Uint8Array, length: number) => void) {
    this.#give = give
  }

  /** @throws Error when the upgrade is refused, or a frame is no binary one */
  feed(chunk: Buffer): void {
    let bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk])
    this.#carry = Buffer.alloc(0)
    if (!this.#upgraded) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) {
        this.#carry = bytes
        return
      }
      const status = bytes.toString('latin1', 9, 12)
      if (status !== '101') throw new Error(`upgrade refused with ${status}`)
      this.#upgraded = true
      bytes = bytes.subarray(end + 4)
    }
    let position = 0
    /** What the frames hold is moved together at the front: a call for each packet would cost more than its frame. */
    let filled = 0
    while (position < bytes.length) {
      if (this.#left === 0) {
        const header = this.#header(bytes, position)
        if (header === 0) {
          this.#carry = bytes.subarray(position)
          break
        }
        position += header
      }
      const end = Math.min(bytes.length, position + this.#left)
      this.#left -= end - position
      if (filled === 0 && end === bytes.length) {
        this.#give(bytes.subarray(position), end - position)
        return
      }
      if (end - position > loopBytes) bytes.copyWithin(filled, position, end)
      else for (let from = position, to = filled; from < end; from += 1, to += 1) bytes[to] = bytes[from] as number
      filled += end - position
      position = end
    }
    if (filled > 0) this.#give(bytes, filled)
  }

  /** Bytes of the header at the position; 0: it is not complete. */
  #header(bytes: Buffer, position: number): number {
    if (bytes.length < position + 2) return 0
    const [first = 0, second = 0] = [bytes[position], bytes[position + 1]]
    // Fragments come as continuation frames.
    if ((first & 0x0f) > 2) throw new Error(`WebSocket frame with first byte 0x${first.toString(16)}`)
    const size = second === 126 ? 4 : second === 127 ? 10 : 2
    if (bytes.length < position + size) return 0
    this.#left =
      size === 2 ? second : size === 4 ? bytes.readUInt16BE(position + 2) : Number(bytes.readBigUInt64BE(position + 2))
    return size
  }
}
