import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Counters } from '@x/contract'
import type { BufferPool } from './buffer-pool.ts'
import { copyBytes } from './copy-bytes.ts'
import { Urgency } from './flush-queue.ts'
import type { FlushQueue } from './flush-queue.ts'
import { PacketWrites, compact, wantsEachPacket } from './packet-writes.ts'

/** The objects that all outboxes of a broker share. */
export interface OutboxContext {
  readonly pool: BufferPool
  readonly flushQueue: FlushQueue
  readonly counters: Counters
  /** Bytes waiting in one outbox above which it is full. */
  readonly highWaterMark: number
}

/** The owner of an outbox, which is told when it fills and when it has drained. */
export interface OutboxOwner {
  outboxFull(): void
  outboxFailed(thrown: unknown): void
  outboxDrained(): void
}

/** Outgoing bytes of one connection: everything sent within a turn becomes one write, or one for each packet where the stream wants that.
 *
 * There are two places for bytes. Frames that are sent on exactly as they came in are not copied: consecutive ones
 * stand side by side in the publisher's chunk and are one *run*, and a run that is all there is to send is written from
 * where it stands. Everything else is put in the outbox's *own* buffer; a run that is followed by something else is
 * copied there first, so the order is always: own buffer, then run. */
export class Outbox {
  readonly #stream: Duplex
  readonly #context: OutboxContext
  readonly #owner: OutboxOwner
  /** A plain socket has sent everything once `writableLength` is 0, so its buffer can be used again. This is not known of other streams. */
  readonly #reusable: boolean
  /** Undefined: the stream gets several packets in one write. */
  readonly #packets: PacketWrites | undefined

  #own: Buffer | undefined
  #ownLength = 0
  #runSource: Buffer | undefined
  #runStart = 0
  #runEnd = 0
  /** One of {@link Urgency}: its place in the flush queue. */
  #dirty: number = Urgency.none
  /** The stream asked to wait for its 'drain'. */
  #blocked = false
  /** Bytes to write after the 'drain', one buffer for each turn; undefined when there are none. */
  #waiting: Buffer[] | undefined
  #waitingBytes = 0
  #closed = false
  /** The outbox has exceeded the high-water mark and has not drained since. */
  full = false

