import { isIP } from 'node:net'
import type { AddressList } from './address-list.ts'
import { withoutMapping } from './address-list.ts'
import { DecodeError } from './decode-error.ts'
import { forwardedAddress, isForwarded } from './forwarded.ts'
import type { RequestHeaders } from './forwarded.ts'
import type { ProxyHeader, Tlv } from './proxy-header.ts'
import { readTlsValue, typeTls } from './tls-value.ts'

/** Where a connection comes from, as `client.connDetails` has it. */
export interface ConnectionDetails {
  /** Of the client, not of the proxy in between. */
  ipAddress?: string
  port?: number
  /** 4 or 6. */
  ipFamily?: number
  serverIpAddress?: string
  serverPort?: number
  isWebsocket: boolean
  /** TLS ends at this broker, or the proxy says it ended there. */
  isTls: boolean
  /** 0: no proxy spoke; 1 and 2: version of its PROXY header; 3: it spoke by HTTP headers. */
  isProxy: number
  /** Additional values of a PROXY header of version 2. */
  tlvs?: readonly Tlv[]
  /** True when TLS ended at a proxy that verified the client's certificate and says so. */
  hasCertificate?: true
  /** Common Name of the client's certificate, when TLS ended at a proxy that verified it and says so. */
  certificateCommonName?: string
}

/** What a socket tells of its ends. */
export interface SocketAddresses {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly encrypted?: boolean
}

/** What a socket says of itself. */
export function detailsOfSocket(socket: SocketAddresses): ConnectionDetails {
  const { remoteAddress, remotePort, localAddress, localPort, encrypted = false } = socket
  return {
    ...(remoteAddress !== undefined && ends(remoteAddress, remotePort)),
    ...(localAddress !== undefined && { serverIpAddress: withoutMapping(localAddress), serverPort: localPort ?? 0 }),
    isWebsocket: false,
    isTls: encrypted,
    isProxy: 0,
  }
}

/** The details with what a proxy's header says instead of what the socket says.
 * @throws DecodeError `PROXY_HEADER_INVALID` for a TLS value that is none; `parseProxyHeader` refuses it before */
export function detailsOfHeader(details: ConnectionDetails, header: ProxyHeader): ConnectionDetails {
  const { source, destination, tlvs, version } = header
  const value = tlvs.find(({ type }) => type === typeTls)?.value
  const tls = value === undefined ? undefined : readTlsValue(value)
  return {
    ...details,
    ...(source !== undefined && ends(source.address, source.port)),
    ...(destination !== undefined && { serverIpAddress: destination.address, serverPort: destination.port }),
    ...(tlvs.length > 0 && { tlvs }),
    ...(tls?.certificate === true && { hasCertificate: true }),
    ...(tls?.commonName !== undefined && { certificateCommonName: tls.commonName }),
    isTls: details.isTls || tls?.used === true,
    isProxy: version,
  }
}

/** The details with what the HTTP headers of a proxy say.
 * @throws DecodeError `PROXY_NOT_TRUSTED` when they come from an address that is not trusted */
export function detailsOfRequest(
  details: ConnectionDetails,
  headers: RequestHeaders,
  trusted: AddressList,
  peer: string | undefined,
): ConnectionDetails {
  if (!isForwarded(headers)) return details
  assertTrusted(peer, trusted, 'X-Forwarded-For or X-Real-IP')
  const address = forwardedAddress(headers, trusted)
  const { port: _proxys, ...rest } = details
  const isTls = details.isTls || headers['x-forwarded-proto'] === 'https' || headers['x-forwarded-proto'] === 'wss'
  return { ...(address === undefined ? details : { ...rest, ...ends(address, undefined) }), isTls, isProxy: 3 }
}

/** @throws DecodeError `PROXY_NOT_TRUSTED` unless there is no list (all are trusted) or the address is on it */
export function assertTrusted(peer: string | undefined, trusted: AddressList, what: string): void {
  if (trusted.size === 0 || trusted.has(peer)) return
  const message = `${what} from ${peer ?? 'an unknown address'}, which is none of the trusted proxies`
  throw new DecodeError('PROXY_NOT_TRUSTED', message)
}

function ends(address: string, port: number | undefined): Pick<ConnectionDetails, 'ipAddress' | 'port' | 'ipFamily'> {
  const ipAddress = withoutMapping(address)
  return { ipAddress, ...(port !== undefined && { port }), ipFamily: isIP(ipAddress) }
}
