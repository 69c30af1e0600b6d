import { createServer } from 'node:net'
import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { BrokerError, ReasonCode } from '@x/broker-core'
import type { Listener, ListenerAddress } from '@x/contract'
import { listenError } from './listen-error.ts'

export interface TcpOptions {
  /** 0: any free one. 1883 by default, MQTT's registered port. */
  port?: number
  /** Address or host name to bind; all addresses, IPv6 and IPv4, by default. */
  host?: string
  /** Connections the operating system keeps until they are accepted. Storms of 10 000 devices need more than Node's 511. */
  backlog?: number
}

const greatestPort = 65_535
const mqttPort = 1883
const defaultBacklog = 4096

/** MQTT on TCP. */
export class TcpListener implements Listener {
  readonly name: string
  readonly #options: TcpOptions & { readonly port: number; readonly backlog: number }
  /** Told what goes wrong once the address is had: a connection the operating system could not hand over. */
  readonly #report: (error: Error) => void
  #server: Server | undefined

  /** @throws BrokerError `OPTION_INVALID` for a port that is none */
  constructor(options: TcpOptions, report: (error: Error) => void) {
    const { port = mqttPort, backlog = defaultBacklog } = options
    if (!Number.isInteger(port) || port < 0 || port > greatestPort) {
      const message = `option port is ${port}, it must be a whole number from 0 to ${greatestPort}`
      throw new BrokerError('OPTION_INVALID', { message, reasonCode: ReasonCode.implementationSpecificError })
    }
    this.#options = { ...options, port, backlog }
    this.#report = report
    this.name = 'tcp'
  }

  listen(accept: (stream: Duplex) => void): Promise<ListenerAddress> {
    const { port, host, backlog } = this.#options
    // Half-open: a client may end its side and still be sent what it waits for; the broker ends connections itself.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
    this.#server = server
    return new Promise((resolve, reject) => {
      const refuse = (error: Error): void => reject(listenError(error, host, port))
      server.once('error', refuse)
      // Without a host Node takes all addresses, also where there is no IPv6.
      server.listen({ port, backlog, ...(host !== undefined && { host }) }, () => {
        server.off('error', refuse).on('error', this.#report)
        const address = server.address()
        const bound = typeof address === 'object' && address !== null ? address.port : port
        resolve({ url: `mqtt://${shownHost(host)}:${bound}`, host, port: bound })
      })
    })
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      // Connections stay open and would keep close() waiting; they are the broker's to end.
      this.#server?.close()
      resolve()
    })
  }
}

/** How a client on this machine would write the host. */
function shownHost(host: string | undefined): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}
