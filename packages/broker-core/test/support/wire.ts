/** MQTT bytes for tests, made without any code of the packages under test. Nothing is checked, so that wrong packets can be
 * made as well. One name per packet; the version decides about the property fields. */

export type Version = 3 | 4 | 5
export type QoS = 0 | 1 | 2

/** A number is one byte. */
export type Part = number | readonly number[] | Uint8Array

export function bytes(...parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map(part => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))))
}

export function u16(value: number): readonly number[] {
  return [(value >> 8) & 0xff, value & 0xff]
}

export function u32(value: number): readonly number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}

/** A length of two bytes, then the text in UTF-8 or, given bytes, exactly these. */
export function text(value: string | Uint8Array | readonly number[]): readonly number[] {
  const encoded = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value)
  return [...u16(encoded.length), ...encoded]
}

export function variableInteger(value: number): readonly number[] {
  const encoded: number[] = []
  let rest = value
  do {
    encoded.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return encoded
}

/** First byte, Remaining Length (computed), and the rest. */
export function packet(firstByte: number, ...parts: readonly Part[]): Buffer {
  const body = bytes(...parts)
  return bytes(firstByte, variableInteger(body.length), body)
}

/** Property Length and properties; nothing before MQTT 5. */
export function propertySet(version: Version, properties: readonly number[] = []): readonly number[] {
  return version === 5 ? [...variableInteger(properties.length), ...properties] : []
}

export interface WillFields {
  readonly topic: string | Uint8Array
  readonly payload?: string | Uint8Array
  readonly qos?: number
  readonly retain?: boolean
  readonly properties?: readonly number[]
}

export interface ConnectFields {
  readonly version?: Version
  readonly clientId?: string | Uint8Array
  /** Clean Session before MQTT 5. Default true. */
  readonly cleanStart?: boolean
  /** Seconds. Default 0: none. */
  readonly keepAlive?: number
  readonly will?: WillFields
  readonly username?: string | Uint8Array
  readonly password?: string | Uint8Array
  readonly properties?: readonly number[]
  /** In place of what the version has. */
  readonly protocolName?: string
  readonly level?: number
  /** In place of what the fields call for. */
  readonly flags?: number
  /** Behind everything else. */
  readonly trailing?: readonly number[]
}

export function connect(fields: ConnectFields = {}): Buffer {
  const { version = 5, will } = fields
  return packet(
    0x10,
    text(fields.protocolName ?? (version === 3 ? 'MQIsdp' : 'MQTT')),
    fields.level ?? version,
    fields.flags ?? connectFlags(fields),
    u16(fields.keepAlive ?? 0),
    propertySet(version, fields.properties),
    text(fields.clientId ?? ''),
    will === undefined
      ? []
      : [...propertySet(version, will.properties), ...text(will.topic), ...text(will.payload ?? '')],
    fields.username === undefined ? [] : text(fields.username),
    fields.password === undefined ? [] : text(fields.password),
    fields.trailing ?? [],
  )
}

/** Connect Flags that fit the fields. MQTT 5.0 §3.1.2.3 */
export function connectFlags({ cleanStart = true, will, username, password }: ConnectFields): number {
  const willFlags = will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0)
  return (cleanStart ? 0x02 : 0) | willFlags | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
}

export interface PublishFields {
  readonly version?: Version
  readonly topic: string | Uint8Array
  readonly payload?: string | Uint8Array
  readonly qos?: QoS
  /** Packet Identifier, at QoS 1 and 2. Default 1. */
  readonly id?: number
  readonly retain?: boolean
  readonly dup?: boolean
  readonly properties?: readonly number[]
  /** In place of what the fields call for. */
  readonly firstByte?: number
}

export function publish(fields: PublishFields): Buffer {
  const { version = 5, topic, payload = '', qos = 0, id = 1, properties } = fields
  return packet(
    fields.firstByte ?? 0x30 | (fields.dup === true ? 8 : 0) | (qos << 1) | (fields.retain === true ? 1 : 0),
    text(topic),
    qos > 0 ? u16(id) : [],
    propertySet(version, properties),
    typeof payload === 'string' ? Buffer.from(payload) : payload,
  )
}

/** Filter and subscription options: QoS, +4 No Local, +8 Retain As Published, +16 × Retain Handling. */
export type FilterWish = readonly [filter: string | Uint8Array, options: number]

export interface SubscribeFields {
  readonly version?: Version
  readonly id?: number
  readonly filters: readonly FilterWish[]
  readonly properties?: readonly number[]
}

export function subscribe({ version = 5, id = 1, filters, properties }: SubscribeFields): Buffer {
  const wishes = filters.flatMap(([filter, options]) => [...text(filter), options])
  return packet(0x82, u16(id), propertySet(version, properties), wishes)
}

export interface UnsubscribeFields {
  readonly version?: Version
  readonly id?: number
  readonly filters: readonly (string | Uint8Array)[]
  readonly properties?: readonly number[]
}

export function unsubscribe({ version = 5, id = 1, filters, properties }: UnsubscribeFields): Buffer {
  return packet(
    0xa2,
    u16(id),
    propertySet(version, properties),
    filters.flatMap(filter => [...text(filter)]),
  )
}

/** Without `reasonCode` the short form of two bytes, which every version has. */
function acknowledgement(
  firstByte: number,
): (id: number, reasonCode?: number, properties?: readonly number[]) => Buffer {
  return (id, reasonCode, properties) =>
    packet(
      firstByte,
      u16(id),
      reasonCode === undefined ? [] : reasonCode,
      properties === undefined ? [] : propertySet(5, properties),
    )
}

export const puback = acknowledgement(0x40)
export const pubrec = acknowledgement(0x50)
export const pubrel = acknowledgement(0x62)
export const pubcomp = acknowledgement(0x70)

export const pingreq: Buffer = packet(0xc0)

/** Without `reasonCode` the two bytes that every version has. */
export function disconnect(reasonCode?: number, properties?: readonly number[]): Buffer {
  return packet(
    0xe0,
    reasonCode === undefined ? [] : reasonCode,
    properties === undefined ? [] : propertySet(5, properties),
  )
}

export function auth(reasonCode: number, properties: readonly number[] = []): Buffer {
  return packet(0xf0, reasonCode, propertySet(5, properties))
}
