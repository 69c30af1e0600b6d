import { describe, expect, test } from 'vitest'
import {
  encodePublishProperties,
  messageIdOffset,
  type OutgoingPublish,
  type ProtocolVersion,
  publishSize,
  writePublish,
} from '../src/index.ts'
import { bytes, userProperty } from './bytes.ts'

const plain: OutgoingPublish = {
  topic: 'a',
  payload: bytes('!'),
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
  properties: undefined,
  messageExpiryInterval: undefined,
  subscriptionIdentifiers: undefined,
  topicAlias: undefined,
}

function write(publish: OutgoingPublish, version: ProtocolVersion): Buffer {
  const size = publishSize(publish, version)
  const target = Buffer.alloc(size + 6, 0xee)
  const end = writePublish(target, 3, publish, version)
  expect(end).toBe(3 + size)
  expect([...target.subarray(0, 3), ...target.subarray(end)]).toEqual([0xee, 0xee, 0xee, 0xee, 0xee, 0xee])
  return target.subarray(3, end)
}

test('writes flags, topic, packet identifier and payload', () => {
  const publish: OutgoingPublish = { ...plain, qos: 2, retain: true, dup: true, messageId: 0xfffe }
  expect(write(publish, 4)).toEqual(bytes(0x3d, 6, 0, 1, 'a', 0xff, 0xfe, '!'))
})

test('leaves out the packet identifier at QoS 0', () => {
  expect(write({ ...plain, messageId: 7 }, 3)).toEqual(bytes(0x30, 4, 0, 1, 'a', '!'))
})

test('writes every property in MQTT 5 and none before', () => {
  const publish: OutgoingPublish = {
    ...plain,
    topic: '',
    properties: bytes(0x01, 1),
    messageExpiryInterval: 0xfedc_ba98,
    subscriptionIdentifiers: [1, 128],
    topicAlias: 0x102,
  }
  const expected = bytes(
    [0x30, 19], // PUBLISH, 19 bytes remain
    [0, 0], // topic ''
    15, // 15 bytes of properties
    [0x23, 1, 2], // topic alias
    [0x02, 0xfe, 0xdc, 0xba, 0x98], // message expiry interval
    [0x0b, 1, 0x0b, 0x80, 1], // subscription identifiers
    [0x01, 1], // payload format indicator, as given
    '!', // payload
  )
  expect(write(publish, 5)).toEqual(expected)
  expect(write(publish, 4)).toEqual(bytes(0x30, 3, 0, 0, '!'))
})

describe.each([1, 12, 13, 16, 17, 24, 25, 48, 49, 300, 65_535])('a topic of %i bytes', size => {
  test('of ASCII characters is written whole', () => {
    const frame = write({ ...plain, topic: 't'.repeat(size), payload: Buffer.alloc(0) }, 4)
    expect(frame.subarray(-size - 2)).toEqual(bytes(size >> 8, size & 255, 't'.repeat(size)))
  })

  test('that ends in a character of three bytes is written whole', () => {
    const topic = `${'t'.repeat(Math.max(0, size - 3))}€`
    const frame = write({ ...plain, topic, payload: Buffer.alloc(0) }, 4)
    expect(frame.subarray(-Buffer.byteLength(topic)).toString()).toBe(topic)
  })
})

test.each([0, 1, 12, 13, 123, 124, 16_379, 16_380, 2_097_147, 2_097_148])('a payload of %i bytes', size => {
  const payload = Uint8Array.from({ length: size }, (_, index) => index)
  const frame = write({ ...plain, payload }, 4)
  const remaining = size + 3
  const field = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4
  expect(frame.length).toBe(1 + field + remaining)
  expect(frame.subarray(1 + field + 3).equals(payload)).toBe(true)
})

test('finds the packet identifier behind a length field of any size', () => {
  for (const size of [0, 200, 20_000, 2_100_000]) {
    const frame = write({ ...plain, topic: 'topic', qos: 1, messageId: 0xabcd, payload: new Uint8Array(size) }, 5)
    const moved = Buffer.concat([bytes(1, 2), frame])
    expect(moved.readUInt16BE(messageIdOffset(moved, 2))).toBe(0xabcd)
  }
})

describe('encodePublishProperties', () => {
  test('encodes lists of any length, and after them short ones', () => {
    const value = 'é'.repeat(30_000)
    const list = encodePublishProperties({ userProperties: { name: [value, value, value] } })
    const one = Buffer.concat([bytes(0x26, 0, 4, 'name', 60_000 >> 8, 60_000 & 0xff), Buffer.from(value, 'utf8')])
    expect(Buffer.concat([one, one, one]).equals(list as Uint8Array)).toBe(true)
    expect(encodePublishProperties({ contentType: 'c' })).toEqual(bytes(0x03, 0, 1, 'c'))
  })

  test('leaves out what belongs to the hop', () => {
    const properties = { topicAlias: 1, messageExpiryInterval: 2, subscriptionIdentifier: [3], contentType: 'c' }
    expect(encodePublishProperties(properties)).toEqual(bytes(0x03, 0, 1, 'c'))
    expect(encodePublishProperties({ topicAlias: 1 })).toBeUndefined()
    expect(encodePublishProperties({})).toBeUndefined()
  })

  test('keeps the order of the values of a user property, and a name of __proto__', () => {
    const userProperties = Object.fromEntries([['__proto__', ['1', '', '2']]])
    expect(encodePublishProperties({ userProperties })).toEqual(
      bytes(...['1', '', '2'].map(value => userProperty('__proto__', value))),
    )
  })

  test.each([
    { properties: { responseTopic: 'a/+' }, code: 'PROPERTY_VALUE' },
    { properties: { responseTopic: '' }, code: 'PROPERTY_VALUE' },
    { properties: { contentType: 'c\0' }, code: 'NUL_CHARACTER' },
    { properties: { contentType: '\uD800' }, code: 'UTF8_INVALID' },
    { properties: { contentType: 'c'.repeat(65_536) }, code: 'PROPERTY_VALUE' },
    { properties: { contentType: 7 }, code: 'PROPERTY_VALUE' },
    { properties: { payloadFormatIndicator: 1 }, code: 'PROPERTY_VALUE' },
    { properties: { correlationData: 'text' }, code: 'PROPERTY_VALUE' },
    { properties: { userProperties: { k: 1 } }, code: 'PROPERTY_VALUE' },
    { properties: { userProperties: 'k=v' }, code: 'PROPERTY_VALUE' },
    { properties: { contentType: ['a', 'b'] }, code: 'PROPERTY_REPEATED' },
    { properties: { receiveMaximum: 1 }, code: 'PROPERTY_NOT_ALLOWED' },
    { properties: { retain: true }, code: 'PROPERTY_UNKNOWN' },
  ])('refuses $properties with $code', ({ properties, code }) => {
    expect(() => encodePublishProperties(properties as object)).toThrow(expect.objectContaining({ code, offset: 0 }))
  })
})
