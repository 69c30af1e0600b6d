import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Counters } from '@x/contract'

/** Packets that a connection writes in one turn of the event loop at most. Each takes 10 µs where it becomes a system call. */
const packetsPerTurn = 128

/** Whether the stream gets each packet in a write of its own. A stream that a program makes of a WebSocket sends a frame for each write,
 * and clients on Paho's C library wait for ever when a frame holds several packets. Those streams (of `ws` and of `websocket-stream`)
 * have a function of their own for writing; sockets, and the streams of transport-ws, have that of their class. */
export function wantsEachPacket(stream: Duplex): boolean {
  return !(stream instanceof Socket) && Object.hasOwn(stream, '_write')
}

/** A connection that ends with so many bytes pending does not wait until its peer takes them. */
const tooMuchToEnd = 16_384

/** Writes the packets of one connection one by one, each when the one before has been written: some streams of WebSockets join all
 * writes that wait. Of the stream it needs `write` alone: not all of them tell how much they hold. */
export class PacketWrites {
  readonly #stream: Duplex
  readonly #counters: Counters
  readonly #written: () => void
  /** Whole packets that are not yet written; one piece for each turn. */
  readonly #pieces: Buffer[] = []
  /** Where the next packet begins in the first piece. */
  #position = 0
  #waitingBytes = 0
  /** Writes that have not called back, and their bytes. */
  #writes = 0
  #writtenBytes = 0
  /** Packets that may still be written in this turn. */
  #credit = packetsPerTurn

  /** @param written - is called in a later tick, when a packet has been written; `goOn` goes on then */
  constructor(stream: Duplex, counters: Counters, written: (packets: PacketWrites) => void) {
    this.#stream = stream
    this.#counters = counters
    this.#written = () => {
      this.#writes -= 1
      if (this.#writes > 0) return
      this.#writtenBytes = 0
      written(this)
    }
  }

  /** Bytes that the stream has not taken. */
  get pending(): number {
    return this.#waitingBytes + this.#writtenBytes
  }

  /** The turn's share is used up, and packets wait. */
  get awaitsTurn(): boolean {
    return this.#credit === 0 && this.#waitingBytes > 0
  }

  /** The stream does not take what is pending. */
  get isBlocked(): boolean {
    return this.#stream.destroyed || (this.#writes > 0 && this.pending >= tooMuchToEnd)
  }

  /** Takes whole packets. They must not change any more. */
  add(bytes: Buffer): void {
    this.#pieces.push(bytes)
    this.#waitingBytes += bytes.length
  }

  beginTurn(): void {
    this.#credit = packetsPerTurn
  }

  /** Writes the next packet, unless the one before is still being written. */
  goOn(): void {
    if (this.#writes > 0 || this.#credit === 0 || this.#waitingBytes === 0 || this.#stream.destroyed) return
    this.#writeNext()
  }

  /** What was added last stays for a while. */
  settle(): void {
    const last = this.#pieces.pop()
    if (last === undefined) return
    const isBegun = this.#pieces.length === 0
    this.#pieces.push(compact(isBegun ? last.subarray(this.#position) : last))
    if (isBegun) this.#position = 0
  }

  /** Writes everything, since the stream is going to end: a turn's share one by one, and what is left in larger pieces. */
  finish(): void {
    this.beginTurn()
    while (this.#credit > 0 && this.#waitingBytes > 0) this.#writeNext()
    while (this.#waitingBytes > 0) this.#writeUpTo((this.#pieces[0] as Buffer).length)
  }

  #writeNext(): void {
    this.#credit -= 1
    this.#writeUpTo(packetEnd(this.#pieces[0] as Buffer, this.#position))
  }

  /** Writes the first piece up to an offset. */
  #writeUpTo(end: number): void {
    const piece = this.#pieces[0] as Buffer
    const bytes = piece.subarray(this.#position, end)
    if (end < piece.length) this.#position = end
    else {
      this.#pieces.shift()
      this.#position = 0
    }
    this.#waitingBytes -= bytes.length
    this.#writes += 1
    this.#writtenBytes += bytes.length
    this.#counters.bytesSent += bytes.length
    this.#stream.write(bytes, this.#written)
  }
}

/** Offset behind the packet that begins at `start`. MQTT 5.0 §2.1.4 */
function packetEnd(bytes: Buffer, start: number): number {
  let position = start + 1
  let length = 0
  for (let factor = 1; position < bytes.length; factor *= 128) {
    const byte = bytes[position] as number
    position += 1
    length += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  return position + length
}

/** Bytes to keep for a while. Those that fill most of their memory, as a run usually does in its publisher's chunk, are not copied, so
 * all receivers share them; others are copied. */
export function compact(bytes: Buffer): Buffer {
  return bytes.length * 2 >= bytes.buffer.byteLength ? bytes : Buffer.from(bytes)
}
