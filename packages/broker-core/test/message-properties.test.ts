import { expect, test } from 'vitest'
import { PropertyId, property, propertyValue, propertyValues } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { puback, pubrec } from './support/wire.ts'
import type { QoS } from './support/wire.ts'

const levels: readonly QoS[] = [0, 1, 2]

test(
  'the properties of a message are passed on unchanged and in order',
  { tags: ['MQTT5-3.3.2-4', 'MQTT5-3.3.2-15', 'MQTT5-3.3.2-16', 'MQTT5-3.3.2-17', 'MQTT5-3.3.2-18', 'MQTT5-3.3.2-20'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe(['a', 2])
    const properties = [
      ...property.userProperty('b', '1'),
      ...property.payloadFormatIndicator(1),
      ...property.userProperty('a', '2'),
      ...property.contentType('text/plain'),
      ...property.responseTopic('reply/here'),
      ...property.correlationData(Buffer.of(0, 0xff, 0xc3, 0x28)),
      ...property.userProperty('b', '3'),
      ...property.userProperty('', ''),
      ...property.userProperty('b', '3'),
    ]
    for (const qos of levels) {
      client.publish({ topic: 'a', qos, properties, payload: 'x' })
      const delivery = await client.nextPublish()
      expect(propertyValues(delivery.properties, PropertyId.userProperty)).toEqual([
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
        ['', ''],
        ['b', '3'],
      ])
      expect(propertyValue(delivery.properties, PropertyId.payloadFormatIndicator)).toBe(1)
      expect(propertyValue(delivery.properties, PropertyId.contentType)).toBe('text/plain')
      expect(propertyValue(delivery.properties, PropertyId.responseTopic)).toBe('reply/here')
      expect(propertyValue(delivery.properties, PropertyId.correlationData)).toEqual(Buffer.of(0, 0xff, 0xc3, 0x28))
      expect(delivery.properties).toHaveLength(9)
      if (qos > 0) await client.next(qos === 1 ? 'puback' : 'pubrec')
    }
  },
)

test('MQTT 5 properties do not reach a 3.1.1 client, the rest does', async () => {
  const server = await startBroker()
  const old = await server.connect({ version: 4, clientId: 'old' })
  await old.subscribe(['a', 1])
  const current = await server.connect({ version: 5, clientId: 'new' })
  for (const qos of [0, 1] as const) {
    await current.publishDone({ topic: 'a', qos, payload: 'plain', properties: property.userProperty('a', 'b') })
    expect(await old.nextPublish()).toMatchObject({ topic: 'a', payload: 'plain', qos })
  }
})

test(
  'Subscription Identifiers of all matching subscriptions stand in the one copy',
  { tags: ['MQTT5-3.3.4-3', 'MQTT5-3.3.4-4'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    await client.subscribeWith([['a/#', 0]], property.subscriptionIdentifier(1))
    await client.subscribeWith([['a/+', 1]], property.subscriptionIdentifier(268_435_455))
    await client.subscribe(['a/b', 0])
    for (const qos of levels) {
      await server.broker.publish({ topic: 'a/b', qos })
      const { properties } = await client.nextPublish()
      const identifiers = propertyValues(properties, PropertyId.subscriptionIdentifier)
      expect(identifiers.toSorted((x, y) => Number(x) - Number(y))).toEqual([1, 268_435_455])
    }
    await client.expectNothing()
  },
)

test(
  'a Subscription Identifier in a PUBLISH from a client is a protocol error',
  { tags: ['MQTT5-3.3.4-6'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    client.publish({ topic: 'a', properties: property.subscriptionIdentifier(1) })
    await client.closedWith(0x81, 0x82)
  },
)

test('No Local keeps a message from the client that published it', { tags: ['MQTT5-3.8.3-3'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['a', 0x04 | 1])
  const other = await server.connect({ clientId: 'o' })
  for (const qos of levels) {
    await client.publishDone({ topic: 'a', qos, payload: 'own' })
    await other.publishDone({ topic: 'a', qos, payload: 'other' })
    expect((await client.nextPublish()).payload).toBe('other')
  }
  await client.expectNothing()
})

test('an error code in PUBACK or PUBREC ends the flow', { tags: ['MQTT5-4.3.3-4', 'MQTT5-4.4.0-2'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c', properties: property.receiveMaximum(1) })
  await client.subscribe(['a', 2])
  for (const qos of [1, 2, 1] as const) await server.broker.publish({ topic: 'a', qos })
  const first = await client.nextPublish()
  client.send(puback(first.id, 0x80))
  const second = await client.nextPublish()
  client.send(pubrec(second.id, 0x83))
  expect((await client.nextPublish()).qos).toBe(1)
  await client.expectNothing()
})
