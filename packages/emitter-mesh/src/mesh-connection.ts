import type { Socket } from 'node:net'
import { headBytes } from './mesh-frame.ts'
import type { Frame } from './mesh-frame.ts'
import { invalid, MeshError } from './mesh-error.ts'
import type { TurnEnd } from './turn-end.ts'

/** Bytes of a frame before both sides know each other. */
const strangersFrame = 4096
/** Bytes of a frame: all messages of a turn up to 256 KiB, and the largest that MQTT has. */
const longestFrame = 2 ** 28 + 2 ** 20
/** ms without a byte after which the system asks whether the other side is there. */
const keepAliveDelay = 10_000
/** ms that what one peer sends may take of a turn. */
const share = 5
/** Bytes up to which what a turn has is copied together for one write. */
const copiedBytes = 16 * 1024

/** Who reads the frames of a connection. */
export interface ConnectionOwner {
  /** A frame; what it throws ends the connection. Its bytes are a view of what was read. */
  frame(frame: Frame): void
  /** The connection has ended, for that reason if there is one. Called once. */
  ended(error: Error | undefined): void
}

/** One connection to a peer: frames in, and frames out, those of one turn in one write. */
export class MeshConnection {
  readonly #socket: Socket
  readonly #turn: TurnEnd
  #owner: ConnectionOwner
  #limit = strangersFrame
  /** Read, and not yet a frame. */
  #chunks: Buffer[] = []
  #bytes = 0
  #out: Buffer[] = []
  #outBytes = 0
  #error: Error | undefined
  /** `handling`: {@link #next} is at it; `waiting`: it goes on in the next turn; `paused`: when somebody says so. */
  #reading: 'idle' | 'handling' | 'waiting' = 'idle'
  #paused = false
  #ended = false

  constructor(socket: Socket, turn: TurnEnd, owner: ConnectionOwner) {
    this.#socket = socket
    this.#turn = turn
    this.#owner = owner
    socket.setNoDelay(true)
    // A link may carry nothing for hours while its counterpart is busy, and what lies between the machines forgets connections that rest.
    socket.setKeepAlive(true, keepAliveDelay)
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', error => void (this.#error ??= error))
    socket.on('close', () => this.#close())
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#socket.destroyed
  }

  /** Bytes that the other side has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#outBytes
  }

  /** Both sides know each other now. */
  handOver(owner: ConnectionOwner): void {
    this.#owner = owner
    this.#limit = longestFrame
  }

  /** At the end of this turn. */
  send(frame: Buffer): void {
    if (this.#out.length === 0) this.#turn.flushes(this)
    this.#out.push(frame)
    this.#outBytes += frame.length
  }

  flush(): void {
    const [out, bytes] = [this.#out, this.#outBytes]
    this.#out = []
    this.#outBytes = 0
    if (out.length === 0 || !this.isOpen) return
    if (bytes <= copiedBytes) {
      this.#socket.write(out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out, bytes))
      return
    }
    this.#socket.cork()
    for (const frame of out) this.#socket.write(frame)
    this.#socket.uncork()
  }

  /** Nothing more is read before `resume`. */
  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#goOn()
  }

  /** Sends what is there, and ends. What comes is heard no more. */
  end(): void {
    this.flush()
    this.#owner = deaf
    this.#socket.end()
    // The other side may never end its half.
    setTimeout(() => this.#socket.destroy(), 1000).unref()
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#reading === 'idle' && !this.#paused) this.#handle()
  }

  /** In the next turn, since it is called from anywhere. */
  #goOn(): void {
    if (this.#reading === 'waiting') return
    this.#reading = 'waiting'
    setImmediate(() => this.#handle())
  }

  /** Handles what is read, as far as this turn goes. */
  #handle(): void {
    this.#reading = 'handling'
    const until = performance.now() + share
    try {
      for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
        this.#owner.frame(frame)
        if (this.#ended || this.#paused || performance.now() >= until) break
      }
    } catch (error) {
      this.destroy(error instanceof MeshError ? error : invalid(`a frame can't be read: ${String(error)}`))
    }
    this.#reading = 'idle'
    if (this.#ended || this.#paused) return
    if (this.#hasFrame) {
      this.#socket.pause()
      this.#goOn()
    } else this.#socket.resume()
  }

  get #hasFrame(): boolean {
    return this.#bytes >= headBytes && this.#bytes >= 4 + this.#length()
  }

  /** Of the frame that comes next, as it says. */
  #length(): number {
    if ((this.#chunks[0] as Buffer).length < headBytes) this.#join()
    return (this.#chunks[0] as Buffer).readUInt32BE(0)
  }

  /** @throws MeshError `PEER_INVALID` */
  #next(): Frame | undefined {
    if (this.#bytes < headBytes) return undefined
    const length = this.#length()
    if (length < 1 || length > this.#limit) throw invalid(`a frame of ${length} bytes exceeds ${this.#limit}`)
    const size = 4 + length
    if (this.#bytes < size) return undefined
    if ((this.#chunks[0] as Buffer).length < size) this.#join()
    const chunk = this.#chunks[0] as Buffer
    if (chunk.length === size) this.#chunks.shift()
    else this.#chunks[0] = chunk.subarray(size)
    this.#bytes -= size
    return { type: chunk[4] as number, body: chunk.subarray(headBytes, size) }
  }

  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks, this.#bytes)]
  }

  #close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#chunks = []
    this.#out = []
    this.#owner.ended(this.#error)
  }
}

const deaf: ConnectionOwner = { frame: () => undefined, ended: () => undefined }
