import { BrokerError, ReasonCode, assertOptions, listenerRuleTable, optionInvalid } from '@x/broker-core'
import type { AuthenticateHook, ListenerRules } from '@x/broker-core'
import { optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import type { WebSocketOptions } from '@x/transport-ws'
import { protocols as knownProtocols } from './protocols.ts'
import type { Protocol } from './protocols.ts'
import type { ProxyRequirement } from './proxy-requirement.ts'
import type { TlsOptions } from './tls-layer.ts'
import { checkTlsOptions } from './tls-options.ts'

/** Where to listen, what to speak there, for whom, and what holds for these clients. */
export interface ListenOptions extends Partial<ListenerRules> {
  /** Shown in logs and statistics, and as `client.listener`. The protocols and the port unless given. */
  name?: string
  /** 0: any free one. 1883 by default; 8883 with TLS, 8083 for WebSocket, 8084 for both. */
  port?: number
  /** Addresses or host names to bind; all addresses, IPv6 and IPv4, by default. */
  host?: string | readonly string[]
  /** File of a Unix socket, or name of a Windows pipe (`\\.\pipe\…`), in place of a port. */
  socketPath?: string
  /** Connections the operating system keeps until they are accepted. Storms of 10 000 devices need more than Node's 511. */
  backlog?: number

  /** What is spoken here. Of several, each connection is recognised by its first bytes. By default what `tls` and `websocket`
   * say. */
  protocols?: readonly Protocol[]
  /** WebSocket in place of plain MQTT. */
  websocket?: boolean
  /** Paths of the URL that are MQTT over WebSocket; every path by default. */
  path?: string | readonly string[]
  /** Origins of web pages that may connect; every page by default. */
  origins?: readonly string[]
  /** Whether these must be like those that browsers send, with a scheme and without a path: true by default. False takes any text. */
  strictOrigins?: boolean
  /** Bytes of a WebSocket message. */
  maximumPayload?: number
  /** Compresses WebSocket messages. */
  perMessageDeflate?: boolean
  /** MQTT packets in a WebSocket message to a client: one by default. With `many` clients stall that wait for a message after each
   * packet, as all made on Paho C do. */
  packetsPerFrame?: 'one' | 'many'
  /** Whether WebSocket clients must offer a subprotocol of the standard, `mqtt` or `mqttv3.1`: true by default. */
  strictSubprotocol?: boolean
  tls?: TlsOptions

  /** PROXY protocol headers (versions 1 and 2) and X-Forwarded-For of trusted proxies are believed. The broker's `trustProxy`
   * unless given. */
  trustProxy?: boolean
  /** Addresses and networks (`10.0.0.0/8`) of proxies; the broker's `trustedProxies` unless given; none: all are trusted. */
  trustedProxies?: readonly string[]

  /** What each connection must bring, with `trustProxy`: a PROXY `header`; one that says that the client spoke `tls` with the proxy; or one
   * that says that the proxy has verified the client's `certificate`. Other connections are closed. By default a header may be missing. */
  proxyRequires?: ProxyRequirement
  /** The Common Name of the certificate that the proxy has verified takes the place of the user name; a client without one is refused. */
  proxyIdentityAsUsername?: boolean

  /** Open connections at a time; one more is closed when no place becomes free within 20 ms, so that who comes right after others have gone
   * gets in; when 256 wait already, at once. */
  maximumConnections?: number
  /** New connections in a second; more are closed at once. 0: no limit. */
  maximumConnectionRate?: number
  /** ms for each step until the client is known: PROXY header, TLS, HTTP, CONNECT. The broker's unless given. */
  connectTimeout?: number
  /** Addresses and networks that may connect; all unless given. */
  allow?: readonly string[]
  /** Addresses and networks that may not. */
  deny?: readonly string[]
  /** In place of the broker's hook; null lets everybody in. */
  authenticate?: AuthenticateHook | null
}

/** The same, complete and valid. */
export interface CheckedListenOptions extends ListenOptions {
  readonly port: number
  readonly hosts: readonly (string | undefined)[]
  readonly backlog: number
  readonly protocols: readonly Protocol[]
  readonly trustProxy: boolean
  readonly trustedProxies: readonly string[]
  readonly maximumConnections: number
  readonly maximumConnectionRate: number
  readonly deny: readonly string[]
}

const { any, flag, text, texts, textOrTexts } = optionRules

/** What has a sentence of its own, or is passed on, is checked below or where it goes. */
const optionTable: OptionTable<keyof ListenOptions> = {
  ...listenerRuleTable,
  name: { text: 'a text', allows: (value: unknown) => typeof value === 'string' },
  port: any,
  host: {
    text: 'an address or a list of addresses',
    allows: (value: unknown) => [value].flat().every(one => typeof one === 'string'),
  },
  socketPath: text,
  backlog: any,
  protocols: { text: `a list of ${knownProtocols.join(', ')}`, allows: (value: unknown) => Array.isArray(value) },
  websocket: flag,
  path: textOrTexts,
  origins: texts,
  strictOrigins: flag,
  maximumPayload: any,
  perMessageDeflate: flag,
  packetsPerFrame: any,
  strictSubprotocol: flag,
  tls: { text: 'an object with key and cert', allows: (value: unknown) => typeof value === 'object' && value !== null },
  trustProxy: flag,
  trustedProxies: texts,
  proxyRequires: optionRules.oneOf('header', 'tls', 'certificate'),
  proxyIdentityAsUsername: flag,
  maximumConnections: any,
  maximumConnectionRate: any,
  connectTimeout: any,
  allow: texts,
  deny: texts,
  authenticate: any,
}

type ForWebSocket = keyof ListenOptions & keyof WebSocketOptions

const forWebSocket: readonly ForWebSocket[] = [
  'path',
  'origins',
  'strictOrigins',
  'maximumPayload',
  'perMessageDeflate',
  'packetsPerFrame',
  'strictSubprotocol',
]

const defaultPorts: Readonly<Record<Protocol, number>> = { mqtt: 1883, mqtts: 8883, ws: 8083, wss: 8084 }

/** A name is part of a `$SYS` topic. */
const longestName = 256

/** Bytes of `sun_path` without the zero at its end. */
const longestSocketPath = process.platform === 'linux' ? 107 : 103

/** Default, least and greatest value. */
const numbers = {
  port: [0, 0, 65_535],
  backlog: [4096, 1, 65_535],
  maximumConnections: [1_000_000, 1, 100_000_000],
  maximumConnectionRate: [0, 0, 1_000_000],
} as const

/** @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
export function checkListenOptions(
  options: ListenOptions,
  broker: { readonly trustProxy: boolean; readonly trustedProxies: readonly string[] },
): CheckedListenOptions {
  assertOptions(options, optionTable, 'listen')
  const spoken = protocolsOf(options)
  if (options.tls !== undefined) checkTlsOptions(options.tls)
  const [first] = spoken as readonly [Protocol]
  const {
    host,
    socketPath,
    trustProxy = broker.trustProxy,
    trustedProxies = broker.trustedProxies,
    deny = [],
  } = options
  const { name } = options
  if (name !== undefined && (name === '' || name.length > longestName || /[+#\0]/.test(name))) {
    throw invalid(`option name is ${JSON.stringify(name)}, it must have 1 to ${longestName} characters, and no + or #`)
  }
  const hosts = host === undefined ? [undefined] : [host].flat()
  if (hosts.length === 0 || hosts.some(one => one === '')) {
    throw invalid(`option host is ${JSON.stringify(host)}, it must name at least one address`)
  }
  if (socketPath !== undefined && (options.port !== undefined || host !== undefined)) {
    throw invalid('option socketPath takes the place of port and host: only one of them may be given')
  }
  if (socketPath !== undefined && isTooLong(socketPath)) {
    throw invalid(
      `option socketPath has ${Buffer.byteLength(socketPath)} bytes, the operating system takes ${longestSocketPath}`,
    )
  }
  if (!trustProxy && (options.proxyRequires ?? options.proxyIdentityAsUsername) !== undefined)
    throw invalid('options proxyRequires and proxyIdentityAsUsername need trustProxy')
  return {
    ...options,
    port: whole(options, 'port', defaultPorts[first]),
    hosts,
    backlog: whole(options, 'backlog'),
    protocols: spoken,
    trustProxy,
    trustedProxies,
    maximumConnections: whole(options, 'maximumConnections'),
    maximumConnectionRate: whole(options, 'maximumConnectionRate'),
    deny,
  }
}

/** Node cuts it off without a word, and listens elsewhere. A pipe of Windows has no such limit. */
function isTooLong(socketPath: string): boolean {
  return process.platform !== 'win32' && Buffer.byteLength(socketPath) > longestSocketPath
}

function protocolsOf(options: ListenOptions): readonly Protocol[] {
  const { protocols, websocket, tls } = options
  if (protocols !== undefined && websocket !== undefined) {
    throw invalid('options protocols and websocket say the same: only one of them may be given')
  }
  const secure = tls === undefined ? '' : 's'
  const spoken = protocols ?? [websocket === true ? (`ws${secure}` as const) : (`mqtt${secure}` as const)]
  const unknown = spoken.find(one => !knownProtocols.includes(one))
  if (unknown !== undefined || spoken.length === 0) {
    throw invalid(`option protocols is ${JSON.stringify(protocols)}, it must hold some of ${knownProtocols.join(', ')}`)
  }
  const secured = spoken.filter(one => one === 'mqtts' || one === 'wss')
  if (secured.length > 0 && tls === undefined)
    throw invalid(`option tls is missing: ${secured.join(' and ')} need a key and a certificate`)
  if (secured.length === 0 && tls !== undefined)
    throw invalid(`option tls is given, but protocols (${spoken.join(', ')}) has neither mqtts nor wss`)
  const misplaced = forWebSocket.find(name => options[name] !== undefined)
  if (misplaced !== undefined && !spoken.some(one => one === 'ws' || one === 'wss'))
    throw invalid(`option ${misplaced} is for WebSocket: websocket: true, or protocols with ws or wss`)
  return [...new Set(spoken)]
}

/** What holds for the listener's clients; only what was given. */
export function listenerRulesOf(options: ListenOptions): Partial<ListenerRules> {
  const names = Object.keys(listenerRuleTable) as (keyof ListenerRules)[]
  return Object.fromEntries(names.flatMap(name => (options[name] === undefined ? [] : [[name, options[name]]])))
}

/** What a listener's WebSockets are told; only what was given. */
export function webSocketOptionsOf(options: ListenOptions): Pick<WebSocketOptions, ForWebSocket> {
  return Object.fromEntries(forWebSocket.flatMap(name => (options[name] === undefined ? [] : [[name, options[name]]])))
}

function whole(options: ListenOptions, name: keyof typeof numbers, otherwise?: number): number {
  const [standard, least, greatest] = numbers[name]
  const value = options[name] === undefined ? (otherwise ?? standard) : options[name]
  if (Number.isInteger(value) && value >= least && value <= greatest) return value
  throw optionInvalid(name, value, `a whole number from ${least} to ${greatest}`)
}

/** The error of an option of a listener. */
export function invalid(message: string, cause?: unknown): BrokerError {
  return new BrokerError('OPTION_INVALID', { message, reasonCode: ReasonCode.implementationSpecificError, cause })
}
