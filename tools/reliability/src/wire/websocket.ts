import { u16, u32 } from './bytes.ts'

/** Asks for a WebSocket that carries MQTT. RFC 6455 §4.1, MQTT 5.0 §6 */
export const handshake: Buffer = Buffer.from(
  [
    'GET /mqtt HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: mqtt',
    '\r\n',
  ].join('\r\n'),
)

const masked = 0x80
export const opcode = { continuation: 0x00, binary: 0x02, close: 0x08, ping: 0x09, final: 0x80 } as const

/** A frame of a client. The mask is zero, which masks nothing. RFC 6455 §5.2 */
export function clientFrame(payload: Buffer, first: number = opcode.final | opcode.binary): Buffer {
  const mask = u32(0)
  const { length } = payload
  if (length < 126) return Buffer.concat([Buffer.of(first, masked | length), mask, payload])
  if (length < 65_536) return Buffer.concat([Buffer.of(first, masked | 126), u16(length), mask, payload])
  return Buffer.concat([Buffer.of(first, masked | 127), u32(0), u32(length), mask, payload])
}

/** What a server sends: its answer to the handshake, then frames without mask. */
export class ServerFrames {
  isOpen = false
  #rest: Buffer = Buffer.alloc(0)

  /** Calls `take` with the payload of each binary frame that is complete. */
  push(chunk: Buffer, take: (payload: Buffer) => void): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.isOpen) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return
      this.isOpen = true
      this.#rest = this.#rest.subarray(end + 4)
    }
    while (this.#cut(take)) {
      // As many as there are.
    }
  }

  #cut(take: (payload: Buffer) => void): boolean {
    const rest = this.#rest
    const short = (rest[1] ?? 0) & 0x7f
    const header = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < header) return false
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : rest.readUInt32BE(6)
    if (rest.length < header + length) return false
    if (((rest[0] ?? 0) & 0x0f) < opcode.close) take(rest.subarray(header, header + length))
    this.#rest = rest.subarray(header + length)
    return true
  }
}
