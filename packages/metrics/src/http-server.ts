import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MetricsError } from './metrics-error.ts'

/** Where metrics are served. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** A monitoring system opens few connections; those of a flood are closed at once. */
const maximumConnections = 64
/** ms for a request and its headers, so that nobody keeps a connection by being slow. */
const requestTimeout = 10_000
const maximumHeaderBytes = 8192

/** Opens the port on which metrics and health are asked for.
 * @throws MetricsError `METRICS_LISTEN_FAILED` with the address and the reason */
export async function openServer(
  address: ListenAddress,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(
    { requestTimeout, headersTimeout: requestTimeout, maxHeaderSize: maximumHeaderBytes },
    handle,
  )
  server.maxConnections = maximumConnections
  await listening(server, address)
  const { port } = server.address() as AddressInfo
  const host = shownHost(address.host)
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function shownHost(host: string): string {
  if (host === '*') return '0.0.0.0'
  return host.includes(':') ? `[${host}]` : host
}

function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause =>
      reject(
        new MetricsError('METRICS_LISTEN_FAILED', `metrics can't be served on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      ),
    )
    server.listen(host === '*' ? { port } : { host, port }, () => resolve())
  })
}
