import { decodeControl } from './control-packets.ts'
import { FrameReader } from './frame-reader.ts'
import type { Packet, ProtocolVersion } from './packet.ts'
import { PublishFrame, type Sender } from './publish-frame.ts'
import { TopicInterner } from './topic-interner.ts'
import { MAXIMUM_VARIABLE_INTEGER } from './variable-integer.ts'

/** Settings of a {@link Decoder}. */
export interface DecoderOptions {
  /** Bytes of a whole packet. Default: the protocol's own limit, 268435460. */
  maximumPacketSize?: number
  /** Version until a CONNECT tells another. Default 4. */
  protocolVersion?: ProtocolVersion
  /** Who sends the bytes. Default `client`. */
  sender?: Sender
}

/** Turns the bytes of one connection into packet objects, for programs that need no faster way. Learns the version from a
 * CONNECT; a client that reads a server's bytes gives it as an option. */
export class Decoder {
  readonly #reader: FrameReader
  readonly #publish = new PublishFrame()
  readonly #topics = new TopicInterner({ maximumTopics: 256 })
  readonly #sender: Sender
  #version: ProtocolVersion
  #bridgeMode = false

  constructor(options: DecoderOptions = {}) {
    const { maximumPacketSize = MAXIMUM_VARIABLE_INTEGER + 5, protocolVersion = 4, sender = 'client' } = options
    this.#reader = new FrameReader({ maximumPacketSize })
    this.#version = protocolVersion
    this.#reader.version = protocolVersion
    this.#sender = sender
  }

  /** The packets that the chunk completes. Iterate to the end before the next call. Payloads are views of the chunk or of a
   * buffer of their own.
   * @throws PacketError while iterating; the connection cannot be read on then. */
  *push(chunk: Buffer): Generator<Packet, void, undefined> {
    this.#reader.push(chunk)
    while (this.#reader.next()) yield this.#decode()
  }

  #decode(): Packet {
    const { source, header, frameStart, bodyStart, frameEnd } = this.#reader
    if (header >> 4 === 3) {
      const frame = this.#publish
      frame.read(source, header, frameStart, bodyStart, frameEnd, this.#version, this.#sender)
      return frame.toPacket(this.#topics.intern(source, frame.topicStart, frame.topicEnd, frameStart))
    }
    const packet = decodeControl(this.#reader.frame(), this.#version, { bridgeMode: this.#bridgeMode })
    if (packet.cmd === 'connect') {
      this.#version = packet.protocolVersion ?? this.#version
      this.#reader.version = this.#version
      this.#bridgeMode = packet.bridgeMode ?? false
    }
    return packet
  }
}
