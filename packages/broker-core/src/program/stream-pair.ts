import { Duplex } from 'node:stream'

/** One end of a pair: what is written to it is read from the other one. */
class StreamEnd extends Duplex {
  other: StreamEnd | undefined
  /** The other end has no room: called when it reads again. */
  #written: (() => void) | undefined

  constructor() {
    // As a socket: the end of one direction is that of both.
    super({ allowHalfOpen: false })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    const { other } = this
    if (other === undefined || other.push(chunk)) return written()
    this.#written = written
  }

  override _read(): void {
    this.other?.resumeWriting()
  }

  resumeWriting(): void {
    const written = this.#written
    this.#written = undefined
    // In a turn of its own: the chunk that made room has not been dealt with yet.
    if (written !== undefined) process.nextTick(written)
  }

  override _final(done: () => void): void {
    this.other?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this
    this.other = undefined
    // As with a socket, the other side reads what is under way and then the end, and is not told why.
    if (other !== undefined && !other.destroyed) other.push(null)
    this.resumeWriting()
    done(error)
  }
}

/** Two streams that are the ends of one connection within the process, with back-pressure like a socket's. */
export function streamPair(): [Duplex, Duplex] {
  const first = new StreamEnd()
  const second = new StreamEnd()
  first.other = second
  second.other = first
  return [first, second]
}
