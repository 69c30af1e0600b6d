import type { IncomingMessage } from 'node:http'
import { optionProblem, optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import type { WebSocketError } from './websocket-error.ts'

/** What a transport may be told; each limit has a unit and a stated behaviour. */
export interface WebSocketOptions {
  /** Paths of the URL that lead to the broker; every path unless given. Others get 404. */
  readonly path?: string | readonly string[]
  /** Origins of the web pages that may connect, such as `https://example.org`; every page unless given. Others get 403. Whoever
   * sends no Origin is no browser, and is let in. RFC 6455 §10.2 */
  readonly origins?: readonly string[]
  /** Whether each of `origins` must be like those that browsers send, with a scheme and without a path. False takes any text, which is
   * compared letter by letter. True by default. */
  readonly strictOrigins?: boolean
  /** Bytes of a WebSocket message, which may hold several packets; longer ones end the connection with 1009. */
  readonly maximumPayload?: number
  /** Bytes on the socket until the broker has accepted CONNECT; more end the connection with 1009. */
  readonly maximumBytesBeforeConnect?: number
  /** Bytes of messages that have begun and not ended, of all WebSockets together; the one that holds most ends with 1009. */
  readonly maximumUnfinishedBytes?: number
  /** MQTT packets that a WebSocket message to the client holds: one, or all that go out together. With `many` large numbers of small
   * messages take fewer bytes and less time, and clients that read one packet of a message and wait for the next message stall: all
   * that are made on Paho C do. */
  readonly packetsPerFrame?: 'one' | 'many'
  /** Whether a client must offer `mqtt` or `mqttv3.1` as subprotocol; others get 400. False lets those in that offer `mqttv3.1.1`, or
   * none at all, though the standard forbids it ([MQTT5-6.0.0-3]). */
  readonly strictSubprotocol?: boolean
  /** Compression for each message (RFC 7692). It costs memory for each connection, and time. Off unless asked for. */
  readonly perMessageDeflate?: boolean
  /** ms the peer has to answer our close frame before the socket is destroyed. */
  readonly closeTimeout?: number
  /** Told of each upgrade that was refused, and why. */
  readonly report?: (error: WebSocketError, request: IncomingMessage) => void
}

/** The options with their defaults. */
export interface CheckedOptions {
  readonly paths: ReadonlySet<string> | undefined
  readonly origins: ReadonlySet<string> | undefined
  readonly maximumPayload: number
  readonly maximumBytesBeforeConnect: number
  readonly maximumUnfinishedBytes: number
  readonly packetsPerFrame: 'one' | 'many'
  readonly strictSubprotocol: boolean
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
  maximumUnfinishedBytes: [67_108_864, 1024, 68_719_476_736],
  closeTimeout: [5000, 1, 3_600_000],
} as const

const { any } = optionRules

/** The names that there are; what each may be is said below. */
const optionTable: OptionTable<keyof WebSocketOptions> = {
  path: any,
  origins: { text: 'a list of origins', allows: (value: unknown) => Array.isArray(value) },
  strictOrigins: any,
  maximumPayload: any,
  maximumBytesBeforeConnect: any,
  maximumUnfinishedBytes: any,
  packetsPerFrame: any,
  strictSubprotocol: any,
  perMessageDeflate: any,
  closeTimeout: any,
  report: optionRules.function,
}

/** @throws RangeError naming the option, its value and what it may be */
export function checkOptions(options: WebSocketOptions): CheckedOptions {
  const problem = optionProblem(options, optionTable, 'the WebSocket transport')
  if (problem !== undefined) throw new RangeError(problem)
  const { path, origins, report = ignore, packetsPerFrame = 'one' } = options
  const paths = path === undefined ? undefined : new Set([path].flat())
  for (const one of paths ?? [])
    if (typeof one !== 'string' || !one.startsWith('/')) throw refused('path', one, "begin with '/'")
  const isAllowed = flag('strictOrigins', options.strictOrigins ?? true) ? isOrigin : isText
  for (const origin of origins ?? []) {
    if (!isAllowed(origin)) throw refused('origins', origin, "be like 'https://example.org', without a path")
  }
  if (packetsPerFrame !== 'one' && packetsPerFrame !== 'many')
    throw refused('packetsPerFrame', packetsPerFrame, "be 'one' or 'many'")
  return {
    paths,
    origins: origins === undefined ? undefined : new Set(origins),
    maximumPayload: limit(options, 'maximumPayload'),
    maximumBytesBeforeConnect: limit(options, 'maximumBytesBeforeConnect'),
    maximumUnfinishedBytes: limit(options, 'maximumUnfinishedBytes'),
    packetsPerFrame,
    strictSubprotocol: flag('strictSubprotocol', options.strictSubprotocol ?? true),
    perMessageDeflate: flag('perMessageDeflate', options.perMessageDeflate ?? false),
    closeTimeout: limit(options, 'closeTimeout'),
    report,
  }
}

function ignore(): void {}

function limit(options: WebSocketOptions, name: keyof typeof limits): number {
  const [standard, least, greatest] = limits[name]
  const { [name]: value = standard } = options
  if (Number.isInteger(value) && value >= least && value <= greatest) return value
  throw refused(name, value, `be a whole number from ${least} to ${greatest}`)
}

function flag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw refused(name, value, 'be true or false')
}

function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function refused(name: string, value: unknown, rule: string): RangeError {
  return new RangeError(`option ${name} is ${JSON.stringify(value)}, it must ${rule}`)
}