  constructor(stream: Duplex, context: OutboxContext, owner: OutboxOwner) {
    this.#stream = stream
    this.#context = context
    this.#owner = owner
    this.#reusable = stream instanceof Socket && !('encrypted' in stream)
    this.#packets = wantsEachPacket(stream)
      ? new PacketWrites(stream, context.counters, packets => this.#packetWritten(packets))
      : undefined
  }

  /** Bytes that were not yet handed to the operating system. */
  get pending(): number {
    const written = this.#packets?.pending ?? this.#waitingBytes + this.#stream.writableLength
    return written + this.#ownLength + this.#runEnd - this.#runStart
  }

  /** More bytes are pending than the high-water mark, or than the stream's own mark if that is higher: below it the stream emits no
   * 'drain'. */
  get isOverfull(): boolean {
    return this.pending > Math.max(this.#context.highWaterMark, this.#streamMark)
  }

  get #streamMark(): number {
    return this.#packets === undefined ? this.#stream.writableHighWaterMark : 0
  }

  /** Sends `source[start, end)`, whole packets, without copying them now. The bytes must not change any more. */
  appendRun(source: Buffer, start: number, end: number): void {
    if (source === this.#runSource && start === this.#runEnd) {
      this.#runEnd = end
      return
    }
    if (this.#closed) return
    if (this.#runSource !== undefined) this.#endRun()
    this.#runSource = source
    this.#runStart = start
    this.#runEnd = end
    if (this.#dirty < this.#context.flushQueue.urgency) this.#markDirty()
  }

  /** Makes room for `size` bytes in `buffer` and returns their offset; the caller writes all of them. */
  reserve(size: number): number {
    if (this.#runSource !== undefined) this.#endRun()
    const start = this.#ownLength
    if (this.#own === undefined || start + size > this.#own.length) this.#grow(start + size)
    this.#ownLength = start + size
    if (this.#dirty < this.#context.flushQueue.urgency) this.#markDirty()
    return start
  }

  /** The buffer in which `reserve` has made room; valid until the next call. */
  get buffer(): Buffer {
    return this.#own as Buffer
  }

  /** Sends a copy of the bytes. */
  append(bytes: Uint8Array): void {
    const start = this.reserve(bytes.length)
    copyBytes(this.buffer, start, bytes, 0, bytes.length)
  }

  /** Like `flush`, but a stream that throws ends only its own connection. */
  flushSafely(): void {
    try {
      this.flush()
    } catch (error) {
      this.#owner.outboxFailed(error)
    }
  }

  /** Writes everything with one call, unless the stream waits for its 'drain' or gets each packet by itself. */
  flush(): void {
    this.#dirty = Urgency.none
    if (this.#closed) return
    const own = this.#own
    if (this.#ownLength > 0 && this.#runSource !== undefined) this.#settleRun()
    const bytes = this.#takeBytes()
    if (this.#packets !== undefined) return this.#flushPackets(this.#packets, bytes)
    if (bytes === undefined) return
    if (this.#blocked) {
      this.#wait(bytes)
      return
    }
    this.#context.counters.bytesSent += bytes.length
    // A run stands in a chunk that may hold much more, all of which it keeps in memory until the peer has taken what was written before.
    const isKept = own === undefined && this.#stream.writableLength > 0
    const goOn = this.#stream.write(isKept ? compact(bytes) : bytes)
    if (own !== undefined && this.#reusable && bytes.buffer === own.buffer && this.#stream.writableLength === 0) {
      this.#context.pool.give(own)
    }
    if (goOn) {
      // Everything fitted into one write, so there is no 'drain' to wait for.
      if (this.full) this.#watchRelief()
      return
    }
    this.#blocked = true
    this.#watchLevel()
  }

  /** The stream can take more ('drain'). */
  drained(): void {
    this.#blocked = false
    this.#writeWaiting()
    if (this.full) this.#watchRelief()
  }

  /** Marks the outbox as full, so that its owner is told when it has drained. */
  overfill(): void {
    if (this.full) return
    this.full = true
    this.#owner.outboxFull()
  }

  /** Writes what is pending and accepts nothing further. False: the stream was busy, so bytes are lost. */
  close(): boolean {
    const blocked = this.#packets?.isBlocked ?? this.#blocked
    if (!blocked) {
      this.flush()
      this.#packets?.finish()
    }
    this.#closed = true
    this.#own = undefined
    this.#ownLength = 0
    this.#waiting = undefined
    this.#waitingBytes = 0
    this.#dropRun()
    return !blocked
  }

  #flushPackets(packets: PacketWrites, bytes: Buffer | undefined): void {
    packets.beginTurn()
    if (bytes !== undefined) packets.add(bytes)
    packets.goOn()
    if (bytes !== undefined) packets.settle()
    this.#watchPackets(packets)
  }

  #packetWritten(packets: PacketWrites): void {
    if (this.#closed) return
    try {
      packets.goOn()
    } catch (error) {
      this.#owner.outboxFailed(error)
      return
    }
    this.#watchPackets(packets)
  }

  #watchPackets(packets: PacketWrites): void {
    if (packets.awaitsTurn && this.#dirty === Urgency.none) this.#markDirty()
    if (this.full) this.#watchRelief()
    else this.#watchLevel()
  }

  #markDirty(): void {
    const { flushQueue } = this.#context
    this.#dirty = flushQueue.urgency
    flushQueue.add(this)
  }

  #takeBytes(): Buffer | undefined {
    if (this.#ownLength > 0) {
      const bytes = (this.#own as Buffer).subarray(0, this.#ownLength)
      this.#own = undefined
      this.#ownLength = 0
      return bytes
    }
    if (this.#runSource === undefined) return undefined
    const bytes = this.#runSource.subarray(this.#runStart, this.#runEnd)
    this.#dropRun()
    return bytes
  }

  /** Keeps bytes until the stream has drained. */
  #wait(bytes: Buffer): void {
    this.#waiting ??= []
    this.#waiting.push(compact(bytes))
    this.#waitingBytes += bytes.length
    this.#watchLevel()
  }

  #writeWaiting(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#context.counters.bytesSent += this.#waitingBytes
    this.#waitingBytes = 0
    this.#stream.cork()
    for (const bytes of waiting) if (!this.#stream.write(bytes)) this.#blocked = true
    this.#stream.uncork()
  }

  #watchRelief(): void {
    if (this.pending > Math.max(this.#context.highWaterMark / 4, this.#streamMark)) return
    this.full = false
    this.#owner.outboxDrained()
  }

  #watchLevel(): void {
    if (this.isOverfull) this.overfill()
  }

  /** Other bytes follow the run. */
  #endRun(): void {
    if (this.#runEnd - this.#runStart < this.#context.flushQueue.leastRun) {
      this.#settleRun()
      return
    }
    const urgency = this.#dirty
    this.flushSafely()
    // It is still in the flush queue.
    this.#dirty = urgency
  }

  /** Copies the run behind the own bytes. */
  #settleRun(): void {
    const source = this.#runSource as Buffer
    const start = this.#ownLength
    const size = this.#runEnd - this.#runStart
    if (this.#own === undefined || start + size > this.#own.length) this.#grow(start + size)
    copyBytes(this.#own as unknown as Buffer, start, source, this.#runStart, this.#runEnd)
    this.#ownLength = start + size
    this.#dropRun()
  }

  #dropRun(): void {
    this.#runSource = undefined
    this.#runStart = 0
    this.#runEnd = 0
  }

  #grow(size: number): void {
    const grown = this.#context.pool.take(size)
    if (this.#own !== undefined) {
      copyBytes(grown, 0, this.#own, 0, this.#ownLength)
      this.#context.pool.give(this.#own)
    }
    this.#own = grown
  }
}
