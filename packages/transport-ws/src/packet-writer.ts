import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { packetEnd } from './packet-frames.ts'
import type { PacketFrames } from './packet-frames.ts'

const isOpen = 1

/** Sends MQTT packets over a WebSocket, each in a frame of its own, with one write for all that come together.
 *
 * A write may end within a packet; the packet waits for its rest then. */
export class PacketWriter {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #frames: PacketFrames
  /** Compression is asynchronous, so only ws can keep the order of what it has compressed. */
  readonly #compresses: boolean
  /** The beginning of a packet, in the pieces it came in. */
  #begun: Buffer[] = []
  #begunBytes = 0
  /** Bytes of that packet, as far as they are known. */
  #wanted = 0

  constructor(webSocket: WebSocket, socket: Socket, frames: PacketFrames) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#frames = frames
    this.#compresses = webSocket.extensions !== ''
  }

  /** Calls back when the bytes are written, or never will be. */
  write(chunk: Buffer, done: () => void): void {
    if (this.#webSocket.readyState !== isOpen) {
      done()
      return
    }
    const bytes = this.#begunBytes === 0 ? chunk : this.#continue(chunk)
    if (bytes === undefined) done()
    else if (this.#compresses) this.#sendEach(bytes, done)
    else {
      const { pieces, length } = this.#frames.of(bytes)
      this.#keep(bytes, length)
      this.#writePieces(pieces, done)
    }
  }

  /** Sends what is left, though it is no whole packet. */
  finish(): void {
    if (this.#begunBytes > 0 && this.#webSocket.readyState === isOpen) this.#webSocket.send(this.#take())
  }

  /** Joined once for each packet, at most twice more for its length: at each write it would cost the square of the size. */
  #continue(chunk: Buffer): Buffer | undefined {
    // A copy: the writer is told that it is written.
    this.#begun.push(Buffer.from(chunk))
    this.#begunBytes += chunk.length
    return this.#begunBytes < this.#wanted ? undefined : this.#take()
  }

  #take(): Buffer {
    const bytes = Buffer.concat(this.#begun, this.#begunBytes)
    this.#begun = []
    this.#begunBytes = 0
    return bytes
  }

  #keep(bytes: Buffer, from: number): void {
    if (from === bytes.length) return
    this.#begun = [Buffer.from(bytes.subarray(from))]
    this.#begunBytes = bytes.length - from
    this.#wanted = packetEnd(bytes, from) - from
  }

  #writePieces(pieces: readonly Buffer[], done: () => void): void {
    const [first] = pieces
    if (first === undefined) done()
    else if (pieces.length === 1) this.#socket.write(first, done)
    else {
      this.#socket.cork()
      for (let index = 0; index < pieces.length - 1; index += 1) this.#socket.write(pieces[index] as Buffer)
      this.#socket.write(pieces.at(-1) as Buffer, done)
      this.#socket.uncork()
    }
  }

  #sendEach(bytes: Buffer, done: () => void): void {
    let start = 0
    this.#socket.cork()
    for (let end = packetEnd(bytes, 0); end <= bytes.length; end = packetEnd(bytes, start)) {
      const isLast = packetEnd(bytes, end) > bytes.length
      this.#webSocket.send(bytes.subarray(start, end), isLast ? done : undefined)
      start = end
    }
    this.#socket.uncork()
    this.#keep(bytes, start)
    if (start === 0) done()
  }
}
