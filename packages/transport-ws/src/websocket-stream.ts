import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { PacketWriter } from './packet-writer.ts'
import type { TurnReading } from './turn-reading.ts'
import { WebSocketError } from './websocket-error.ts'

/** RFC 6455 §7.4.1 */
const normalClosure = 1000
const unsupportedData = 1003
const messageTooBig = 1009
const protocolError = 1002

/** What may wait for a slow reader, in bytes: one read of a socket. */
const highWaterMark = 65_536

const isOpen = 1

/** Frames of one WebSocket in a turn of the event loop: a socket is read 32 times in a turn, which could bring 350 000 empty ones that
 * keep everybody waiting for a third of a second. What is left of a read that was begun comes on top. */
const framesPerTurn = 1024

/** The bytes of one WebSocket as a stream. Clients may split and merge packets over messages as they like ([MQTT5-6.0.0-2]); with a
 * `PacketWriter` they get each packet in a message of its own, without one what is written in one piece. */
export class WebSocketStream extends Duplex {
  /** What the WebSocket runs on: a TLSSocket for wss. */
  readonly socket: Socket
  readonly #webSocket: WebSocket
  /** That came in this turn of the event loop. */
  #frames = 0
  /** It has had its share of this turn. */
  #rests = false
  /** More bytes are wanted. */
  #isWanted = true
  readonly #packets: PacketWriter | undefined
  readonly #reading: TurnReading

  constructor(
    webSocket: WebSocket,
    socket: Socket,
    { packets, reading }: { readonly packets: PacketWriter | undefined; readonly reading: TurnReading },
  ) {
    super({ highWaterMark })
    this.#webSocket = webSocket
    this.#packets = packets
    this.#reading = reading
    this.socket = socket
    webSocket.on('ping', () => this.#count())
    webSocket.on('pong', () => this.#count())
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    webSocket.on('error', (cause: Error) => this.destroy(frameError(cause)))
    webSocket.on('close', () => this.#closed())
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort
  }

  /** Ends the WebSocket with a close code, and the stream with the error. */
  fail(error: WebSocketError): void {
    if (this.destroyed) return
    this.#webSocket.close(error.closeCode)
    // A message that never ends would be collected until the peer has answered the close frame. Nothing of it is of use: it is read,
    // so that the peer gets the frame, and thrown away.
    this.socket.removeAllListeners('data')
    this.socket.end()
    this.socket.resume()
    this.destroy(error)
  }

  override _read(): void {
    this.#isWanted = true
    if (!this.#rests) this.#webSocket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // A callback with an error means that the socket is gone; 'close' follows, and tells it once.
    const written = (): void => done()
    if (this.#packets === undefined) this.#webSocket.send(chunk, written)
    else this.#packets.write(chunk, written)
  }

  override _final(done: () => void): void {
    if (this.#webSocket.readyState > isOpen) {
      done()
      return
    }
    this.#packets?.finish()
    this.#webSocket.once('close', () => done())
    this.#webSocket.close(normalClosure)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // With a close frame on its way, the WebSocket waits for the peer's and then ends by itself.
    if (this.#webSocket.readyState <= isOpen) this.#webSocket.terminate()
    // Its close frame must be read.
    else this.#webSocket.resume()
    done(error)
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.destroyed || this.readableEnded) return
    if (!isBinary) {
      // [MQTT5-6.0.0-1]
      const message = 'text frame: MQTT travels in binary ones'
      this.fail(new WebSocketError('TEXT_FRAME', { message, closeCode: unsupportedData }))
      return
    }
    this.#count()
    if (data.length === 0 || this.push(data)) return
    this.#isWanted = false
    this.#webSocket.pause()
  }

  /** Counts a frame. */
  #count(): void {
    this.#frames += 1
    if (this.#frames === 1) setImmediate(endTurn, this)
    if (this.#frames >= framesPerTurn && !this.#rests) this.#reading.putOff(this)
  }

  /** Another turn of the event loop: others have been served. */
  endTurn(): void {
    this.#frames = 0
  }

  /** Reads nothing until {@link endRest}. */
  rest(): void {
    if (this.destroyed) return
    this.#rests = true
    this.#webSocket.pause()
  }

  endRest(): void {
    this.#rests = false
    if (this.#isWanted && !this.destroyed) this.#webSocket.resume()
  }

  #closed(): void {
    if (this.destroyed) return
    this.push(null)
  }
}

function endTurn(stream: WebSocketStream): void {
  stream.endTurn()
}

/** What `ws` found wrong, and has answered with a close frame already. */
function frameError(cause: Error): WebSocketError {
  const tooLarge = 'code' in cause && cause.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
  return new WebSocketError(tooLarge ? 'PAYLOAD_TOO_LARGE' : 'FRAME_INVALID', {
    message: tooLarge ? 'WebSocket message longer than maximumPayload' : `WebSocket frame: ${cause.message}`,
    closeCode: tooLarge ? messageTooBig : protocolError,
    cause,
  })
}

/** Ends a stream that brings more than it may before its client is known. */
export function limitBytesBeforeConnect(stream: WebSocketStream, isConnected: () => boolean, limit: number): void {
  const { socket } = stream
  let received = 0
  const count = (chunk: Buffer): void => {
    if (isConnected()) {
      socket.off('data', count)
      return
    }
    received += chunk.length
    if (received <= limit) return
    socket.off('data', count)
    stream.fail(
      new WebSocketError('TOO_MUCH_BEFORE_CONNECT', {
        message: `${received} bytes before CONNECT was accepted, the limit is ${limit}`,
        closeCode: messageTooBig,
      }),
    )
  }
  socket.on('data', count)
}
