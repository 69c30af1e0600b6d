import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { clientFrame, handshake, ServerFrames } from '../wire/websocket.ts'

/** A peer's end of a connection. */
export interface Line {
  readonly closed: boolean
  send(chunk: Buffer): void
  /** Takes nothing any more. */
  freeze(): void
  thaw(): void
  end(): void
  destroy(): void
  /** Breaks, with an error where the transport has one. */
  fail(): void
}

/** In memory: what one side writes, the other has at once. */
export class MemoryLine implements Line {
  /** The broker's end. */
  readonly stream: Duplex
  #frozen = false
  #ended = false
  /** Writes that wait for {@link thaw}. */
  #held: (() => void)[] = []

  constructor(take: (chunk: Buffer) => void) {
    this.stream = new Duplex({
      writableHighWaterMark: 1024,
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) =>
        this.#whenThawed(() => {
          take(chunk)
          done()
        }),
      final: done =>
        this.#whenThawed(() => {
          done()
          // A peer that has read the end closes its own side.
          this.end()
        }),
    })
  }

  get closed(): boolean {
    return this.stream.destroyed
  }

  send(chunk: Buffer): void {
    if (!this.#ended && !this.closed) this.stream.push(chunk)
  }

  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    for (const go of this.#held.splice(0)) go()
  }

  end(): void {
    if (this.#ended || this.closed) return
    this.#ended = true
    this.stream.push(null)
  }

  destroy(): void {
    this.stream.destroy()
  }

  fail(): void {
    this.stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  #whenThawed(go: () => void): void {
    if (this.#frozen) this.#held.push(go)
    else go()
  }
}

/** A socket of the operating system, with a WebSocket on it or not. */
export class SocketLine implements Line {
  readonly #socket: Socket
  readonly #websocket: ServerFrames | undefined

  constructor(port: number, way: 'stream' | 'websocket', take: (chunk: Buffer) => void) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#websocket = way === 'websocket' ? new ServerFrames() : undefined
    if (this.#websocket !== undefined) this.#socket.write(handshake)
    // A reset is as good an end as any.
    this.#socket.on('error', () => undefined)
    this.#socket.on('data', chunk => {
      if (this.#websocket === undefined) take(chunk)
      else this.#websocket.push(chunk, take)
    })
  }

  get closed(): boolean {
    return this.#socket.destroyed
  }

  send(chunk: Buffer): void {
    if (this.#socket.writable) this.#socket.write(this.#websocket === undefined ? chunk : clientFrame(chunk))
  }

  freeze(): void {
    this.#socket.pause()
  }

  thaw(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  fail(): void {
    this.#socket.resetAndDestroy()
  }
}
