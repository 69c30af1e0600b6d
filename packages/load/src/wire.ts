import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocketFrames, maskedFrame, upgradeRequest } from './websocket-frames.ts'

/** What carries MQTT's bytes; undefined: TCP alone. */
export type Transport = 'tls' | 'ws'

/** Where a connection goes. */
export interface Place {
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  readonly port: number
  readonly transport?: Transport | undefined
}

/** A connection that carries MQTT's bytes. */
export interface Wire {
  readonly socket: Socket
  /** False asks to wait for the socket's `drain`. */
  write(bytes: Buffer): boolean
}

/** Who reads and writes there. */
export interface WireUser {
  /** Bytes of MQTT, `bytes[0, length)`, valid during the call only. */
  read(bytes: Uint8Array, length: number): void
  failed(error: Error): void
  closed(): void
}

/** Read by every plain socket in turn: its content is consumed within the read callback. */
const readBuffer = Buffer.allocUnsafeSlow(262_144)
const loopback = '127.0.0.1'

/** Connects; what is written before it is connected waits. */
export function openWire(place: Place, user: WireUser): Wire {
  const { transport, host = loopback } = place
  const socket = openSocket(place, user)
  socket.setNoDelay(true)
  socket.on('error', error => user.failed(error))
  socket.on('close', () => user.closed())
  if (transport !== 'ws') {
    if (transport === 'tls') socket.on('data', (chunk: Buffer) => user.read(chunk, chunk.length))
    return { socket, write: bytes => socket.write(bytes) }
  }
  socket.write(upgradeRequest(host))
  const frames = new WebSocketFrames((bytes, length) => user.read(bytes, length))
  socket.on('data', (chunk: Buffer) => frames.feed(chunk))
  return { socket, write: bytes => socket.write(maskedFrame(bytes)) }
}

function openSocket({ transport, host = loopback, port }: Place, user: WireUser): Socket {
  if (transport === 'tls') return connectTls({ port, host, rejectUnauthorized: false })
  if (transport === 'ws') return connect({ port, host })
  const callback = (length: number): boolean => {
    user.read(readBuffer, length)
    return true
  }
  return connect({ port, host, onread: { buffer: readBuffer, callback } })
}
