import { expect, test } from 'vitest'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import type { QoS } from './support/wire.ts'

test(
  'every alias up to the announced maximum stands for its topic, at every QoS',
  { tags: ['MQTT5-3.3.2-12'] },
  async () => {
    const server = await startBroker({ topicAliasMaximum: 5 })
    const subscriber = await server.connect({ clientId: 's' })
    await subscriber.subscribe(['a/#', 2])
    const client = await server.connect({ clientId: 'c' })
    for (const alias of [1, 5]) {
      for (const qos of [0, 1, 2] as const) {
        const topic = `a/${alias}/${qos}`
        await client.publishDone({ topic, qos, payload: 'set', properties: property.topicAlias(alias) })
        await client.publishDone({ topic: '', qos, payload: 'used', properties: property.topicAlias(alias) })
        const deliveries = await subscriber.nextPublishes(2)
        expect(
          deliveries.map(delivery => [delivery.topic, delivery.payload, delivery.qos, delivery.properties]),
        ).toEqual([
          [topic, 'set', qos, []],
          [topic, 'used', qos, []],
        ])
      }
    }
  },
)

test('an alias can be given another topic', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('#')
  for (const topic of ['a', '', 'b', '']) client.publish({ topic, properties: property.topicAlias(7) })
  expect((await client.nextPublishes(4)).map(delivery => delivery.topic)).toEqual(['a', 'a', 'b', 'b'])
})

test(
  'alias 0, one above the maximum and one that was not set end the connection',
  { tags: ['MQTT5-3.3.2-8', 'MQTT5-3.3.2-9', 'MQTT5-3.2.2-17'] },
  async () => {
    const server = await startBroker({ topicAliasMaximum: 5 })
    for (const [topic, alias, codes] of [
      ['a', 0, [0x82, 0x94]],
      ['a', 6, [0x94]],
      ['a', 65_535, [0x94]],
      ['', 6, [0x94]],
      ['', 3, [0x82]],
    ] as const) {
      const client = await server.connect({ clientId: 'c' })
      client.publish({ topic, properties: property.topicAlias(alias) })
      await client.closedWith(...codes)
    }
  },
)

test('with topicAliasMaximum 0 every alias ends the connection', { tags: ['MQTT5-3.2.2-18'] }, async () => {
  const server = await startBroker({ topicAliasMaximum: 0 })
  const client = await server.connect({ clientId: 'c' })
  client.publish({ topic: 'a', properties: property.topicAlias(1) })
  await client.closedWith(0x94)
})

test('aliases end with the connection, also for a session that goes on', { tags: ['MQTT5-3.3.2-7'] }, async () => {
  const server = await startBroker()
  const fields = { clientId: 'c', cleanStart: false, properties: property.sessionExpiryInterval(60) }
  const client = await server.connect(fields)
  await client.publishDone({ topic: 'a', qos: 1, properties: property.topicAlias(1) })
  await server.drop(client)
  const again = await server.connect(fields)
  again.publish({ topic: '', qos: 1, properties: property.topicAlias(1) })
  await again.closedWith(0x82, 0x94)
})

test(
  'deliveries use no alias above what the client allows, and each can be resolved',
  { tags: ['MQTT5-3.1.2-26', 'MQTT5-3.3.2-11'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.topicAliasMaximum(2) })
    await client.subscribe(['a/#', 1])
    const topics = new Map<number, string>()
    for (let index = 0; index < 60; index += 1) {
      const topic = `a/${(index * 7) % 5}`
      const qos = (index % 2) as QoS
      await server.broker.publish({ topic, qos })
      const delivery = await client.nextPublish()
      const alias = propertyValue(delivery.properties, PropertyId.topicAlias)
      if (alias !== undefined) {
        expect([1, 2]).toContain(alias)
        if (delivery.topic !== '') topics.set(Number(alias), delivery.topic)
      }
      expect(delivery.topic === '' ? topics.get(Number(alias)) : delivery.topic).toBe(topic)
    }
  },
)

test('without Topic Alias Maximum deliveries have no alias', { tags: ['MQTT5-3.1.2-27'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['a', 1])
  for (let index = 0; index < 3; index += 1) {
    await server.broker.publish({ topic: 'a', qos: 1 })
    expect(await client.nextPublish()).toMatchObject({ topic: 'a', properties: [] })
  }
})

test('what the topics of aliases hold is bounded: one more ends the connection, and costs no other one', async () => {
  const server = await startBroker({ maximumTopicAliasBytes: 100_000 })
  const other = await server.connect({ clientId: 'other' })
  const client = await server.connect({ clientId: 'c' })
  const topic = (alias: number): string => `${alias}/${'x'.repeat(20_000)}`
  for (const alias of [1, 2]) client.publish({ topic: topic(alias), properties: property.topicAlias(alias) })
  // An alias that gets another topic gives back what the first one held.
  for (const name of [topic(1), 'short', topic(3)]) client.publish({ topic: name, properties: property.topicAlias(1) })
  await client.ping()
  client.publish({ topic: topic(4), properties: property.topicAlias(4) })
  await client.closedWith(0x97)
  expect(server.broker.counters.errors).toEqual({ TOPIC_ALIAS_BYTES_EXCEEDED: 1 })
  other.publish({ topic: topic(1), properties: property.topicAlias(1) })
  await other.ping()
})

test('towards a client no more than that is held either, and every message has its topic', async () => {
  const server = await startBroker({ maximumTopicAliasBytes: 1000 })
  const client = await server.connect({ clientId: 'c', properties: property.topicAliasMaximum(10) })
  await client.subscribe('#')
  const told = new Map<unknown, string>()
  const sent = Array.from({ length: 30 }, (_, index) => `${index % 7}/${'x'.repeat((index % 5) * 150)}`)
  for (const topic of sent) await server.broker.publish({ topic, payload: '', qos: 0, retain: false })
  const resolved = (await client.nextPublishes(sent.length)).map(({ topic, properties }) => {
    const alias = propertyValue(properties, PropertyId.topicAlias)
    if (topic !== '' && alias !== undefined) told.set(alias, topic)
    return topic === '' ? told.get(alias) : topic
  })
  expect(resolved).toEqual(sent)
})
