/** MQTT bytes made without any code of the broker. Nothing is checked, so wrong packets can be made as well. */

export type Version = 3 | 4 | 5

/** A number is one byte. */
export type Part = number | Uint8Array

export function bytes(...parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map(part => (typeof part === 'number' ? Buffer.of(part) : part)))
}

export function u16(value: number): Buffer {
  return Buffer.of((value >> 8) & 0xff, value & 0xff)
}

export function u32(value: number): Buffer {
  return Buffer.of((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

export function variableInteger(value: number): Buffer {
  const encoded: number[] = []
  let rest = value
  do {
    encoded.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.from(encoded)
}

/** A length of two bytes, then the text in UTF-8 or, given bytes, exactly these. */
export function text(value: string | Uint8Array): Buffer {
  const encoded = typeof value === 'string' ? Buffer.from(value) : value
  return bytes(u16(encoded.length), encoded)
}

/** First byte, Remaining Length (computed), and the rest. */
export function packet(firstByte: number, ...parts: readonly Part[]): Buffer {
  const body = bytes(...parts)
  return bytes(firstByte, variableInteger(body.length), body)
}

/** Property Length and properties; nothing before MQTT 5. */
export function propertySet(version: Version, properties: Uint8Array = Buffer.alloc(0)): Buffer {
  return version === 5 ? bytes(variableInteger(properties.length), properties) : Buffer.alloc(0)
}

/** One property of MQTT 5.0 §2.2.2.2 each. */
export const property = {
  messageExpiryInterval: (seconds: number): Buffer => bytes(0x02, u32(seconds)),
  subscriptionIdentifier: (value: number): Buffer => bytes(0x0b, variableInteger(value)),
  sessionExpiryInterval: (seconds: number): Buffer => bytes(0x11, u32(seconds)),
  willDelayInterval: (seconds: number): Buffer => bytes(0x18, u32(seconds)),
  topicAlias: (value: number): Buffer => bytes(0x23, u16(value)),
  receiveMaximum: (value: number): Buffer => bytes(0x21, u16(value)),
  topicAliasMaximum: (value: number): Buffer => bytes(0x22, u16(value)),
} as const

export interface WillFields {
  readonly topic: string | Uint8Array
  readonly payload: Uint8Array
  readonly qos?: number
  readonly retain?: boolean
  readonly properties?: Uint8Array
}

export interface ConnectFields {
  readonly version: Version
  readonly clientId: string | Uint8Array
  /** Clean Session before MQTT 5. Default true. */
  readonly cleanStart?: boolean
  /** Seconds. Default 0: none. */
  readonly keepAlive?: number
  readonly will?: WillFields
  readonly username?: string | Uint8Array
  readonly password?: string | Uint8Array
  readonly properties?: Uint8Array
}

export function connect(fields: ConnectFields): Buffer {
  const { version, clientId, keepAlive = 0, will, username, password, properties } = fields
  return packet(
    0x10,
    text(version === 3 ? 'MQIsdp' : 'MQTT'),
    version,
    connectFlags(fields),
    u16(keepAlive),
    propertySet(version, properties),
    text(clientId),
    ...(will === undefined ? [] : [propertySet(version, will.properties), text(will.topic), text(will.payload)]),
    ...(username === undefined ? [] : [text(username)]),
    ...(password === undefined ? [] : [text(password)]),
  )
}

function connectFlags({ cleanStart = true, will, username, password }: ConnectFields): number {
  const willFlags = will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0)
  return (cleanStart ? 0x02 : 0) | willFlags | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
}

export interface PublishFields {
  readonly version: Version
  readonly topic: string | Uint8Array
  readonly payload?: Uint8Array
  readonly qos?: number
  readonly retain?: boolean
  readonly dup?: boolean
  /** Required above QoS 0. */
  readonly id?: number
  readonly properties?: Uint8Array
}

export function publish(fields: PublishFields): Buffer {
  const { version, topic, payload = Buffer.alloc(0), qos = 0, retain = false, dup = false, id = 1 } = fields
  return packet(
    0x30 | (dup ? 0x08 : 0) | (qos << 1) | (retain ? 1 : 0),
    text(topic),
    ...(qos === 0 ? [] : [u16(id)]),
    propertySet(version, fields.properties),
    payload,
  )
}

export interface FiltersFields {
  readonly version: Version
  readonly id: number
  readonly filters: readonly (string | Uint8Array)[]
  /** Subscription Options of all of them; SUBSCRIBE only. Default QoS 1. */
  readonly options?: number
  readonly properties?: Uint8Array
}

export function subscribe({ version, id, filters, options = 1, properties }: FiltersFields): Buffer {
  const wishes = filters.flatMap(filter => [text(filter), Buffer.of(options)])
  return packet(0x82, u16(id), propertySet(version, properties), Buffer.concat(wishes))
}

export function unsubscribe({ version, id, filters, properties }: FiltersFields): Buffer {
  return packet(0xa2, u16(id), propertySet(version, properties), Buffer.concat(filters.map(text)))
}

/** PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70. */
export function acknowledgement(firstByte: number, id: number): Buffer {
  return packet(firstByte, u16(id))
}

export const pingreq: Buffer = Buffer.of(0xc0, 0)
export const disconnect: Buffer = Buffer.of(0xe0, 0)
