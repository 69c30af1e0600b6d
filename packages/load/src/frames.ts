/** Fixed header first bytes, flags included, of the packets that the load process writes. @see MQTT 5.0 §2.1.2, §2.1.3 */
export const firstByte = {
  connect: 0x10,
  publish: 0x30,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  subscribe: 0x82,
  unsubscribe: 0xa2,
  disconnect: 0xe0,
} as const

/** MQTT 3.1.1 (4) or MQTT 5.0 (5). */
export type ProtocolVersion = 4 | 5
/** Quality of Service. */
export type QoS = 0 | 1 | 2

/** What CONNECT says; Clean Session / Clean Start is `clean`. */
export interface ConnectFrame {
  readonly version: ProtocolVersion
  readonly clientId: string
  readonly clean: boolean
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** What PUBLISH says; `packetId` is written for QoS 1 and 2 alone, `userProperties` for MQTT 5 alone. */
export interface PublishFrame {
  readonly version: ProtocolVersion
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain?: boolean
  readonly packetId?: number
  readonly userProperties?: readonly (readonly [name: string, value: string])[]
}

/** Long enough that no measured run needs a PINGREQ, and non-zero because brokers may refuse zero. */
const keepAliveSeconds = 600
const userPropertyId = 0x26

function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff)
}

function utf8(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u16(bytes.length), bytes])
}

/** Encodes a variable byte integer. @see MQTT 5.0 §1.5.5 */
export function variableByteInteger(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest & 0x7f
    rest >>>= 7
    bytes.push(rest > 0 ? low | 0x80 : low)
  } while (rest > 0)
  return Buffer.from(bytes)
}

function frame(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(first), variableByteInteger(body.length), body])
}

/** MQTT 5 packets carry a property length where MQTT 3.1.1 has nothing. */
function properties(version: ProtocolVersion, encoded: Buffer = Buffer.alloc(0)): Buffer {
  return version === 5 ? Buffer.concat([variableByteInteger(encoded.length), encoded]) : Buffer.alloc(0)
}

/** Encodes CONNECT without will. @see MQTT 5.0 §3.1 */
export function connectFrame({ version, clientId, clean, username, password }: ConnectFrame): Buffer {
  const flags = (clean ? 0x02 : 0) | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  return frame(
    firstByte.connect,
    utf8('MQTT'),
    Buffer.of(version, flags),
    u16(keepAliveSeconds),
    properties(version),
    utf8(clientId),
    ...[username, password].flatMap(text => (text === undefined ? [] : [utf8(text)])),
  )
}

/** Encodes SUBSCRIBE of all `filters` at one maximum QoS. @see MQTT 5.0 §3.8 */
export function subscribeFrame(version: ProtocolVersion, filters: readonly string[], qos: QoS): Buffer {
  const entries = filters.flatMap(filter => [utf8(filter), Buffer.of(qos)])
  return frame(firstByte.subscribe, u16(1), properties(version), ...entries)
}

/** Encodes UNSUBSCRIBE of one filter. @see MQTT 5.0 §3.10 */
export function unsubscribeFrame(version: ProtocolVersion, filter: string): Buffer {
  return frame(firstByte.unsubscribe, u16(1), properties(version), utf8(filter))
}

/** Encodes PUBLISH. @see MQTT 5.0 §3.3 */
export function publishFrame({
  version,
  topic,
  payload,
  qos,
  retain = false,
  packetId = 1,
  userProperties = [],
}: PublishFrame): Buffer {
  const encoded = userProperties.flatMap(([name, value]) => [Buffer.of(userPropertyId), utf8(name), utf8(value)])
  const identifier = qos === 0 ? Buffer.alloc(0) : u16(packetId)
  const first = firstByte.publish | (qos << 1) | (retain ? 1 : 0)
  return frame(first, utf8(topic), identifier, properties(version, Buffer.concat(encoded)), payload)
}

/** Encodes DISCONNECT with reason code 0x00. @see MQTT 5.0 §3.14 */
export function disconnectFrame(): Buffer {
  return Buffer.of(firstByte.disconnect, 0)
}

/** One buffer holding `count` copies of `bytes`. */
export function repeated(bytes: Buffer, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, bytes)
}
