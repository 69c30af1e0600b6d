import { expect, test } from 'vitest'
import { BufferPool } from '../src/connection/buffer-pool.ts'
import { createCounters } from '../src/ground/counters.ts'
import { FlushQueue } from '../src/connection/flush-queue.ts'
import { Outbox } from '../src/connection/outbox.ts'
import { Publication } from '../src/message/publication.ts'
import type { Envelope } from '../src/message/publication.ts'
import { readPublish } from './support/frame.ts'
import { HeldStream } from './support/held-stream.ts'
import { PropertyId, property } from './support/property.ts'
import { publish } from './support/wire.ts'
import type { QoS, Version } from './support/wire.ts'

const origin = { publisher: 'p', brokerId: 'b', brokerCounter: 1, now: 0 }
const plain: Envelope = {
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
  subscriptionIdentifiers: undefined,
  topicAlias: 0,
  topicKnown: false,
}

function publicationOf(
  content: Partial<ConstructorParameters<typeof Publication>[2]> = {},
  topic = 'a/b',
): Publication {
  const message = {
    payload: Buffer.from('payload'),
    qos: 2,
    retain: true,
    properties: undefined,
    expiresAt: undefined,
  } as const
  return new Publication(topic, origin, { ...message, ...content } as ConstructorParameters<typeof Publication>[2])
}

/** What is written for one receiver. */
async function written(
  publication: Publication,
  version: Version,
  envelope: Partial<Envelope>,
  now = 0,
  maximumPacketSize = 0xffffffff,
): Promise<Buffer | undefined> {
  const stream = new HeldStream()
  stream.flowing = true
  const shared = {
    pool: new BufferPool(),
    flushQueue: new FlushQueue(),
    counters: createCounters(),
    highWaterMark: 1_000_000,
  }
  const outbox = new Outbox(stream, shared, {
    outboxFull: () => undefined,
    outboxFailed: () => undefined,
    outboxDrained: () => undefined,
  })
  const done = publication.writeTo({ outbox, version, maximumPacketSize }, { ...plain, ...envelope }, now)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  const frames = stream.frames()
  expect(frames).toHaveLength(done ? 1 : 0)
  return frames[0]?.bytes
}

test('is written byte by byte as the packet says, for every version, QoS and flag', async () => {
  for (const version of [3, 4, 5] as const) {
    const publication = publicationOf()
    for (const qos of [0, 1, 2, 1, 0] as const) {
      for (const [retain, dup, id] of [
        [false, false, 1],
        [true, true, 65_535],
        [true, false, 256],
      ] as const) {
        const expected = publish({ version, topic: 'a/b', payload: 'payload', qos, retain, dup, id })
        expect(await written(publication, version, { qos, retain, dup, messageId: qos === 0 ? 0 : id })).toEqual(
          expected,
        )
      }
    }
  }
})

/** What an MQTT 5 client reads. */
function read(bytes: Buffer = Buffer.alloc(0)): ReturnType<typeof readPublish> {
  return readPublish({ type: 'publish', flags: (bytes[0] ?? 0) & 15, body: bytes.subarray(2), bytes }, 5)
}

test(
  'the time that is left is no more than it was, although another broker is ahead by some ms, and a second until it is over',
  { tags: ['MQTT5-3.3.2-6'] },
  async () => {
    for (const [left, seconds] of [
      [60_000, 60],
      [60_003, 60],
      [59_950, 60],
      [59_100, 59],
      [1_003, 1],
      [50, 1],
      [0, 0],
    ] as const) {
      const { properties } = read(
        await written(publicationOf({ expiresAt: 1000 + left }), 5, { qos: 1, messageId: 9 }, 1000),
      )
      expect(properties, `${left} ms`).toEqual([[PropertyId.messageExpiryInterval, seconds]])
    }
  },
)

test('has its properties, the time that is left, identifiers and alias in MQTT 5 only', async () => {
  const user = property.userProperty('n', 'v')
  const publication = publicationOf({ properties: Uint8Array.from(user), expiresAt: 10_500 })
  const old = await written(publication, 4, { qos: 1, messageId: 9, subscriptionIdentifiers: [3], topicAlias: 2 }, 1000)
  expect(old).toEqual(publish({ version: 4, topic: 'a/b', payload: 'payload', qos: 1, id: 9 }))
  const bytes = await written(
    publication,
    5,
    { qos: 1, messageId: 9, subscriptionIdentifiers: [3, 300], topicAlias: 2 },
    1000,
  )
  const { topic, id, payload, properties } = read(bytes)
  expect({ topic, id, payload }).toEqual({ topic: 'a/b', id: 9, payload: 'payload' })
  expect(properties.toSorted(([a], [b]) => a - b)).toEqual([
    [PropertyId.messageExpiryInterval, 10],
    [PropertyId.subscriptionIdentifier, 3],
    [PropertyId.subscriptionIdentifier, 300],
    [PropertyId.topicAlias, 2],
    [PropertyId.userProperty, ['n', 'v']],
  ])
})

test('a topic that the receiver knows by its alias is not sent', async () => {
  const bytes = await written(publicationOf(), 5, { topicAlias: 5, topicKnown: true })
  expect(bytes).toEqual(publish({ topic: '', payload: 'payload', properties: property.topicAlias(5) }))
})

test('is not written at all above the Maximum Packet Size of the receiver', { tags: ['MQTT5-3.1.2-24'] }, async () => {
  for (const version of [4, 5] as const) {
    for (const qos of [0, 1] as QoS[]) {
      const size = publish({ version, topic: 'a/b', payload: 'payload', qos }).length
      expect(await written(publicationOf(), version, { qos, messageId: qos }, 0, size)).toHaveLength(size)
      expect(await written(publicationOf(), version, { qos, messageId: qos }, 0, size - 1)).toBeUndefined()
    }
  }
})

test('a topic of several bytes per letter and a large payload keep the identifier in its place', async () => {
  const payload = Buffer.alloc(20_000, 7)
  const publication = publicationOf({ payload }, 'ü/日本/☺')
  for (const version of [4, 5] as const) {
    expect(await written(publication, version, { qos: 2, messageId: 0x1234 })).toEqual(
      publish({ version, topic: 'ü/日本/☺', payload, qos: 2, id: 0x1234 }),
    )
  }
})

test('kept() of a message that was made here has bytes of its own, and its fields are as given', () => {
  const pooled = Buffer.from('!payload').subarray(1)
  const publication = publicationOf({ expiresAt: 77, payload: pooled })
  const kept = publication.kept()
  pooled.fill(0)
  expect(publication.kept()).toBe(kept)
  expect(kept.payload.buffer.byteLength).toBe('payload'.length)
  expect(kept).toMatchObject({
    topic: 'a/b',
    payload: Buffer.from('payload'),
    qos: 2,
    retain: true,
    expiresAt: 77,
    publisher: 'p',
    brokerId: 'b',
    brokerCounter: 1,
  })
})
