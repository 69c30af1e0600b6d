import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { WebSocket, createWebSocketStream } from 'ws'
import { BridgeError } from './bridge-error.ts'

const defaultPorts = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 } as const
type Protocol = keyof typeof defaultPorts

/** Where another broker listens. */
export interface RemoteAddress {
  readonly protocol: Protocol
  readonly host: string
  readonly port: number
  /** As it was given, without a password in it. */
  readonly text: string
}

/** Reads `mqtt://`, `mqtts://`, `ws://` or `wss://` with host and, where it is not the protocol's own, port.
 * @throws BridgeError `BRIDGE_OPTION_INVALID` */
export function parseAddress(text: string): RemoteAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !Object.hasOwn(defaultPorts, url.protocol) || url.hostname === '') {
    throw invalid(text, 'it must be a URL like mqtt://host:1883, with mqtts, ws or wss for the other transports')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      `${url.protocol}//…@${url.host}`,
      'user name and password belong into the options username and password',
    )
  }
  const protocol = url.protocol as Protocol
  const host = url.hostname.replaceAll(/^\[|\]$/g, '')
  return { protocol, host, port: url.port === '' ? defaultPorts[protocol] : Number(url.port), text }
}

function invalid(text: string, reason: string): BridgeError {
  return new BridgeError('BRIDGE_OPTION_INVALID', `option addresses has '${text}', ${reason}`)
}

/** How the connection to a remote broker is made. */
export interface TransportOptions {
  /** For `mqtts://` and `wss://`: keys, certificates, server name, ALPN, pre-shared key, as Node's `tls.connect` takes them. */
  readonly tls: ConnectionOptions
  /** Local address to connect from. */
  readonly bindAddress: string | undefined
  /** Ends the attempt. */
  readonly signal: AbortSignal
}

/** Connects to another broker.
 * @throws BridgeError `BRIDGE_UNREACHABLE` with the address and the reason */
export async function openTransport(address: RemoteAddress, options: TransportOptions): Promise<Duplex> {
  const stream = streamTo(address, options)
  try {
    await once(stream.duplex, stream.opened, { signal: options.signal })
    return stream.duplex
  } catch (cause) {
    stream.duplex.on('error', () => undefined).destroy()
    const reason = options.signal.aborted ? 'it took too long' : messageOf(cause)
    throw new BridgeError('BRIDGE_UNREACHABLE', `${address.text} can't be reached: ${reason}`, { cause })
  }
}

/** Opens so many connections to it; all of them or none.
 * @throws BridgeError `BRIDGE_UNREACHABLE` */
export async function openTransports(
  address: RemoteAddress,
  count: number,
  options: TransportOptions,
): Promise<readonly Duplex[]> {
  const streams: Duplex[] = []
  try {
    while (streams.length < count) {
      // One may end while the others are opened.
      streams.push((await openTransport(address, options)).on('error', () => undefined))
    }
    if (!streams.some(({ destroyed }) => destroyed)) return streams
    throw new BridgeError('BRIDGE_UNREACHABLE', `${address.text} closed one of ${count} connections`)
  } catch (error) {
    for (const stream of streams) stream.destroy()
    throw error
  }
}

interface OpeningStream {
  readonly duplex: Duplex
  /** The event that says it is open. */
  readonly opened: string
}

function streamTo(address: RemoteAddress, { tls, bindAddress }: TransportOptions): OpeningStream {
  const { protocol, host, port, text } = address
  const from = bindAddress === undefined ? {} : { localAddress: bindAddress }
  switch (protocol) {
    case 'mqtt:':
      return { duplex: connectTcp({ host, port, noDelay: true, ...from }), opened: 'connect' }
    case 'mqtts:': {
      const duplex = connectTls({ host, port, ...serverName(host), ...tls, ...from })
      duplex.setNoDelay(true)
      return { duplex, opened: 'secureConnect' }
    }
    default: {
      const socket = new WebSocket(text, 'mqtt', { ...tls, ...from, perMessageDeflate: false })
      const duplex = createWebSocketStream(socket)
      socket.once('open', () => duplex.emit('open'))
      return { duplex, opened: 'open' }
    }
  }
}

/** SNI takes names only. */
function serverName(host: string): ConnectionOptions {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
