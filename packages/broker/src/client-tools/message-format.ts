import type { IPublishPacket } from 'mqtt-packet'
import { messageJson } from './message-json.ts'
import { isoTime, unixTime } from './message-time.ts'
import type { ReceivedMessage } from './received-message.ts'
import { wrongUsage } from './tool-error.ts'

type Field = (message: ReceivedMessage) => string | Buffer

/** A piece of the output: fixed text, or a field of the message. */
type Piece = { readonly text: string } | { readonly field: Field; readonly fit: (text: string) => string }

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\u0007',
  e: '\u001B',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const properties = ({ packet }: ReceivedMessage): NonNullable<IPublishPacket['properties']> => packet.properties ?? {}
const shown = (value: string | number | undefined): string => (value === undefined ? '' : String(value))

/** MQTT.js has what may come several times as a list when it does. */
function userProperties(message: ReceivedMessage): string {
  const pairs = Object.entries(properties(message).userProperties ?? {})
  return pairs.flatMap(([name, values]) => [values].flat().map(value => `${name}:${value}`)).join(' ')
}

const fields: Readonly<Record<string, (isPretty: boolean) => Field>> = {
  A: () => message => shown(properties(message).topicAlias),
  C: () => message => shown(properties(message).contentType),
  D: () => message => properties(message).correlationData ?? '',
  E: () => message => shown(properties(message).messageExpiryInterval),
  F: () => message => {
    const { payloadFormatIndicator: isText } = properties(message)
    return isText === undefined ? '' : shown(Number(isText))
  },
  I: () => message => isoTime(message.receivedAt),
  J: isPretty => message => messageJson(message, { isPretty, payload: 'json' }),
  P: () => userProperties,
  R: () => message => shown(properties(message).responseTopic),
  S: () => message => [properties(message).subscriptionIdentifier ?? []].flat().join(' '),
  U: () => message => unixTime(message.receivedAt),
  X: () => message => message.payload.toString('hex').toUpperCase(),
  j: isPretty => message => messageJson(message, { isPretty, payload: 'text' }),
  l: () => message => shown(message.payload.length),
  m: () => message => shown(message.packet.messageId ?? 0),
  p: () => message => message.payload,
  q: () => message => shown(message.packet.qos),
  r: () => message => shown(Number(message.packet.retain)),
  t: () => message => message.packet.topic,
  x: () => message => message.payload.toString('hex'),
}

/** The output of `-F`.
 * @throws ToolError that names the specifier */
export class MessageFormat {
  readonly #pieces: readonly Piece[]

  constructor(format: string, { isPretty }: { readonly isPretty: boolean }) {
    this.#pieces = piecesOf(format, isPretty)
  }

  bytes(message: ReceivedMessage): Buffer {
    return Buffer.concat(
      this.#pieces.map(piece => {
        if ('text' in piece) return Buffer.from(piece.text)
        const value = piece.field(message)
        return Buffer.isBuffer(value) ? value : Buffer.from(piece.fit(value))
      }),
    )
  }
}

/** `%-10.5t`: at the left, 10 characters at least, 5 of the text at most; `%05l`: with zeros. */
const specifier = /%([-0]*)(\d*)(?:\.(\d*))?(.?)|\\(.?)|[^%\\]+/gsu

function piecesOf(format: string, isPretty: boolean): Piece[] {
  return [...format.matchAll(specifier)].map(([all, flags = '', width = '', precision, letter, escaped]) => {
    if (escaped !== undefined) return { text: escapeOf(escaped) }
    if (letter === undefined) return { text: all }
    if (letter === '') throw wrongUsage('Incomplete format specifier.')
    if (letter === '%') return { text: '%' }
    const make = Object.hasOwn(fields, letter) ? fields[letter] : undefined
    if (make === undefined) throw wrongUsage(`Invalid format specifier '${letter}'.`)
    return { field: make(isPretty), fit: fitting({ flags, width: Number(width), precision }) }
  })
}

function escapeOf(letter: string): string {
  const text = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined
  if (text === undefined)
    throw wrongUsage(letter === '' ? 'Incomplete escape specifier.' : `Invalid escape specifier '${letter}'.`)
  return text
}

function fitting({
  flags,
  width,
  precision,
}: {
  readonly flags: string
  readonly width: number
  readonly precision: string | undefined
}): (text: string) => string {
  return text => {
    const cut = precision === undefined ? text : text.slice(0, Number(precision))
    return flags.includes('-') ? cut.padEnd(width) : cut.padStart(width, flags.includes('0') ? '0' : ' ')
  }
}
