import { expect, test } from 'vitest'
import { Decoder, FrameReader, type Packet, PublishFrame } from '../src/index.ts'
import { bytes, type Part } from './bytes.ts'

/** What MQTT 3.1 leaves open, and 3.1.1 and 5.0 forbid. */

function decode(protocolVersion: 3 | 4 | 5, frame: Buffer): Packet {
  const [packet] = new Decoder({ protocolVersion }).push(frame)
  if (packet === undefined) throw new Error('no packet')
  return packet
}

const subscribe = [0, 1, 0, 1, 'a', 0] as const // packet identifier 1, filter 'a', QoS 0

test.for<[string, Part[], object]>([
  ['SUBSCRIBE, repeated', [0x8a, 6, ...subscribe], { cmd: 'subscribe', dup: true, messageId: 1 }],
  ['SUBSCRIBE without its flag', [0x80, 6, ...subscribe], { cmd: 'subscribe', dup: false, messageId: 1 }],
  ['UNSUBSCRIBE, repeated', [0xaa, 5, 0, 1, 0, 1, 'a'], { cmd: 'unsubscribe', dup: true, unsubscriptions: ['a'] }],
  ['PUBREL, repeated', [0x6a, 2, 0, 1], { cmd: 'pubrel', messageId: 1 }],
  ['PUBREL without its flag', [0x60, 2, 0, 1], { cmd: 'pubrel', messageId: 1 }],
  ['PUBACK with flags', [0x4f, 2, 0, 1], { cmd: 'puback', messageId: 1 }],
  ['PUBREC with flags', [0x52, 2, 0, 1], { cmd: 'pubrec', messageId: 1 }],
  ['PUBCOMP with flags', [0x78, 2, 0, 1], { cmd: 'pubcomp', messageId: 1 }],
  ['PINGREQ with flags', [0xc2, 0], { cmd: 'pingreq' }],
  ['DISCONNECT with flags', [0xe8, 0], { cmd: 'disconnect' }],
  ['PUBLISH of QoS 0 with DUP', [0x38, 4, 0, 1, 'a', '!'], { cmd: 'publish', dup: true, qos: 0, topic: 'a' }],
])('accepts a %s', ([, parts, packet]) => {
  expect(decode(3, bytes(...parts))).toMatchObject(packet)
  expect(() => decode(4, bytes(...parts))).toThrow(expect.objectContaining({ name: 'PacketError' }))
})

test.for([0x04, 0x40, 0x80, 0xfc])('the upper six bits of a requested QoS are unused: %i', bits => {
  expect(decode(3, bytes(0x82, 6, 0, 1, 0, 1, 'a', bits | 1))).toMatchObject({
    subscriptions: [{ topic: 'a', qos: 1 }],
  })
})

test('QoS 3 is wrong in every version', () => {
  expect(() => decode(3, bytes(0x82, 6, 0, 1, 0, 1, 'a', 3))).toThrow('Invalid subscribe QoS, must be <= 2')
  expect(() => decode(3, bytes(0x36, 5, 0, 1, 'a', 0, 1))).toThrow('Packet must not have both QoS bits set to 1')
})

/** CONNECT with the level and the flags, keep alive 60 s, client identifier 'c', and what follows. */
function connect(header: number, name: string, level: number, flags: number, ...rest: Part[]): Buffer {
  const body = bytes(0, name.length, name, level, flags, 0, 60, 0, 1, 'c', ...rest)
  return bytes(header, body.length, body)
}

const named = [0, 1, 'u'] as const

test.for<[string, number, number, Part[], object]>([
  ['flags in its first byte', 0x1b, 0x02, [], { clean: true }],
  ['the reserved flag', 0x10, 0x03, [], { clean: true }],
  ['will QoS and will retain but no will', 0x10, 0x3a, [], { clean: true }],
  ['a user name flag and no user name', 0x10, 0x82, [], { clean: true }],
  ['user name and password flags and neither of them', 0x10, 0xc2, [], { clean: true }],
  ['a password flag and no password', 0x10, 0xc2, [...named], { username: 'u' }],
  ['an empty user name', 0x10, 0x82, [0, 0], { username: '' }],
  ['an empty password', 0x10, 0xc2, [...named, 0, 0], { username: 'u', password: Buffer.alloc(0) }],
])('accepts a CONNECT with %s', ([, header, flags, rest, packet]) => {
  const expected = { cmd: 'connect', clientId: 'c', keepalive: 60, ...packet }
  expect(decode(4, connect(header, 'MQIsdp', 3, flags, ...rest))).toMatchObject(expected)
  expect(decode(4, connect(header, 'MQIsdp', 3, flags, ...rest))).not.toMatchObject({ will: {} })
  // A bridge's.
  expect(decode(4, connect(header, 'MQIsdp', 0x83, flags, ...rest))).toMatchObject({ ...expected, bridgeMode: true })
})

test.for<[string, number, Part[], string]>([
  ['a password without a user name', 0x42, [0, 1, 'p'], 'Password Flag must be set to zero'],
  ['a will of QoS 3', 0x1e, [0, 1, 'w', 0, 0], 'Will QoS must not be 3'],
  ['half a user name', 0x82, [0, 9, 'u'], 'it ends inside the user name'],
  ['half a length of a user name', 0x82, [0], 'it ends inside the user name'],
])('refuses a CONNECT with %s', ([, flags, rest, message]) => {
  expect(() => decode(4, connect(0x10, 'MQIsdp', 3, flags, ...rest))).toThrow(message)
})

test('a CONNECT of MQTT 3.1 makes the Decoder lenient, one of 3.1.1 strict', () => {
  const repeated = bytes(0x6a, 2, 0, 1)
  const lenient = new Decoder()
  expect([...lenient.push(Buffer.concat([connect(0x10, 'MQIsdp', 3, 2), repeated]))]).toHaveLength(2)
  const strict = new Decoder({ protocolVersion: 3 })
  expect(() => [...strict.push(Buffer.concat([connect(0x10, 'MQTT', 4, 2), repeated]))]).toThrow('Invalid header flag')
})

test('the version of a FrameReader says whether it looks at flags, byte by byte as well', () => {
  const reader = new FrameReader({ maximumPacketSize: 100 })
  reader.version = 3
  for (const byte of [0x6a, 2, 0]) {
    reader.push(Buffer.of(byte))
    expect(reader.next()).toBe(false)
  }
  reader.push(Buffer.of(1))
  expect(reader.next()).toBe(true)
  reader.version = 4
  reader.push(Buffer.of(0x6a, 2, 0, 1))
  expect(() => reader.next()).toThrow('Invalid header flag bits, must be 0x2 for pubrel packet')
})

test('a PUBLISH of QoS 0 with DUP is not sent on as it stands', () => {
  const publish = new PublishFrame()
  publish.read(bytes(0x38, 4, 0, 1, 'a', '!'), 0x38, 0, 2, 6, 3, 'client')
  expect(publish).toMatchObject({ dup: true, forwardable: false })
  publish.read(bytes(0x30, 4, 0, 1, 'a', '!'), 0x30, 0, 2, 6, 3, 'client')
  expect(publish).toMatchObject({ dup: false, forwardable: true })
})
