import { randomBytes } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { WebSocketTransport } from '@x/transport-ws'
import { openBroker } from './host.ts'
import type { AdminHost } from './host.ts'
import { Problem } from './problem.ts'

/** ms that a ticket is good for. */
const lifetime = 30_000
const maximumTickets = 1000
/** Bytes: a page publishes what people type. */
const maximumPayload = 1_048_576

/** MQTT over WebSocket for dashboards, at `/mqtt`. A browser can't send a key with a WebSocket: it buys a ticket with its key, which is good
 * once. */
export class PageSocket {
  readonly #host: AdminHost
  readonly #transport: WebSocketTransport
  /** With the time until which each is good. */
  readonly #tickets = new Map<string, number>()

  constructor(host: AdminHost) {
    this.#host = host
    this.#transport = new WebSocketTransport(stream => this.#serve(stream), { path: '/mqtt', maximumPayload })
  }

  sellTicket(): string {
    const now = performance.now()
    for (const [ticket, until] of this.#tickets) {
      if (until > now && this.#tickets.size < maximumTickets) break
      this.#tickets.delete(ticket)
    }
    const ticket = randomBytes(24).toString('base64url')
    this.#tickets.set(ticket, now + lifetime)
    return ticket
  }

  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      const [path = '', query = ''] = (request.url ?? '').split('?', 2)
      const isFit = path === '/mqtt' && isOwnOrigin(request)
      if (isFit && this.#take(new URLSearchParams(query).get('ticket') ?? '')) {
        this.#transport.handleUpgrade(request, socket, head)
      } else socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    })
  }

  #take(ticket: string): boolean {
    const until = this.#tickets.get(ticket) ?? 0
    this.#tickets.delete(ticket)
    return until > performance.now()
  }

  #serve(stream: Duplex): void {
    try {
      const local = openBroker(this.#host).openLocalStream('dashboard')
      // Whatever ends one end ends both.
      pipeline(stream, local, stream, () => undefined)
    } catch (error) {
      stream.destroy(error instanceof Problem ? undefined : (error as Error))
    }
  }
}

/** Pages of other origins can't have a ticket; this keeps them from trying. */
function isOwnOrigin({ headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}
