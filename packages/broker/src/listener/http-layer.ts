import { STATUS_CODES, createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketTransport } from '@x/transport-ws'
import type { Accept, WebSocketOptions } from '@x/transport-ws'
import { layerNames, layerOf } from './protocols.ts'
import { ConnectionRefused } from './refused.ts'

/** What the HTTP of a listener tells the listener. */
export interface HttpHost {
  /** An upgrade has come; what is thrown refuses it. */
  arrived(socket: Duplex, request: IncomingMessage): void
  readonly accept: Accept
  refused(error: Error, socket: Duplex): void
  /** What listens here, for people. */
  readonly about: string
}

const badRequest = 400
const headersTooLarge = 431
const errorStatuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: headersTooLarge }

/** HTTP on connections that are given to it: WebSockets, and a short page for those who look what is here. */
export class HttpLayer {
  readonly #host: HttpHost
  readonly #server: Server
  readonly #transport: WebSocketTransport

  /** @throws RangeError for options that cannot be obeyed */
  constructor(host: HttpHost, options: WebSocketOptions) {
    this.#host = host
    this.#transport = new WebSocketTransport(host.accept, {
      ...options,
      report: (error, request) => host.refused(error, request.socket),
    })
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      try {
        host.arrived(socket, request)
      } catch (error) {
        host.refused(error as Error, socket)
        return
      }
      this.#transport.handleUpgrade(request, socket, head)
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.#fail(error, socket))
  }

  serve(socket: Duplex): void {
    this.#server.emit('connection', socket)
  }

  close(): void {
    this.#transport.close()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const known = request.method === 'GET' || request.method === 'HEAD'
    const text = known ? this.#host.about : 'Only GET, HEAD and WebSocket upgrades are answered here.\n'
    response.writeHead(known ? 200 : 405, {
      Connection: 'close',
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      'X-Content-Type-Options': 'nosniff',
    })
    response.end(request.method === 'HEAD' ? undefined : text)
  }

  #fail(error: NodeJS.ErrnoException, socket: Duplex): void {
    // More bytes of what is refused already.
    if (socket.writableEnded) return
    const status = errorStatuses[error.code ?? ''] ?? badRequest
    if (socket.writable && error.code !== 'ECONNRESET') {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`)
    }
    this.#host.refused(new ConnectionRefused('HTTP_INVALID', `HTTP: ${problemOf(error)}`, error), socket)
  }
}

/** Node's words, or what came instead of HTTP where its first byte shows that. */
function problemOf(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): string {
  const first = error.code === 'HPE_INVALID_METHOD' ? error.rawPacket?.[0] : undefined
  const spoken = first === undefined ? undefined : layerOf(first)
  return spoken === undefined || spoken === 'http' ? error.message : `${layerNames[spoken]} came where HTTP is spoken`
}
