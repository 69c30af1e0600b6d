import type { PacketErrorCode, ProtocolVersion } from '../src/index.ts'
import { bytes, type Part } from './bytes.ts'

/** Bytes from a client that must be refused, and how. */
export interface MalformedRow {
  readonly title: string
  readonly versions: readonly ProtocolVersion[]
  readonly stream: Buffer
  readonly code: PacketErrorCode
  readonly reasonCode: number
  /** Bytes from the start of the frame. */
  readonly offset: number
}

const every = [3, 4, 5] as const
const old = [3, 4] as const
/** MQTT 3.1 ignores flags and bits that mean nothing. */
const strict = [4, 5] as const
const four = [4] as const
const five = [5] as const

type Versions = readonly ProtocolVersion[]
type Refusal = readonly [code: PacketErrorCode, reasonCode: number, offset: number]

function row(title: string, versions: Versions, refusal: Refusal, ...stream: (Part | readonly Part[])[]): MalformedRow {
  const [code, reasonCode, offset] = refusal
  return { title, versions, stream: bytes(...stream), code, reasonCode, offset }
}

const connect5 = [0, 4, 'MQTT', 5] as const
const connect4 = [0, 4, 'MQTT', 4] as const

/** Framing and fixed header. */
const framing: readonly MalformedRow[] = [
  row('packet type 0', every, ['UNKNOWN_PACKET_TYPE', 0x81, 0], 0x00, 0),
  row('AUTH before MQTT 5', old, ['UNKNOWN_PACKET_TYPE', 0x81, 0], 0xf0, 0),
  row('remaining length of 5 bytes', every, ['MALFORMED_LENGTH', 0x81, 1], 0x30, 0xff, 0xff, 0xff, 0xff, 0x01),
  row('remaining length 80 00', every, ['MALFORMED_LENGTH', 0x81, 1], 0xc0, 0x80, 0x00),
  row('remaining length 82 80 00', every, ['MALFORMED_LENGTH', 0x81, 1], 0x30, 0x82, 0x80, 0x00),
  row('packet above the maximum size', every, ['PACKET_TOO_LARGE', 0x95, 1], 0x30, 0xff, 0xff, 0xff, 0x7f),
  row('CONNECT of MQTT 3.1.1 with flags', every, ['RESERVED_BITS', 0x81, 0], 0x11, 12, ...connect4, 2, 0, 0, 0, 0),
  row('CONNECT of MQTT 5 with flags', every, ['RESERVED_BITS', 0x81, 0], 0x18, 13, ...connect5, 2, 0, 0, 0, 0, 0),
  row('CONNACK with flags', strict, ['RESERVED_BITS', 0x81, 0], 0x28, 2, 0, 0),
  row('PUBACK with flags', strict, ['RESERVED_BITS', 0x81, 0], 0x42, 2, 0, 1),
  row('PUBREC with flags', strict, ['RESERVED_BITS', 0x81, 0], 0x51, 2, 0, 1),
  row('PUBREL without its flag', strict, ['RESERVED_BITS', 0x81, 0], 0x60, 2, 0, 1),
  row('PUBCOMP with flags', strict, ['RESERVED_BITS', 0x81, 0], 0x7f, 2, 0, 1),
  row('SUBSCRIBE without its flag', strict, ['RESERVED_BITS', 0x81, 0], 0x80, 2, 0, 1),
  row('SUBACK with flags', strict, ['RESERVED_BITS', 0x81, 0], 0x92, 2, 0, 1),
  row('UNSUBSCRIBE with a wrong flag', strict, ['RESERVED_BITS', 0x81, 0], 0xa3, 2, 0, 1),
  row('UNSUBACK with flags', strict, ['RESERVED_BITS', 0x81, 0], 0xb2, 2, 0, 1),
  row('PINGREQ with flags', strict, ['RESERVED_BITS', 0x81, 0], 0xc1, 0),
  row('PINGRESP with flags', strict, ['RESERVED_BITS', 0x81, 0], 0xd8, 0),
  row('DISCONNECT with flags', strict, ['RESERVED_BITS', 0x81, 0], 0xe1, 0),
  row('AUTH with flags', strict, ['RESERVED_BITS', 0x81, 0], 0xf2, 0),
  row('PINGREQ with a body', every, ['TRAILING_BYTES', 0x81, 2], 0xc0, 1, 0),
]

