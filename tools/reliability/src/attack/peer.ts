import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connect, pingreq } from '../wire/bytes.ts'
import type { ConnectFields } from '../wire/bytes.ts'
import { FrameCutter, packetType } from '../wire/frames.ts'
import type { Frame } from '../wire/frames.ts'
import { clientFrame, handshake, ServerFrames } from '../wire/websocket.ts'

export type Transport = 'tcp' | 'tls' | 'websocket'

/** The port of each transport. */
export type Ports = Readonly<Record<Transport, number>>

/** A raw connection of an attacker. */
export class Peer {
  readonly #socket: Socket
  readonly #transport: Transport
  readonly #packets = new FrameCutter()
  readonly #websocket: ServerFrames = new ServerFrames()
  readonly #counts = new Map<number, number>()
  #waiting: (() => void)[] = []
  #listening: ((frame: Frame) => void) | undefined
  closed = false

  private constructor(socket: Socket, transport: Transport) {
    this.#socket = socket
    this.#transport = transport
    // A reset is as good an end as any.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  static async open(port: number, transport: Transport = 'tcp'): Promise<Peer> {
    const where = { port, host: '127.0.0.1', noDelay: true }
    // Whose certificate it is does not matter to an attacker.
    const socket = transport === 'tls' ? connectTls({ ...where, rejectUnauthorized: false }) : connectSocket(where)
    const peer = new Peer(socket, transport)
    await Promise.race([once(socket, transport === 'tls' ? 'secureConnect' : 'connect'), once(socket, 'close')])
    if (transport === 'websocket') {
      socket.write(handshake)
      await once(socket, 'readable')
      while (!peer.#websocket.isOpen && !peer.closed) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) await Promise.race([once(socket, 'readable'), once(socket, 'close')])
        else peer.#receive(chunk)
      }
    }
    socket.on('data', chunk => peer.#receive(chunk))
    return peer
  }

  /** Says hello; false: refused. */
  async connect(fields: ConnectFields): Promise<boolean> {
    let code: number | undefined
    this.#listening = frame => {
      if (frame.type === packetType.connack) code = frame.body[1]
    }
    await this.write(connect(fields))
    await this.until(() => code !== undefined)
    this.#listening = undefined
    return code === 0
  }

  onFrame(take: (frame: Frame) => void): void {
    this.#listening = take
  }

  /** Resolves when the socket takes more. */
  async write(chunk: Buffer): Promise<void> {
    if (this.closed) return
    const sent = this.#transport === 'websocket' ? clientFrame(chunk) : chunk
    if (!this.#socket.write(sent)) await this.#drained()
  }

  /** Bytes of another layer, as they are. */
  async writeRaw(chunk: Buffer): Promise<void> {
    if (this.closed) return
    if (!this.#socket.write(chunk)) await this.#drained()
  }

  /** Packets of this type that have come. */
  count(type: number): number {
    return this.#counts.get(type) ?? 0
  }

  /** Resolves when it holds, or the connection has ended. */
  async until(holds: () => boolean): Promise<void> {
    while (!this.closed && !holds()) {
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve)
      })
    }
  }

  /** Resolves when the broker has dealt with everything sent before, or has ended the connection. */
  async settled(): Promise<void> {
    const before = this.count(packetType.pingresp)
    await this.write(pingreq)
    await this.until(() => this.count(packetType.pingresp) > before)
  }

  /** Reads nothing from here on. */
  freeze(): void {
    this.#socket.pause()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Resolves also when the connection has ended. */
  async #drained(): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        this.#socket.off('drain', done)
        this.#socket.off('close', done)
        resolve()
      }
      this.#socket.on('drain', done)
      this.#socket.on('close', done)
    })
  }

  #receive(chunk: Buffer): void {
    if (this.#transport === 'websocket') this.#websocket.push(chunk, payload => this.#receiveMqtt(payload))
    else this.#receiveMqtt(chunk)
  }

  #receiveMqtt(chunk: Buffer): void {
    this.#packets.push(chunk, frame => {
      this.#counts.set(frame.type, this.count(frame.type) + 1)
      this.#listening?.(frame)
    })
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
