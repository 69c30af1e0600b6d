import type { IncomingMessage } from 'node:http'
import type { WebSocketError } from './websocket-error.ts'

/** What a transport may be told; each limit has a unit and a stated behaviour. */
export interface WebSocketOptions {
  /** Paths of the URL that lead to the broker; every path unless given. Others get 404. */
  readonly path?: string | readonly string[]
  /** Origins of the web pages that may connect, such as `https://example.org`; every page unless given. Others get 403. Whoever
   * sends no Origin is no browser, and is let in. RFC 6455 §10.2 */
  readonly origins?: readonly string[]
  /** Bytes of a WebSocket message, which may hold several packets; longer ones end the connection with 1009. */
  readonly maximumPayload?: number
  /** Bytes on the socket until the broker has accepted CONNECT; more end the connection with 1009. */
  readonly maximumBytesBeforeConnect?: number
  /** Compression for each message (RFC 7692). It costs memory for each connection, and time. Off unless asked for. */
  readonly perMessageDeflate?: boolean
  /** ms the peer has to answer our close frame before the socket is destroyed. */
  readonly closeTimeout?: number
  /** Told of each upgrade that was refused, and why. */
  readonly report?: (error: WebSocketError, request: IncomingMessage) => void
}

export interface CheckedOptions {
  readonly paths: ReadonlySet<string> | undefined
  readonly origins: ReadonlySet<string> | undefined
  readonly maximumPayload: number
  readonly maximumBytesBeforeConnect: number
  readonly perMessageDeflate: boolean
  readonly closeTimeout: number
  readonly report: (error: WebSocketError, request: IncomingMessage) => void
}

/** Default, least and greatest value. */
const limits = {
  // Twice the broker's largest packet, since clients may put several into a message.
  maximumPayload: [33_554_432, 128, 1_073_741_824],
  // What one read of a socket brings, twice.
  maximumBytesBeforeConnect: [131_072, 1024, 1_073_741_824],
  closeTimeout: [5000, 1, 3_600_000],
} as const

/** @throws RangeError naming the option, its value and what it may be */
export function checkOptions(options: WebSocketOptions): CheckedOptions {
  const { path, origins, perMessageDeflate = false, report = ignore } = options
  const paths = path === undefined ? undefined : new Set([path].flat())
  for (const one of paths ?? [])
    if (typeof one !== 'string' || !one.startsWith('/')) throw refused('path', one, "begin with '/'")
  for (const origin of origins ?? []) {
    if (!isOrigin(origin)) throw refused('origins', origin, "be like 'https://example.org', without a path")
  }
  if (typeof perMessageDeflate !== 'boolean') throw refused('perMessageDeflate', perMessageDeflate, 'be true or false')
  return {
    paths,
    origins: origins === undefined ? undefined : new Set(origins),
    maximumPayload: limit(options, 'maximumPayload'),
    maximumBytesBeforeConnect: limit(options, 'maximumBytesBeforeConnect'),
    perMessageDeflate,
    closeTimeout: limit(options, 'closeTimeout'),
    report,
  }
}

function ignore(): void {}

function limit(options: WebSocketOptions, name: keyof typeof limits): number {
  const [standard, least, greatest] = limits[name]
  const value = options[name] ?? standard
  if (Number.isInteger(value) && value >= least && value <= greatest) return value
  throw refused(name, value, `be a whole number from ${least} to ${greatest}`)
}

function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text
}

function refused(name: string, value: unknown, rule: string): RangeError {
  return new RangeError(`option ${name} is ${JSON.stringify(value)}, it must ${rule}`)
}
