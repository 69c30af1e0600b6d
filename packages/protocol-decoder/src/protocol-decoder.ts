import { AddressList } from './address-list.ts'
import { assertTrusted, detailsOfHeader, detailsOfRequest, detailsOfSocket } from './connection-details.ts'
import type { ConnectionDetails, SocketAddresses } from './connection-details.ts'
import type { RequestHeaders } from './forwarded.ts'
import { parseProxyHeader } from './parse-proxy-header.ts'

/** What a client is to this decoder: any client of the broker's, or of Aedes's. */
export interface DecodedClient {
  readonly broker: { readonly trustProxy?: boolean; readonly trustedProxies?: readonly string[] }
  readonly conn: object
  readonly req?: unknown
  readonly connDetails?: { readonly isProxy?: number } | undefined
}

/** With `data`: what is left of the bytes when the proxy's are taken away. */
export type DecodedDetails = ConnectionDetails & { data: Buffer }

/** Bytes of a header that is not complete yet, or `done`. By client, so that they go when it goes. */
const states = new WeakMap<object, Buffer | 'done'>()
const lists = new WeakMap<readonly string[], AddressList>()
const nobody: readonly string[] = []
const nothing = Buffer.alloc(0)

/** The hook `decodeProtocol`: finds a PROXY protocol header, version 1 or 2, before the MQTT bytes, or the headers
 * `X-Forwarded-For` and `X-Real-IP` of a WebSocket's request, and returns `client.connDetails`.
 *
 * It trusts the proxies in the broker's `trustedProxies`, addresses or networks; every address when the list is empty. A broker
 * asks it only with `trustProxy`.
 * @throws DecodeError `PROXY_NOT_TRUSTED`, `PROXY_HEADER_INVALID`, `PROXY_HEADER_TOO_LARGE`: the broker closes the connection
 * @throws RangeError for an entry of `trustedProxies` that is neither */
export function protocolDecoder(client: DecodedClient, bytes: Buffer): DecodedDetails | undefined {
  const state = states.get(client)
  // A listener may have done it before.
  if (state === 'done' || client.broker.trustProxy !== true || (client.connDetails?.isProxy ?? 0) > 0) return undefined
  const trusted = listOf(client.broker.trustedProxies ?? nobody)
  const request = client.req as { readonly headers?: RequestHeaders; readonly socket?: SocketAddresses } | undefined
  const socket: SocketAddresses = request?.socket ?? client.conn
  const details = detailsOfSocket(socket)
  if (request?.headers !== undefined) {
    states.set(client, 'done')
    const known = detailsOfRequest({ ...details, isWebsocket: true }, request.headers, trusted, socket.remoteAddress)
    return { ...known, data: bytes }
  }
  const all = state === undefined ? bytes : Buffer.concat([state, bytes])
  const header = parseProxyHeader(all)
  if (header === 'incomplete') {
    states.set(client, Buffer.from(all))
    return { ...details, data: nothing }
  }
  states.set(client, 'done')
  if (header === undefined) return { ...details, data: all }
  assertTrusted(socket.remoteAddress, trusted, 'PROXY header')
  return { ...detailsOfHeader(details, header), data: all.subarray(header.length) }
}

function listOf(entries: readonly string[]): AddressList {
  let list = lists.get(entries)
  if (list === undefined) {
    list = new AddressList(entries)
    lists.set(entries, list)
  }
  return list
}
