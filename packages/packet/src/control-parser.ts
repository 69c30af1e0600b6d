import { parser as createParser } from 'mqtt-packet'
import type { Packet, ProtocolVersion } from './packet.ts'
import { PacketError } from './packet-error.ts'

/** What the decoding of a packet depends on besides its bytes. */
export interface DecodeSettings {
  readonly protocolVersion: ProtocolVersion
}

/** mqtt-packet's parser: `parse()` reads `settings`, which its types leave out, and replaces it when it reads a CONNECT. */
interface PacketParser {
  settings: DecodeSettings
  parse(bytes: Buffer): number
  on(event: 'packet', listener: (packet: Packet) => void): unknown
  on(event: 'error', listener: (error: unknown) => void): unknown
}

/** Feeds whole, checked frames to one mqtt-packet parser. */
export class ControlParser {
  /** Undefined before the first frame and after a failed one: a parser that failed keeps its read position. */
  #parser: PacketParser | undefined
  #packet: Packet | undefined
  #error: unknown

  /** The packet of a frame that holds exactly one.
   * @throws PacketError `UNDECODABLE` when mqtt-packet refuses it, with its error as `cause`. */
  parse(frame: Buffer, settings: DecodeSettings): Packet {
    const parser = (this.#parser ??= this.#create())
    this.#packet = undefined
    this.#error = undefined
    parser.settings = settings
    const left = parser.parse(frame)
    const packet = this.#packet as Packet | undefined
    this.#packet = undefined
    if (packet !== undefined && this.#error === undefined && left === 0) return packet
    this.#parser = undefined
    throw new PacketError('UNDECODABLE', { message: 'mqtt-packet refuses the packet', offset: 0, cause: this.#error })
  }

  #create(): PacketParser {
    const parser = createParser({}) as unknown as PacketParser
    parser.on('packet', packet => {
      this.#packet = packet
    })
    parser.on('error', error => {
      this.#error = error
    })
    return parser
  }
}
