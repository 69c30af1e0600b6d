import { describe, expect, test } from 'vitest'
import type { BrokerOptions } from '../src/index.ts'
import { PropertyId, property, propertyValue, propertyValues } from './support/property.ts'
import { Random } from './support/random.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker } from './support/start-broker.ts'
import { pingreq, publish } from './support/wire.ts'
import type { ConnectFields, QoS, Version } from './support/wire.ts'

/** Receivers of every kind that a run of messages may meet. */
const receivers: readonly ConnectFields[] = [
  { version: 3, clientId: 'r3' },
  { version: 4, clientId: 'r4' },
  { version: 5, clientId: 'r5' },
  { version: 5, clientId: 'aliases', properties: property.topicAliasMaximum(2) },
  { version: 5, clientId: 'large', properties: property.maximumPacketSize(100_000) },
  { version: 5, clientId: 'lasting', properties: property.sessionExpiryInterval(100) },
]

interface Sent {
  readonly topic: string
  readonly payload: string
  readonly qos: QoS
}

/** Rows of messages on few topics, most of QoS 0. */
function messages(random: Random, count: number): readonly Sent[] {
  let topic = 't/0'
  return Array.from({ length: count }, (_, index) => {
    if (random.next() < 0.2) topic = `t/${random.below(4)}`
    const qos: QoS = random.next() < 0.9 ? 0 : 1
    return { topic, qos, payload: `${index} ${'x'.repeat(random.below(random.next() < 0.05 ? 5000 : 40))}` }
  })
}

function wireOf(sent: readonly Sent[], version: Version, random: Random): Buffer {
  return Buffer.concat(
    sent.map(({ topic, payload, qos }, index) =>
      publish({
        version,
        topic,
        payload,
        qos,
        id: index + 1,
        properties: version === 5 && random.next() < 0.3 ? property.userProperty('n', String(index)) : [],
      }),
    ),
  )
}

/** Sends in chunks of random sizes, so that packets are cut anywhere. */
async function sendInPieces(client: RawClient, wire: Buffer, random: Random): Promise<void> {
  let from = 0
  while (from < wire.length) {
    const to = Math.min(wire.length, from + 1 + random.below(random.next() < 0.3 ? 8000 : 300))
    client.send(wire.subarray(from, to))
    from = to
    if (random.next() < 0.3) await new Promise(setImmediate)
  }
}

/** With a hook every message is looked at on its own; the outcome is the same. */
const ways: Readonly<Record<string, Partial<BrokerOptions>>> = {
  'in runs': {},
  'one by one': { published: () => undefined },
}

