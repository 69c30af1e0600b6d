import { once } from 'node:events'
import { createServer } from 'node:net'
import type { ListenOptions as NodeListenOptions, Server, Socket } from 'node:net'
import type { ListenerAddress } from '@x/contract'
import { bracketed, listenError } from './listen-error.ts'
import type { CheckedListenOptions } from './listen-options.ts'
import { removeStaleSocket } from './stale-socket.ts'

/** What happens at the addresses of a listener. */
interface ServerEvents {
  accept(socket: Socket): void
  /** Told what goes wrong once the address is had. */
  failed(error: Error): void
}

/** The servers at the addresses of one listener. */
export class BoundServers {
  readonly #options: CheckedListenOptions
  readonly #events: ServerEvents
  readonly #servers: Server[] = []

  constructor(options: CheckedListenOptions, events: ServerEvents) {
    this.#options = options
    this.#events = events
  }

  /** Begins to accept, at all addresses or none. Returns the addresses.
   * @throws ListenError */
  async listen(): Promise<readonly ListenerAddress[]> {
    const addresses: ListenerAddress[] = []
    try {
      for (const host of this.#options.hosts) {
        // The port that was found free for the first address serves all.
        addresses.push(await this.#listenAt(host, addresses[0]?.port ?? this.#options.port))
      }
    } catch (error) {
      this.close()
      throw error
    }
    return addresses
  }

  /** Accepts no more. Idempotent. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
  }

  async #listenAt(host: string | undefined, port: number): Promise<ListenerAddress> {
    const { socketPath, backlog } = this.#options
    // Half-open: a client may end its side and still be sent what it waits for; the broker ends connections itself.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#events.accept(socket))
    this.#servers.push(server)
    const place: NodeListenOptions =
      socketPath === undefined
        ? // Without a host Node takes all addresses, also where there is no IPv6.
          { port, backlog, ...(host !== undefined && { host }) }
        : { path: socketPath, backlog }
    if (socketPath !== undefined) await removeStaleSocket(socketPath)
    server.listen(place)
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(error as Error, { host, port, socketPath })
    }
    server.on('error', error => this.#events.failed(error))
    return this.#addressOf(server, host)
  }

  #addressOf(server: Server, host: string | undefined): ListenerAddress {
    const [scheme] = this.#options.protocols
    const address = server.address()
    if (typeof address === 'string' || address === null) {
      return { url: `${scheme}+unix://${this.#options.socketPath}`, host: undefined, port: undefined }
    }
    const { path } = this.#options
    const suffix = scheme === 'ws' || scheme === 'wss' ? ([path ?? '/mqtt'].flat()[0] ?? '') : ''
    return { url: `${scheme}://${shownHost(host)}:${address.port}${suffix}`, host, port: address.port }
  }
}

/** How a client on this machine would write the host. */
function shownHost(host: string | undefined): string {
  return host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : bracketed(host)
}