const connecting: readonly MalformedRow[] = [
  row('CONNECT without a body', every, ['PACKET_TOO_SHORT', 0x81, 2], 0x10, 0),
  row(
    'CONNECT with an unknown protocol name',
    every,
    ['PROTOCOL_NAME', 0x84, 2],
    0x10,
    12,
    0,
    4,
    'HTTP',
    4,
    2,
    0,
    0,
    0,
    0,
  ),
  row('CONNECT with level 6', every, ['PROTOCOL_VERSION', 0x84, 8], 0x10, 12, 0, 4, 'MQTT', 6, 2, 0, 0, 0, 0),
  row('CONNECT with level 0x85', every, ['PROTOCOL_VERSION', 0x84, 8], 0x10, 12, 0, 4, 'MQTT', 0x85, 2, 0, 0, 0, 0),
  row('CONNECT with the reserved flag', every, ['CONNECT_FLAGS', 0x81, 9], 0x10, 12, ...connect4, 3, 0, 0, 0, 0),
  row('CONNECT with will QoS but no will', every, ['CONNECT_FLAGS', 0x81, 9], 0x10, 12, ...connect4, 0x0a, 0, 0, 0, 0),
  row(
    'CONNECT with will retain but no will',
    every,
    ['CONNECT_FLAGS', 0x81, 9],
    0x10,
    12,
    ...connect4,
    0x22,
    0,
    0,
    0,
    0,
  ),
  row(
    'CONNECT with a password alone before MQTT 5',
    every,
    ['CONNECT_FLAGS', 0x81, 9],
    [0x10, 14, ...connect4, 0x42, 0, 0, 0, 0, 0, 0],
  ),
  row(
    'CONNECT with will QoS 3',
    every,
    ['QOS_INVALID', 0x81, 9],
    [0x10, 18, ...connect4, 0x1e, 0, 0, 0, 0, 0, 1, 'w', 0, 1, 'x'],
  ),
  row(
    'CONNECT that ends before the client identifier',
    every,
    ['PACKET_TOO_SHORT', 0x81, 12],
    0x10,
    10,
    ...connect4,
    2,
    0,
    0,
  ),
  row(
    'CONNECT that ends inside the will',
    every,
    ['PACKET_TOO_SHORT', 0x81, 14],
    0x10,
    13,
    ...connect4,
    6,
    0,
    0,
    0,
    0,
    9,
  ),
  row(
    'CONNECT that ends before the user name',
    every,
    ['PACKET_TOO_SHORT', 0x81, 14],
    0x10,
    12,
    ...connect4,
    0x82,
    0,
    0,
    0,
    0,
  ),
  row(
    'CONNECT with bytes behind its end',
    every,
    ['TRAILING_BYTES', 0x81, 14],
    0x10,
    13,
    ...connect4,
    2,
    0,
    0,
    0,
    0,
    7,
  ),
  row(
    'CONNECT with U+0000 in the client identifier',
    every,
    ['NUL_CHARACTER', 0x81, 15],
    [0x10, 14, ...connect4, 2, 0, 0, 0, 2, 'a\0'],
  ),
  row(
    'CONNECT with a surrogate in the user name',
    every,
    ['UTF8_INVALID', 0x81, 16],
    [0x10, 17, ...connect4, 0x82, 0, 0, 0, 0, 0, 3, 0xed, 0xa0, 0x80],
  ),
  row(
    'CONNECT with a property list that is too long',
    every,
    ['PACKET_TOO_SHORT', 0x81, 13],
    [0x10, 13, ...connect5, 2, 0, 0, 9, 0, 0],
  ),
  row(
    'CONNECT with authentication data but no method',
    every,
    ['PROPERTY_MISSING', 0x82, 13],
    [0x10, 16, ...connect5, 2, 0, 0, 3, 0x16, 0, 0, 0, 0],
  ),
]

