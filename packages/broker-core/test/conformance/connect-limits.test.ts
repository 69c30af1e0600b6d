import { expect, test } from 'vitest'
import type { RawClient } from '../support/raw-client.ts'
import { PropertyId, property, propertyValue } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { disconnect, puback, pubcomp, pubrel } from '../support/wire.ts'
import type { ConnectFields, QoS } from '../support/wire.ts'

/** Bytes of the packets a limited client takes. */
const limit = 64
const minute = property.sessionExpiryInterval(60)
const limited: ConnectFields = {
  clientId: 'limited',
  cleanStart: false,
  properties: [...minute, ...property.maximumPacketSize(limit)],
}
const unlimited: ConnectFields = { ...limited, properties: minute }

/** A payload with which a delivery on topic `a` without properties is so many bytes long. */
function payloadFor(size: number, qos: QoS): string {
  // Type, Remaining Length, topic, packet identifier above QoS 0, Property Length.
  return 'x'.repeat(size - 2 - 3 - (qos > 0 ? 2 : 0) - 1)
}

/** The next delivery is just as large as the client takes, and nothing is behind it. */
async function expectLargest(client: RawClient, qos: QoS): Promise<void> {
  const { bytes } = await client.next('publish')
  expect(bytes.length).toBe(limit)
  expect(bytes.readUInt8() & 0x06).toBe(qos << 1)
  await client.expectNothing()
}

for (const qos of [0, 1, 2] as const) {
  test(
    `no delivery of QoS ${qos} is larger than the client's Maximum Packet Size; one that just fits arrives`,
    { tags: ['MQTT5-3.1.2-24'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect(limited)
      const other = await server.connect({ clientId: 'other' })
      for (const subscriber of [client, other]) await subscriber.subscribe(['a', qos])
      const publisher = await server.connect({ clientId: 'publisher' })
      for (const size of [2000, limit + 1, limit]) {
        await publisher.publishDone({ topic: 'a', qos, payload: payloadFor(size, qos) })
      }
      await expectLargest(client, qos)
      // Those were messages for others.
      const sizes = (await other.nextPublishes(3)).map(({ payload }) => payload.length)
      expect(sizes).toEqual([2000, limit + 1, limit].map(size => payloadFor(size, qos).length))
    },
  )

  test(
    `no retained message of QoS ${qos} is larger than the client's Maximum Packet Size`,
    { tags: ['MQTT5-3.1.2-24'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect(limited)
      for (const [topic, size] of [
        ['a', limit + 1],
        ['b', limit],
      ] as const) {
        await server.broker.publish({ topic, qos, retain: true, payload: payloadFor(size, qos) })
      }
      await client.subscribe(['+', qos])
      await expectLargest(client, qos)
    },
  )
}

for (const qos of [1, 2] as const) {
  test(
    `no waiting message of QoS ${qos} is larger than the client's Maximum Packet Size`,
    { tags: ['MQTT5-3.1.2-24', 'MQTT5-3.1.2-25'] },
    async () => {
      const server = await startBroker()
      await subscribeAndLeave(server, qos)
      for (const size of [2000, limit + 1, limit]) {
        await server.broker.publish({ topic: 'a', qos, payload: payloadFor(size, qos) })
      }
      await expectLargest(await server.connect(limited), qos)
    },
  )
}

async function subscribeAndLeave(server: TestBroker, qos: QoS): Promise<void> {
  const client = await server.connect(limited)
  await client.subscribe(['a', qos])
  await server.drop(client)
}

test('the Subscription Identifier counts for the Maximum Packet Size', { tags: ['MQTT5-3.1.2-24'] }, async () => {
  const server = await startBroker()
  const client = await server.connect(limited)
  // Three bytes in the delivery.
  await client.subscribeWith(['a'], property.subscriptionIdentifier(200))
  for (const size of [limit - 2, limit - 3]) await server.broker.publish({ topic: 'a', payload: payloadFor(size, 0) })
  await expectLargest(client, 0)
})

test(
  'a message that is too large takes no place in the window: the next one arrives',
  { tags: ['MQTT5-3.1.2-25'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({
      ...limited,
      properties: [...property.maximumPacketSize(limit), ...property.receiveMaximum(1)],
    })
    await client.subscribe(['a', 2])
    for (const qos of [1, 2] as const) {
      for (const payload of ['x'.repeat(200), 'x'.repeat(300), 'small', 'y'.repeat(200), 'next']) {
        await server.broker.publish({ topic: 'a', qos, payload })
      }
      for (const expected of ['small', 'next']) {
        const delivery = await client.nextPublish()
        expect(delivery).toMatchObject({ payload: expected, qos })
        await client.expectNothing()
        if (qos === 1) client.send(puback(delivery.id))
        else {
          client.send(Buffer.of(0x50, 2, delivery.id >> 8, delivery.id & 0xff))
          await client.nextAck('pubrel', delivery.id)
          client.send(pubcomp(delivery.id))
        }
      }
      await client.expectNothing()
    }
  },
)

test(
  'a message that was too large counts as sent: it does not come when the client takes more',
  { tags: ['MQTT5-3.1.2-25'] },
  async () => {
    const server = await startBroker()
    const live = await server.connect(limited)
    await live.subscribe(['a', 1])
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'x'.repeat(200) })
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'first' })
    live.send(puback((await live.nextPublish()).id))
    await live.ping()
    await server.drop(live)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'y'.repeat(200) })
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'second' })
    const resumed = await server.connect(limited)
    const second = await resumed.nextPublish()
    expect(second.payload).toBe('second')
    resumed.send(puback(second.id))
    await resumed.ping()
    await server.drop(resumed)
    const roomy = await server.connect(unlimited)
    expect(roomy.connack.flags).toBe(1)
    await roomy.expectNothing()
  },
)

test('a publisher may send what one of its subscribers cannot take', { tags: ['MQTT5-3.1.2-25'] }, async () => {
  const server = await startBroker()
  const client = await server.connect(limited)
  await client.subscribe(['a', 2])
  const id = client.publish({ topic: 'a', qos: 2, payload: 'x'.repeat(200) })
  expect((await client.nextAck('pubrec', id)).reasonCode).toBe(0)
  client.send(pubrel(id))
  expect((await client.nextAck('pubcomp', id)).reasonCode).toBe(0)
  await client.expectNothing()
})

test(
  'topic aliases of deliveries stay within Topic Alias Maximum, and without it there are none',
  { tags: ['MQTT5-3.1.2-26', 'MQTT5-3.1.2-27'] },
  async () => {
    const server = await startBroker()
    for (const [properties, maximum] of [
      [property.topicAliasMaximum(2), 2],
      [property.topicAliasMaximum(1), 1],
      [property.topicAliasMaximum(0), 0],
      [[], 0],
    ] as const) {
      const client = await server.connect({ clientId: 'c', properties })
      await client.subscribe('t/#')
      const meaning = new Map<unknown, string>()
      for (let round = 0; round < 20; round += 1) {
        const sent = `t/${round % 5}`
        await server.broker.publish({ topic: sent })
        const delivery = await client.nextPublish()
        const alias = propertyValue(delivery.properties, PropertyId.topicAlias)
        if (alias === undefined) expect(delivery.topic).toBe(sent)
        else {
          expect(alias).toBeGreaterThanOrEqual(1)
          expect(alias).toBeLessThanOrEqual(maximum)
          if (delivery.topic !== '') meaning.set(alias, delivery.topic)
          expect(meaning.get(alias)).toBe(sent)
        }
      }
      client.send(disconnect())
      await client.closed()
    }
  },
)