describe.each(Object.entries(ways))('%s', (_way, options) => {
  test.each([
    [4, 1],
    [4, 2],
    [5, 3],
    [5, 4],
  ] as const)(
    'a version %i publisher reaches receivers of all versions, whole and in order, seed %i',
    async (version, seed) => {
      const random = new Random(seed)
      const server = await startBroker(options)
      const clients = await Promise.all(receivers.map(fields => server.connect(fields)))
      for (const client of clients) await client.subscribe(['t/#', 1])
      const publisher = await server.connect({ version, clientId: 'p' })
      await publisher.subscribe('t/1')
      const sent = messages(random, 400)
      await sendInPieces(publisher, wireOf(sent, version, random), random)
      for (const client of clients) {
        const topics = new Map<unknown, string>()
        for (const message of sent) {
          const delivery = await client.nextPublish()
          const alias = propertyValue(delivery.properties, PropertyId.topicAlias)
          if (alias !== undefined && delivery.topic !== '') topics.set(alias, delivery.topic)
          const topic = delivery.topic === '' ? topics.get(alias) : delivery.topic
          expect([topic, delivery.payload, delivery.qos]).toEqual([message.topic, message.payload, message.qos])
          const [name] = message.payload.split(' ')
          const [pair] = propertyValues(delivery.properties, PropertyId.userProperty)
          if (pair !== undefined) expect(pair).toEqual(['n', name])
        }
        await client.expectNothing()
      }
    },
  )

  test('bytes of a run arrive exactly as they came in where the versions agree', async () => {
    const server = await startBroker(options)
    for (const version of [4, 5] as const) {
      const receiver = await server.connect({ version, clientId: 'r' })
      await receiver.subscribe('t/#')
      const publisher = await server.connect({ version, clientId: 'p' })
      const frames = Array.from({ length: 50 }, (_, index) => publish({ version, topic: 't/x', payload: `${index}` }))
      publisher.send(...frames)
      for (const frame of frames) expect((await receiver.next()).bytes).toEqual(frame)
    }
  })

  test('a run ends where anything else comes between', async () => {
    const server = await startBroker(options)
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe('t')
    const frame = publish({ topic: 't', payload: 'x' })
    client.send(frame, frame, pingreq, frame, pingreq, publish({ topic: 'u' }), frame)
    const types: string[] = []
    for (let count = 0; count < 6; count += 1) types.push((await client.next()).type)
    expect(types).toEqual(['publish', 'publish', 'pingresp', 'publish', 'pingresp', 'publish'])
  })

  test('a wrong packet behind a run ends the connection, and the run still arrives', async () => {
    const server = await startBroker(options)
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('t')
    const client = await server.connect({ clientId: 'c' })
    const frame = publish({ topic: 't', payload: 'x' })
    client.send(frame, frame, publish({ topic: 't', firstByte: 0x38 }), frame)
    await client.closedWith(0x81, 0x82)
    await watcher.nextPublishes(2)
    await watcher.expectNothing()
  })

  test(
    'messages too large for a receiver are left out for this one only, and counted',
    { tags: ['MQTT5-3.1.2-24', 'MQTT5-3.1.2-25'] },
    async () => {
      const server = await startBroker(options)
      const small = await server.connect({ clientId: 's', properties: property.maximumPacketSize(50) })
      const normal = await server.connect({ clientId: 'n' })
      for (const client of [small, normal]) await client.subscribe(['t', 1])
      const publisher = await server.connect({ clientId: 'p' })
      const payloads = ['a', 'b'.repeat(60), 'c', 'd'.repeat(60), 'e']
      for (const qos of [0, 1] as const) {
        publisher.send(...payloads.map((payload, index) => publish({ topic: 't', payload, qos, id: index + 1 })))
        expect((await small.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['a', 'c', 'e'])
        expect((await normal.nextPublishes(5)).map(({ payload }) => payload)).toEqual(payloads)
      }
      await small.expectNothing()
      expect(server.broker.counters.droppedTooLarge).toBe(4)
    },
  )

  test('a subscription that is made between two rows counts for the second', async () => {
    const server = await startBroker(options)
    const publisher = await server.connect({ clientId: 'p' })
    const client = await server.connect({ clientId: 'c' })
    publisher.send(publish({ topic: 't', payload: '1' }), publish({ topic: 't', payload: '2' }))
    await publisher.ping()
    await client.subscribe('t')
    publisher.send(publish({ topic: 't', payload: '3' }), publish({ topic: 't', payload: '4' }))
    expect((await client.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['3', '4'])
    await client.unsubscribe('t')
    publisher.send(publish({ topic: 't', payload: '5' }))
    await publisher.ping()
    await client.expectNothing()
  })

  test('messages that expire or have an alias are delivered on their own, in order with the others', async () => {
    const server = await startBroker(options)
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe('t')
    const publisher = await server.connect({ clientId: 'p' })
    publisher.send(
      publish({ topic: 't', payload: '1' }),
      publish({ topic: 't', payload: '2', properties: property.messageExpiryInterval(60) }),
      publish({ topic: 't', payload: '3', properties: property.topicAlias(1) }),
      publish({ topic: '', payload: '4', properties: property.topicAlias(1) }),
      publish({ topic: 't', payload: '5' }),
    )
    const deliveries = await client.nextPublishes(5)
    expect(deliveries.map(({ topic, payload }) => topic + payload)).toEqual(['t1', 't2', 't3', 't4', 't5'])
    expect(deliveries.map(({ properties }) => properties)).toEqual([
      [],
      [[PropertyId.messageExpiryInterval, 60]],
      [],
      [],
      [],
    ])
  })
})

test('counters say how many messages came and went', async () => {
  const server = await startBroker()
  const clients = await Promise.all(['x', 'y'].map(clientId => server.connect({ clientId })))
  for (const client of clients) await client.subscribe('t')
  const publisher = await server.connect({ clientId: 'p' })
  publisher.send(...Array.from({ length: 10 }, () => publish({ topic: 't', payload: 'x' })))
  await publisher.ping()
  expect(server.broker.counters).toMatchObject({
    publishesReceived: 10,
    publishesSent: 20,
    clientsConnected: 3,
    connectionsAccepted: 3,
    connectionsRefused: 0,
  })
})