const publishing: readonly MalformedRow[] = [
  row('PUBLISH of QoS 3', every, ['QOS_INVALID', 0x81, 0], 0x36, 5, 0, 1, 'a', 0, 1),
  row('PUBLISH of QoS 0 with DUP', four, ['DUP_INVALID', 0x81, 0], 0x38, 3, 0, 1, 'a'),
  row('PUBLISH of QoS 0 with DUP', five, ['DUP_INVALID', 0x82, 0], 0x38, 4, 0, 1, 'a', 0),
  row('PUBLISH without a topic', every, ['PACKET_TOO_SHORT', 0x81, 2], 0x30, 1, 0),
  row('PUBLISH that ends inside its topic', every, ['PACKET_TOO_SHORT', 0x81, 2], 0x30, 3, 0, 2, 'a'),
  row('PUBLISH that ends inside its packet identifier', every, ['PACKET_TOO_SHORT', 0x81, 2], 0x32, 4, 0, 1, 'a', 0),
  row('PUBLISH with packet identifier 0', every, ['PACKET_ID_ZERO', 0x82, 5], 0x32, 5, 0, 1, 'a', 0, 0),
  row('PUBLISH with U+0000 in its topic', every, ['NUL_CHARACTER', 0x81, 5], 0x30, 6, 0, 3, 'a\0b', 0),
  row('PUBLISH without the property length', five, ['PACKET_TOO_SHORT', 0x81, 5], 0x30, 3, 0, 1, 'a'),
  row('PUBLISH with a property length beyond its end', five, ['PACKET_TOO_SHORT', 0x81, 5], 0x30, 4, 0, 1, 'a', 1),
  row('PUBLISH with property length 80 00', five, ['VARIABLE_INTEGER', 0x81, 5], 0x30, 5, 0, 1, 'a', 0x80, 0),
  row(
    'PUBLISH with a property length of 5 bytes',
    five,
    ['VARIABLE_INTEGER', 0x81, 5],
    [0x30, 8, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff, 1],
  ),
  row('PUBLISH with neither topic nor alias', five, ['TOPIC_EMPTY', 0x82, 4], 0x30, 3, 0, 0, 0),
  row('PUBLISH with topic alias 0', five, ['TOPIC_ALIAS_INVALID', 0x94, 7], 0x30, 7, 0, 1, 'a', 3, 0x23, 0, 0),
  row(
    'PUBLISH of a client with a subscription identifier',
    five,
    ['PROPERTY_NOT_ALLOWED', 0x82, 6],
    [0x30, 6, 0, 1, 'a', 2, 0x0b, 1],
  ),
  row(
    'PUBLISH with a wildcard in the response topic',
    five,
    ['PROPERTY_VALUE', 0x82, 10],
    [0x30, 9, 0, 1, 'a', 5, 0x08, 0, 2, 'b+'],
  ),
  row('PUBLISH with an empty response topic', five, ['PROPERTY_VALUE', 0x82, 7], 0x30, 7, 0, 1, 'a', 3, 0x08, 0, 0),
]

const acknowledging: readonly MalformedRow[] = [
  row('PUBACK without a packet identifier', every, ['PACKET_TOO_SHORT', 0x81, 2], 0x40, 1, 0),
  row('PUBREL with packet identifier 0', every, ['PACKET_ID_ZERO', 0x82, 2], 0x62, 2, 0, 0),
  row('PUBREC with a third byte', old, ['TRAILING_BYTES', 0x81, 4], 0x50, 3, 0, 1, 0),
  row('PUBACK with a reason code of PUBREL', five, ['REASON_CODE_INVALID', 0x81, 4], 0x40, 3, 0, 1, 0x92),
  row('PUBREC with an unknown reason code', five, ['REASON_CODE_INVALID', 0x81, 4], 0x50, 3, 0, 1, 0x01),
  row('PUBREL with a reason code of PUBACK', five, ['REASON_CODE_INVALID', 0x81, 4], 0x62, 3, 0, 1, 0x10),
  row('PUBCOMP with a reason code of PUBACK', five, ['REASON_CODE_INVALID', 0x81, 4], 0x70, 3, 0, 1, 0x87),
  row('PUBACK with a property list that is too long', five, ['PACKET_TOO_SHORT', 0x81, 5], 0x40, 4, 0, 1, 0, 1),
  row('PUBCOMP with bytes behind its properties', five, ['TRAILING_BYTES', 0x81, 6], 0x70, 5, 0, 1, 0, 0, 7),
]

