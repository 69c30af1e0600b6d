import { describe, expect, test } from 'vitest'
import { encode, type Packet, type ProtocolVersion } from '../src/index.ts'
import { bytes } from './bytes.ts'

const subscribe = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] } as const
const publish = { cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false } as const
const connect = { cmd: 'connect', clientId: 'c' } as const

interface BadRow {
  readonly title: string
  readonly version: ProtocolVersion
  readonly packet: object
  readonly code: string
}

const bad: readonly BadRow[] = [
  { title: 'packet identifier 0', version: 4, packet: { ...subscribe, messageId: 0 }, code: 'PACKET_ID_ZERO' },
  { title: 'packet identifier 65536', version: 4, packet: { ...subscribe, messageId: 65_536 }, code: 'UNENCODABLE' },
  { title: 'packet identifier 1.5', version: 4, packet: { ...subscribe, messageId: 1.5 }, code: 'UNENCODABLE' },
  { title: 'no packet identifier', version: 4, packet: { ...subscribe, messageId: undefined }, code: 'UNENCODABLE' },
  { title: 'no subscription', version: 4, packet: { ...subscribe, subscriptions: [] }, code: 'UNENCODABLE' },
  {
    title: 'a subscription of QoS 3',
    version: 5,
    packet: { ...subscribe, subscriptions: [{ topic: 'a', qos: 3 }] },
    code: 'UNENCODABLE',
  },
  {
    title: 'retain handling 3',
    version: 5,
    packet: { ...subscribe, subscriptions: [{ topic: 'a', qos: 1, rh: 3 }] },
    code: 'UNENCODABLE',
  },
  {
    title: 'U+0000 in a filter',
    version: 4,
    packet: { ...subscribe, subscriptions: [{ topic: 'a\0', qos: 1 }] },
    code: 'NUL_CHARACTER',
  },
  {
    title: 'a lone surrogate in a filter',
    version: 4,
    packet: { ...subscribe, subscriptions: [{ topic: '\uDC00', qos: 1 }] },
    code: 'UTF8_INVALID',
  },
  {
    title: 'a filter of 65536 bytes',
    version: 4,
    packet: { ...subscribe, subscriptions: [{ topic: 'a'.repeat(65_536), qos: 1 }] },
    code: 'UNENCODABLE',
  },
  {
    title: 'a property of another packet',
    version: 5,
    packet: { ...subscribe, properties: { reasonString: 'r' } },
    code: 'PROPERTY_NOT_ALLOWED',
  },
  {
    title: 'a fraction as a property',
    version: 5,
    packet: { ...subscribe, properties: { subscriptionIdentifier: 1.5 } },
    code: 'PROPERTY_VALUE',
  },
  {
    title: 'a wildcard in the response topic of a will',
    version: 5,
    packet: { ...connect, will: { topic: 'w', payload: '', properties: { responseTopic: '#' } } },
    code: 'PROPERTY_VALUE',
  },
  {
    title: 'will QoS 3',
    version: 4,
    packet: { ...connect, will: { topic: 'w', payload: '', qos: 3 } },
    code: 'UNENCODABLE',
  },
  {
    title: 'a bridge of MQTT 5',
    version: 5,
    packet: { ...connect, protocolVersion: 5, bridgeMode: true },
    code: 'UNENCODABLE',
  },
  { title: 'a password alone', version: 4, packet: { ...connect, password: Buffer.from('p') }, code: 'UNENCODABLE' },
  { title: 'keep alive of 65536 s', version: 4, packet: { ...connect, keepalive: 65_536 }, code: 'UNENCODABLE' },
  { title: 'QoS 3', version: 4, packet: { ...publish, qos: 3 }, code: 'UNENCODABLE' },
  { title: 'QoS 1 without identifier', version: 4, packet: { ...publish, qos: 1 }, code: 'PACKET_ID_ZERO' },
  { title: 'QoS 0 with DUP', version: 4, packet: { ...publish, dup: true }, code: 'DUP_INVALID' },
  { title: 'U+0000 in a topic', version: 4, packet: { ...publish, topic: '\0' }, code: 'NUL_CHARACTER' },
  {
    title: 'a topic of 65536 bytes',
    version: 4,
    packet: { ...publish, topic: 'a'.repeat(65_536) },
    code: 'UNENCODABLE',
  },
  { title: 'neither topic nor alias', version: 5, packet: { ...publish, topic: '' }, code: 'TOPIC_EMPTY' },
  {
    title: 'topic alias 0',
    version: 5,
    packet: { ...publish, properties: { topicAlias: 0 } },
    code: 'TOPIC_ALIAS_INVALID',
  },
  {
    title: 'an unknown return code',
    version: 4,
    packet: { cmd: 'connack', returnCode: 9 },
    code: 'REASON_CODE_INVALID',
  },
  { title: 'no return code', version: 4, packet: { cmd: 'connack' }, code: 'UNENCODABLE' },
  {
    title: 'a session beside a refusal',
    version: 5,
    packet: { cmd: 'connack', sessionPresent: true, reasonCode: 0x87 },
    code: 'SESSION_PRESENT',
  },
  {
    title: 'a reason code of another packet',
    version: 5,
    packet: { cmd: 'pubrel', messageId: 1, reasonCode: 0x87 },
    code: 'REASON_CODE_INVALID',
  },
  {
    title: 'granted QoS 3',
    version: 4,
    packet: { cmd: 'suback', messageId: 1, granted: [3] },
    code: 'REASON_CODE_INVALID',
  },
  { title: 'granted 256', version: 4, packet: { cmd: 'suback', messageId: 1, granted: [256] }, code: 'UNENCODABLE' },
  { title: 'AUTH before MQTT 5', version: 4, packet: { cmd: 'auth', reasonCode: 0x18 }, code: 'UNENCODABLE' },
  { title: 'AUTH without a method', version: 5, packet: { cmd: 'auth', reasonCode: 0x18 }, code: 'PROPERTY_MISSING' },
  { title: 'an unknown command', version: 4, packet: { cmd: 'hello' }, code: 'UNENCODABLE' },
]

describe('a packet without valid bytes', () => {
  test.each(bad)('is refused: $title, with $code', ({ packet, version, code }) => {
    expect(() => encode(packet as Packet, version)).toThrow(expect.objectContaining({ name: 'PacketError', code }))
  })
})

test('strings are allowed as payload, in UTF-8', () => {
  expect(encode({ ...publish, payload: 'é' }, 4)).toEqual(bytes(0x30, 5, 0, 1, 'a', 0xc3, 0xa9))
})

test('properties are ignored before MQTT 5', () => {
  expect(encode({ ...publish, properties: { topicAlias: 1 } }, 4)).toEqual(bytes(0x30, 3, 0, 1, 'a'))
  expect(encode({ cmd: 'puback', messageId: 1, properties: { reasonString: 'r' } }, 4)).toEqual(bytes(0x40, 2, 0, 1))
})

test('the packet is not changed', () => {
  const packet: Packet = Object.freeze({
    cmd: 'disconnect',
    reasonCode: 0,
    properties: Object.freeze({ reasonString: 'r', userProperties: Object.freeze({ k: 'v' }) }),
  })
  expect(encode(packet, 5).length).toBeGreaterThan(4)
})

test("a CONNECT's own version comes before the connection's", () => {
  const frame = encode({ ...connect, protocolVersion: 5 }, 4)
  expect(frame).toEqual(bytes(0x10, 14, 0, 4, 'MQTT', 5, 2, 0, 0, 0, 0, 1, 'c'))
})
