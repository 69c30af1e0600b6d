import { describe, expect, test } from 'vitest'
import { type ProtocolVersion, PublishFrame, type Sender } from '../src/index.ts'
import { bytes } from './bytes.ts'

/** Reads a PUBLISH with a one-byte length field, which starts at `start`. */
function read(frame: PublishFrame, source: Buffer, version: ProtocolVersion, sender: Sender, start = 0): PublishFrame {
  frame.read(source, source[start] ?? 0, start, start + 2, source.length, version, sender)
  return frame
}

const withEverything = bytes(
  [0x33, 36], // PUBLISH, QoS 1, RETAIN, 36 bytes remain
  [0, 1, 'a'], // topic
  [0, 9], // packet identifier 9
  29, // 29 bytes of properties
  [0x02, 0x80, 0, 0, 1], // message expiry interval 2147483649 s
  [0x03, 0, 1, 'c'], // content type
  [0x0b, 0x81, 0x01], // subscription identifier 129
  [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
  [0x0b, 2], // subscription identifier 2
  [0x23, 1, 0], // topic alias 256
  [0x26, 0, 0, 0, 0], // user property '' = ''
  '!', // payload
)

test('describes every field', () => {
  const frame = read(new PublishFrame(), Buffer.concat([bytes(1, 2, 3), withEverything]), 5, 'server', 3)
  expect(frame).toMatchObject({
    frameStart: 3,
    topicStart: 7,
    topicEnd: 8,
    messageId: 9,
    propertiesStart: 11,
    propertiesEnd: 40,
    payloadStart: 40,
    frameEnd: 41,
    qos: 1,
    dup: false,
    retain: true,
    topicAlias: 256,
    messageExpiryInterval: 2_147_483_649,
    forwardable: false,
    subscriptionIdentifiers: [129, 2],
  })
})

test('forgets the packet before', () => {
  const frame = read(new PublishFrame(), withEverything, 5, 'server')
  read(frame, bytes(0x30, 5, 0, 1, 'b', 0, '?'), 5, 'client')
  expect(frame).toMatchObject({
    messageId: 0,
    qos: 0,
    retain: false,
    topicAlias: 0,
    messageExpiryInterval: -1,
    forwardable: true,
    subscriptionIdentifiers: [],
  })
  expect(frame.propertiesStart).toBe(frame.propertiesEnd)
  expect(frame.payload().toString()).toBe('?')
})

test('shares one empty array while there are no subscription identifiers', () => {
  const plain = bytes(0x30, 4, 0, 1, 'b', 0)
  const first = read(new PublishFrame(), plain, 5, 'server').subscriptionIdentifiers
  expect(read(new PublishFrame(), plain, 4, 'client').subscriptionIdentifiers).toBe(first)
})

test('the payload is a view, the forwardable properties are a copy', () => {
  const source = Buffer.from(withEverything)
  const frame = read(new PublishFrame(), source, 5, 'server')
  const properties = frame.forwardableProperties()
  const payload = frame.payload()
  source.fill(0)
  expect(payload).toEqual(bytes(0))
  expect(properties).toEqual(bytes(0x03, 0, 1, 'c', 0x26, 0, 1, 'k', 0, 1, 'v', 0x26, 0, 0, 0, 0))
})

test.each([
  { title: 'none', properties: [], forwardable: true, left: undefined },
  { title: 'a user property', properties: [0x26, 0, 0, 0, 0], forwardable: true, left: [0x26, 0, 0, 0, 0] },
  { title: 'a topic alias', properties: [0x23, 0, 1], forwardable: false, left: undefined },
  { title: 'a message expiry interval', properties: [0x02, 0, 0, 0, 1], forwardable: false, left: undefined },
  { title: 'an alias and a format', properties: [0x23, 0, 1, 0x01, 1], forwardable: false, left: [0x01, 1] },
])('knows whether properties may be sent on as they are: $title', ({ properties, forwardable, left }) => {
  const source = bytes(0x30, 4 + properties.length, 0, 1, 'a', properties.length, ...properties)
  const frame = read(new PublishFrame(), source, 5, 'client')
  expect(frame.forwardable).toBe(forwardable)
  expect(frame.forwardableProperties()).toEqual(left && bytes(...left))
})

describe('an empty topic', () => {
  test('is accepted with a topic alias', () => {
    expect(read(new PublishFrame(), bytes(0x30, 6, 0, 0, 3, 0x23, 0, 8), 5, 'client').topicAlias).toBe(8)
  })

  test('is left to the caller before MQTT 5', () => {
    const frame = read(new PublishFrame(), bytes(0x30, 2, 0, 0), 4, 'client')
    expect(frame.topicEnd - frame.topicStart).toBe(0)
  })
})

test('the topic is not checked: that is for TopicInterner', () => {
  expect(() => read(new PublishFrame(), bytes(0x30, 3, 0, 1, 0xff), 4, 'client')).not.toThrow()
})

test('the object holds the given topic and every property', () => {
  expect(read(new PublishFrame(), withEverything, 5, 'server').toPacket('a')).toEqual({
    cmd: 'publish',
    qos: 1,
    dup: false,
    retain: true,
    length: 36,
    topic: 'a',
    messageId: 9,
    payload: Buffer.from('!'),
    properties: {
      messageExpiryInterval: 2_147_483_649,
      contentType: 'c',
      subscriptionIdentifier: [129, 2],
      userProperties: { k: 'v', '': '' },
      topicAlias: 256,
    },
  })
})

test('QoS 3 is refused also without a FrameReader', { tags: ['MQTT5-3.3.1-4'] }, () => {
  const refused = expect.objectContaining({ code: 'QOS_INVALID', offset: 0 })
  expect(() => read(new PublishFrame(), bytes(0x36, 5, 0, 1, 'a', 0, 1), 4, 'client')).toThrow(refused)
})
