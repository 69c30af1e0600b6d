import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { checkOptions } from './options.ts'
import type { CheckedOptions, WebSocketOptions } from './options.ts'
import { PacketFrames } from './packet-frames.ts'
import { PacketWriter } from './packet-writer.ts'
import { TurnReading } from './turn-reading.ts'
import { WebSocketError } from './websocket-error.ts'
import { UnfinishedMessages } from './unfinished-messages.ts'
import { WebSocketStream, limitBytesBeforeConnect } from './websocket-stream.ts'

/** Takes the stream of a new client: `broker.handle`, for one. What it returns tells when the client's CONNECT was accepted. */
export type Accept = (stream: Duplex, request: IncomingMessage) => { readonly connected?: boolean } | void

/** As MQTT 5.0 and 3.1.1 have it ([MQTT5-6.0.0-3]), and as clients of 3.1 do. The first that a client offers is chosen. */
const subprotocols = ['mqtt', 'mqttv3.1']
/** A name that some clients made up. */
const laxSubprotocols = [...subprotocols, 'mqttv3.1.1']

/** MQTT over WebSocket on any HTTP server. MQTT 5.0 §6 */
export class WebSocketTransport {
  readonly #accept: Accept
  readonly #options: CheckedOptions
  readonly #server: WebSocketServer
  readonly #attached = new Set<() => void>()
  readonly #frames = new PacketFrames()
  readonly #unfinished: UnfinishedMessages
  readonly #reading = new TurnReading()
  readonly #subprotocols: readonly string[]
  #closed = false

  /** @throws RangeError naming the option, its value and what it may be */
  constructor(accept: Accept, options: WebSocketOptions = {}) {
    this.#accept = accept
    this.#options = checkOptions(options)
    this.#unfinished = new UnfinishedMessages(this.#options.maximumUnfinishedBytes)
    const { maximumPayload, perMessageDeflate, closeTimeout, strictSubprotocol } = this.#options
    this.#subprotocols = strictSubprotocol ? subprotocols : laxSubprotocols
    const settings = {
      noServer: true,
      clientTracking: false,
      maxPayload: maximumPayload,
      perMessageDeflate,
      closeTimeout,
      handleProtocols: (offered: ReadonlySet<string>) => this.#subprotocols.find(name => offered.has(name)) ?? false,
    }
    this.#server = new WebSocketServer(settings)
    this.#server.on('wsClientError', (cause: Error, socket: Duplex, request: IncomingMessage) => {
      this.#refuse(
        request,
        socket,
        new WebSocketError('NOT_A_WEBSOCKET', { message: cause.message, status: 400, cause }),
      )
    })
  }

  /** Serves the server's upgrades, those to other paths excepted when somebody else listens for upgrades as well. Answers
   * how to take it off again. */
  attach(server: Server): () => void {
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (!this.#isOurs(request) && server.listenerCount('upgrade') > 1) return
      this.handleUpgrade(request, socket, head)
    }
    server.on('upgrade', upgrade)
    const detach = (): void => {
      server.off('upgrade', upgrade)
      this.#attached.delete(detach)
    }
    this.#attached.add(detach)
    return detach
  }

  /** What an HTTP server's `upgrade` event brings. Bound, so that it can be passed on as it is. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const problem = this.#problemOf(request)
    if (problem !== undefined) {
      this.#refuse(request, socket, problem)
      return
    }
    this.#server.handleUpgrade(request, socket, head, webSocket => {
      const packets =
        this.#options.packetsPerFrame === 'one'
          ? new PacketWriter(webSocket, socket as Socket, this.#frames)
          : undefined
      const stream = new WebSocketStream(webSocket, socket as Socket, { packets, reading: this.#reading })
      this.#unfinished.watch(stream, socket)
      socket.on('data', (chunk: Buffer) => this.#reading.read(stream, chunk.length))
      webSocket.on('message', () => this.#unfinished.completed(stream))
      for (const kind of ['ping', 'pong'] as const)
        webSocket.on(kind, data => this.#unfinished.passed(stream, data.length))
      const client = this.#accept(stream, request) ?? undefined
      if (client === undefined || typeof client.connected !== 'boolean') return
      limitBytesBeforeConnect(stream, () => client.connected === true, this.#options.maximumBytesBeforeConnect)
    })
  }

  /** Accepts no more. WebSockets that are open stay open: they are the broker's to end. Idempotent. */
  close(): void {
    this.#closed = true
    for (const detach of this.#attached) detach()
  }

  #isOurs(request: IncomingMessage): boolean {
    const { paths } = this.#options
    return paths === undefined || paths.has(pathOf(request))
  }

  #problemOf(request: IncomingMessage): WebSocketError | undefined {
    const { origins } = this.#options
    const { origin } = request.headers
    if (this.#closed) return new WebSocketError('TRANSPORT_CLOSED', { message: 'the broker is closing', status: 503 })
    if (!this.#isOurs(request)) {
      return new WebSocketError('PATH_UNKNOWN', {
        message: `no MQTT at ${JSON.stringify(pathOf(request))}`,
        status: 404,
      })
    }
    if (origins !== undefined && origin !== undefined && !origins.has(origin)) {
      const message = `pages of ${JSON.stringify(origin)} may not connect`
      return new WebSocketError('ORIGIN_NOT_ALLOWED', { message, status: 403 })
    }
    const offered = request.headers['sec-websocket-protocol']
    if (this.#isAcceptable(offered)) return undefined
    const message = `subprotocol ${offered === undefined ? 'missing' : JSON.stringify(offered)}, it must be ${this.#subprotocols.join(' or ')}`
    return new WebSocketError('SUBPROTOCOL_UNKNOWN', { message, status: 400 })
  }

  #isAcceptable(offered: string | undefined): boolean {
    if (offered === undefined) return !this.#options.strictSubprotocol
    return offered.split(',').some(name => this.#subprotocols.includes(name.trim()))
  }

  #refuse(request: IncomingMessage, socket: Duplex, error: WebSocketError): void {
    const { status = 400, message } = error
    // The HTTP server has let go of the socket: nobody else listens.
    socket.on('error', ignore)
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(message) + 1}`,
      ...(status === 400 ? ['Sec-WebSocket-Version: 13'] : []),
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${message}\n`, () => socket.destroy())
    this.#options.report(error, request)
  }
}

function ignore(): void {}

function pathOf(request: IncomingMessage): string {
  const [path = '/'] = (request.url ?? '/').split('?')
  return path
}