const subscribing: readonly MalformedRow[] = [
  row('SUBSCRIBE with packet identifier 0', old, ['PACKET_ID_ZERO', 0x82, 2], 0x82, 6, 0, 0, 0, 1, 'a', 0),
  row('SUBSCRIBE without subscriptions', old, ['EMPTY_PAYLOAD', 0x82, 4], 0x82, 2, 0, 1),
  row('SUBSCRIBE without subscriptions', five, ['EMPTY_PAYLOAD', 0x82, 5], 0x82, 3, 0, 1, 0),
  row('SUBSCRIBE that ends before the options', old, ['PACKET_TOO_SHORT', 0x81, 7], 0x82, 5, 0, 1, 0, 1, 'a'),
  row('SUBSCRIBE with QoS 3', old, ['QOS_INVALID', 0x81, 7], 0x82, 6, 0, 1, 0, 1, 'a', 3),
  row('SUBSCRIBE with QoS 3', five, ['QOS_INVALID', 0x82, 8], 0x82, 7, 0, 1, 0, 0, 1, 'a', 3),
  row('SUBSCRIBE with an option of MQTT 5', four, ['RESERVED_BITS', 0x81, 7], 0x82, 6, 0, 1, 0, 1, 'a', 4),
  row('SUBSCRIBE with a reserved option', five, ['RESERVED_BITS', 0x81, 8], 0x82, 7, 0, 1, 0, 0, 1, 'a', 0x41),
  row('SUBSCRIBE with retain handling 3', five, ['RETAIN_HANDLING', 0x82, 8], 0x82, 7, 0, 1, 0, 0, 1, 'a', 0x30),
  row(
    'SUBSCRIBE with an overlong character in a filter',
    old,
    ['UTF8_INVALID', 0x81, 6],
    [0x82, 7, 0, 1, 0, 2, 0xc0, 0x80, 0],
  ),
  row(
    'SUBSCRIBE with two subscription identifiers',
    five,
    ['PROPERTY_REPEATED', 0x82, 7],
    [0x82, 11, 0, 1, 4, 0x0b, 1, 0x0b, 2, 0, 1, 'a', 0],
  ),
  row('UNSUBSCRIBE with packet identifier 0', old, ['PACKET_ID_ZERO', 0x82, 2], 0xa2, 5, 0, 0, 0, 1, 'a'),
  row('UNSUBSCRIBE without filters', old, ['EMPTY_PAYLOAD', 0x82, 4], 0xa2, 2, 0, 1),
  row('UNSUBSCRIBE without filters', five, ['EMPTY_PAYLOAD', 0x82, 5], 0xa2, 3, 0, 1, 0),
  row('UNSUBSCRIBE with U+0000 in a filter', old, ['NUL_CHARACTER', 0x81, 6], 0xa2, 5, 0, 1, 0, 1, '\0'),
  row('UNSUBSCRIBE that ends inside a filter', old, ['PACKET_TOO_SHORT', 0x81, 6], 0xa2, 5, 0, 1, 0, 2, 'a'),
]

const others: readonly MalformedRow[] = [
  row('CONNACK with reserved flags', every, ['RESERVED_BITS', 0x81, 2], 0x20, 3, 2, 0, 0),
  row('CONNACK with return code 6', old, ['REASON_CODE_INVALID', 0x81, 3], 0x20, 2, 0, 6),
  row('CONNACK with a return code of MQTT 3.1.1', five, ['REASON_CODE_INVALID', 0x81, 3], 0x20, 3, 0, 1, 0),
  row('CONNACK with a session although it refuses', old, ['SESSION_PRESENT', 0x82, 2], 0x20, 2, 1, 5),
  row('CONNACK with a session although it refuses', five, ['SESSION_PRESENT', 0x82, 2], 0x20, 3, 1, 0x87, 0),
  row('SUBACK without codes', old, ['EMPTY_PAYLOAD', 0x82, 4], 0x90, 2, 0, 1),
  row('SUBACK with code 3', old, ['REASON_CODE_INVALID', 0x81, 4], 0x90, 3, 0, 1, 3),
  row('SUBACK with code 3', five, ['REASON_CODE_INVALID', 0x81, 5], 0x90, 4, 0, 1, 0, 3),
  row('UNSUBACK with a payload', old, ['TRAILING_BYTES', 0x81, 4], 0xb0, 3, 0, 1, 0),
  row('UNSUBACK without codes', five, ['EMPTY_PAYLOAD', 0x82, 5], 0xb0, 3, 0, 1, 0),
  row('UNSUBACK with a code of SUBACK', five, ['REASON_CODE_INVALID', 0x81, 5], 0xb0, 4, 0, 1, 0, 1),
  row('DISCONNECT with a body', old, ['TRAILING_BYTES', 0x81, 2], 0xe0, 1, 0),
  row('DISCONNECT with an unknown reason code', five, ['REASON_CODE_INVALID', 0x81, 2], 0xe0, 1, 1),
  row('DISCONNECT with bytes behind its properties', five, ['TRAILING_BYTES', 0x81, 4], 0xe0, 3, 0, 0, 7),
  row('AUTH with an unknown reason code', five, ['REASON_CODE_INVALID', 0x81, 2], 0xf0, 2, 1, 0),
  row('AUTH without the property length', five, ['PACKET_TOO_SHORT', 0x81, 3], 0xf0, 1, 0x18),
  row('AUTH without a method', five, ['PROPERTY_MISSING', 0x82, 3], 0xf0, 2, 0x18, 0),
  row('a property that no packet has', five, ['PROPERTY_UNKNOWN', 0x81, 4], 0xe0, 4, 0, 2, 0x04, 0),
  row('a property identifier of two bytes', five, ['PROPERTY_UNKNOWN', 0x81, 4], 0xe0, 5, 0, 3, 0xa6, 0x01, 0),
]

/** One row for each way in which a packet can be wrong; those of properties are in property-rules.test.ts. */
export const malformedRows: readonly MalformedRow[] = [
  ...framing,
  ...connecting,
  ...publishing,
  ...acknowledging,
  ...subscribing,
  ...others,
]
