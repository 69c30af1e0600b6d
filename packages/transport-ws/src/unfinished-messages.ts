import type { Duplex } from 'node:stream'
import type { WebSocketStream } from './websocket-stream.ts'
import { WebSocketError } from './websocket-error.ts'

const messageTooBig = 1009
/** Bytes of a client's frame besides what a ping or pong holds: header and mask. */
const controlFrame = 6

/** What all WebSockets of one transport hold of messages that have begun and not ended. Such a message lies in memory until its last byte
 * has come, and none of it reaches the broker before. */
export class UnfinishedMessages {
  readonly #limit: number
  /** By stream, bytes that have come since its last message. */
  readonly #held = new Map<WebSocketStream, number>()
  #bytes = 0

  /** @param limit bytes of all together */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts what comes on the stream's socket. Ends the one that holds most when all together exceed the limit. */
  watch(stream: WebSocketStream, socket: Duplex): void {
    this.#held.set(stream, 0)
    // Before the message that a chunk completes, which takes the chunk along; what is left is looked at afterwards.
    socket.prependListener('data', (chunk: Buffer) => this.#add(stream, chunk.length))
    socket.on('data', () => {
      if (this.#bytes > this.#limit) this.#endGreatest()
    })
    stream.once('close', () => {
      this.#finish(stream)
      this.#held.delete(stream)
    })
  }

  /** A message is complete. */
  completed(stream: WebSocketStream): void {
    this.#finish(stream)
  }

  /** A ping or pong, which may come within a message, is nothing that stays. */
  passed(stream: WebSocketStream, length: number): void {
    this.#add(stream, -Math.min(length + controlFrame, this.#held.get(stream) ?? 0))
  }

  #finish(stream: WebSocketStream): void {
    this.#add(stream, -(this.#held.get(stream) ?? 0))
  }

  #add(stream: WebSocketStream, bytes: number): void {
    const held = this.#held.get(stream)
    if (held === undefined) return
    this.#held.set(stream, held + bytes)
    this.#bytes += bytes
  }

  #endGreatest(): void {
    let [greatest, most] = [undefined as WebSocketStream | undefined, 0]
    for (const [stream, held] of this.#held) {
      if (held > most) [greatest, most] = [stream, held]
    }
    if (greatest === undefined) return
    const all = this.#bytes
    this.#finish(greatest)
    this.#held.delete(greatest)
    greatest.fail(
      new WebSocketError('UNFINISHED_BYTES_EXCEEDED', {
        message: `unfinished messages of all WebSockets hold ${all} bytes, the limit maximumUnfinishedBytes is ${this.#limit}; this one holds most`,
        closeCode: messageTooBig,
      }),
    )
  }
}
