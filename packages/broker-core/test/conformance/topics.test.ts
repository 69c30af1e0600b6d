import { expect, test } from 'vitest'
import { PropertyId, property, propertyValues } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import { publish, subscribe } from '../support/wire.ts'
import { filters, topicNames, wrongFilterCases, wrongTopicCases, wrongWillCases } from './topics.cases.ts'

test(
  'each topic reaches exactly the filters that match it',
  { tags: ['MQTT5-4.7.1-1', 'MQTT5-4.7.1-2', 'MQTT5-4.7.2-1', 'MQTT5-4.7.3-4'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    const names = Object.keys(filters)
    for (const [index, filter] of names.entries()) {
      // The identifier names the filter.
      const { reasonCodes } = await client.subscribeWith([filter], property.subscriptionIdentifier(index + 1))
      expect(reasonCodes, filter).toEqual([0])
    }
    const publisher = await server.connect({ clientId: 'p' })
    for (const topic of topicNames) {
      await publisher.publishDone({ topic })
      const delivery = await client.nextPublish()
      expect(delivery.topic).toBe(topic)
      const identifiers = propertyValues(delivery.properties, PropertyId.subscriptionIdentifier).map(Number)
      const matched = new Set(identifiers.map(identifier => names[identifier - 1]))
      const expected = names.filter(filter => filters[filter]?.includes(topic))
      expect(matched, topic).toEqual(new Set(expected))
      await client.expectNothing()
    }
  },
)

test(
  'a topic with $ in front reaches no filter with a wildcard in front, live, retained or stored',
  { tags: ['MQTT5-4.7.2-1'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: 's', cleanStart: false, properties: property.sessionExpiryInterval(100) }
    const client = await server.connect(fields)
    await client.subscribe(['#', 1], ['+/x', 1], ['+/#', 1], ['$share/g/#', 1], ['$share/g/+/x', 1])
    const publisher = await server.connect({ clientId: 'p' })
    await publisher.publishDone({ topic: '$t/x', qos: 1, retain: true })
    await client.expectNothing()
    await client.subscribe(['#', 1], ['+/x', 1])
    await client.expectNothing()
    await server.drop(client)
    await publisher.publishDone({ topic: '$t/x', qos: 1, payload: 'dollar' })
    await publisher.publishDone({ topic: 't/$x', qos: 1, payload: 'further back' })
    const again = await server.connect(fields)
    expect((await again.nextPublish()).payload).toBe('further back')
  },
)

for (const { title, tags, filters: list } of wrongFilterCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    client.send(subscribe({ id: 1, filters: [...list.map(filter => [filter, 1] as const), ['fine', 1]] }))
    expect((await client.nextGranted('suback')).reasonCodes).toEqual([...list.map(() => 0x8f), 1])
    await server.broker.publish({ topic: 'fine' })
    expect((await client.nextPublish()).topic).toBe('fine')
  })
}

for (const { title, tags, send, reasonCodes } of wrongTopicCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('#')
    const client = await server.connect({ clientId: 'c' })
    client.send(send, publish({ topic: 'after' }))
    await client.closedWith(...reasonCodes)
    await watcher.expectNothing()
  })
}

for (const { title, tags, send } of wrongWillCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('#')
    const client = await server.open()
    client.send(send)
    for (const { type, body } of await client.closed()) {
      expect(type).toBe('connack')
      expect([0x81, 0x82, 0x90]).toContain(body[1])
    }
    await watcher.expectNothing()
  })
}

test('a topic and a filter of 65 535 bytes work like all others', { tags: ['MQTT5-4.7.3-3'] }, async () => {
  const server = await startBroker()
  const longest = 'x'.repeat(65_535)
  const client = await server.connect({ clientId: 'c' })
  expect((await client.subscribe([longest, 1])).reasonCodes).toEqual([1])
  const publisher = await server.connect({ clientId: 'p' })
  await publisher.publishDone({ topic: longest, qos: 1, payload: 'here' })
  const delivery = await client.nextPublish()
  expect(delivery.topic === longest).toBe(true)
  expect(delivery.payload).toBe('here')
  await publisher.publishDone({ topic: longest.slice(1), qos: 1 })
  await client.expectNothing()
  expect((await client.unsubscribe(longest)).reasonCodes).toEqual([0])
})

test(
  'a topic of one character, a slash and bytes beyond ASCII come back as they were sent',
  { tags: ['MQTT5-4.7.3-1', 'MQTT5-4.7.3-4'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    const topics = ['a', '/', '\u{1f600}', '\ufeff', 'ﬁ', '\u212b', 'İ', 'a/./b', 'a/../b', 'a%2fb', 'a\\b', ' a ']
    await client.subscribe(...topics)
    const publisher = await server.connect({ clientId: 'p' })
    for (const topic of [...topics, 'fi', '\u00c5', 'i', 'b', '\\', ' a', 'a ']) await publisher.publishDone({ topic })
    // Only "a" and itself: nothing is trimmed, composed, folded or unescaped.
    expect((await client.nextPublishes(topics.length)).map(({ topic }) => topic)).toEqual(topics)
    await client.expectNothing()
  },
)
