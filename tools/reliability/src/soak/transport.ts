import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { FrameCutter, packetType } from '../wire/frames.ts'
import { clientFrame, handshake, ServerFrames } from '../wire/websocket.ts'

export const transports = ['tcp', 'tls', 'ws', 'wss'] as const
export type TransportName = (typeof transports)[number]

/** How to reach the broker by each transport. */
export interface Ways {
  readonly ports: Readonly<Record<TransportName, number>>
  readonly ca: string
}

/** What went one way. */
export class Traffic {
  bytes = 0
  packets = 0
  publishes = 0
  readonly #cutter = new FrameCutter()

  count(chunk: Buffer): void {
    this.bytes += chunk.length
    this.#cutter.push(chunk, ({ type }) => {
      this.packets += 1
      if (type === packetType.publish) this.publishes += 1
    })
  }
}

/** A connection as MQTT sees it: its bytes are MQTT's, whatever carries them. */
export class MqttStream extends Duplex {
  readonly sent: Traffic = new Traffic()
  readonly received: Traffic = new Traffic()
  readonly #socket: Socket
  readonly #frames: ServerFrames | undefined

  constructor(name: TransportName, { ports, ca }: Ways) {
    super()
    const where = { port: ports[name], host: '127.0.0.1' }
    this.#socket =
      name === 'tls' || name === 'wss' ? connectTls({ ...where, ca }) : connectSocket({ ...where, noDelay: true })
    this.#frames = name === 'ws' || name === 'wss' ? new ServerFrames() : undefined
    if (this.#frames !== undefined) this.#socket.write(handshake)
    this.#socket.on('data', chunk => this.#receive(chunk))
    this.#socket.on('end', () => this.push(null))
    this.#socket.on('error', error => this.destroy(error))
    this.#socket.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.sent.count(chunk)
    this.#socket.write(this.#frames === undefined ? chunk : clientFrame(chunk), done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #receive(chunk: Buffer): void {
    if (this.#frames === undefined) this.#take(chunk)
    else this.#frames.push(chunk, payload => this.#take(payload))
  }

  #take(chunk: Buffer): void {
    this.received.count(chunk)
    if (!this.push(chunk)) this.#socket.pause()
  }
}
