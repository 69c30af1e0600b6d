import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createBroker } from '@x/broker'
import type { Broker, Client } from '@x/broker'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { WebSocketTransport } from '../src/index.ts'
import type { WebSocketError, WebSocketOptions } from '../src/index.ts'

/** A broker behind a WebSocketTransport on an HTTP server of its own. */
export interface Served {
  readonly broker: Broker
  readonly server: Server
  readonly transport: WebSocketTransport
  readonly port: number
  readonly url: string
  /** Upgrades that were refused. */
  readonly refusals: { readonly error: WebSocketError; readonly request: IncomingMessage }[]
  /** Errors that ended clients. */
  readonly errors: Error[]
}

export async function serve(options: WebSocketOptions = {}, brokerOptions = {}): Promise<Served> {
  const broker = createBroker(brokerOptions)
  const errors: Error[] = []
  broker.on('clientError', (_client: Client, error: Error) => errors.push(error))
  broker.on('connectionError', (_client: Client, error: Error) => errors.push(error))
  const refusals: Served['refusals'] = []
  const report = (error: WebSocketError, refused: IncomingMessage): void => {
    refusals.push({ error, request: refused })
  }
  const transport = new WebSocketTransport(broker.handle, { report, ...options })
  const server = createServer((_request, response) => response.end('a page'))
  transport.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onTestFinished(async () => {
    await broker.close()
    server.closeAllConnections()
    server.close()
  })
  return { broker, server, transport, port, url: `ws://127.0.0.1:${port}`, refusals, errors }
}

/** A WebSocket whose frames the test makes itself. */
export async function openWebSocket(
  url: string,
  protocols: string | string[] = 'mqtt',
  options = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, options)
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

/** The bytes that come, as many as asked for. */
export function receive(socket: WebSocket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('message', (data: Buffer) => {
      received = Buffer.concat([received, data])
      if (received.length >= bytes) resolve(received)
    })
    socket.once('close', code => reject(new Error(`closed with ${code} after ${received.length} bytes`)))
  })
}

export async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, 'close')) as [number]
  return code
}

/** An HTTP request written by hand, and the status line and body of the answer. */
export async function request(port: number, lines: readonly string[]): Promise<{ status: string; body: string }> {
  const socket = rawSocket(port)
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: head.split('\r\n')[0] ?? '', body }
}

export function rawSocket(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

export function upgradeLines(path: string, headers: Readonly<Record<string, string>> = {}): string[] {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  return [`GET ${path} HTTP/1.1`, ...Object.entries(all).map(([name, value]) => `${name}: ${value}`)]
}

/** CONNECT of MQTT 3.1.1, clean session, keep alive 60 s. */
export function connectFrame(id: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x10, 12 + id.length, 0, 4]),
    Buffer.from('MQTT'),
    Buffer.from([4, 2, 0, 60, 0, id.length]),
    Buffer.from(id),
  ])
}

export const connackFrame: Buffer = Buffer.from([0x20, 2, 0, 0])
