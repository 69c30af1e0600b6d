import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { readPublish } from './support/frame.ts'
import type { PacketType } from './support/frame.ts'
import { HeldStream } from './support/held-stream.ts'
import { PropertyId, property, propertyValue, propertyValues } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, pingreq, puback, subscribe } from './support/wire.ts'
import type { QoS } from './support/wire.ts'

const retainAsPublished = 0x08
const onlyWhenNew = 0x10
const never = 0x20

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'a new subscription gets the last retained message of each topic, with RETAIN 1',
    { tags: ['MQTT3-3.3.1-5', 'MQTT3-3.3.1-6', 'MQTT3-3.3.1-8', 'MQTT5-3.3.1-5'] },
    async () => {
      const server = await startBroker()
      const publisher = await server.connect({ version, clientId: 'p' })
      for (const [topic, payload] of [
        ['a/1', 'old'],
        ['a/1', 'new'],
        ['a/2', 'two'],
      ] as const) {
        await publisher.publishDone({ topic, payload, qos: 1, retain: true })
      }
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe(['a/+', 1])
      const deliveries = await client.nextPublishes(2)
      expect(
        deliveries.map(({ topic, payload, retain, qos }) => `${topic} ${payload} ${retain} ${qos}`).toSorted(),
      ).toEqual(['a/1 new true 1', 'a/2 two true 1'])
      await client.expectNothing()
    },
  )

  versionTest('a live delivery has RETAIN 0', { tags: ['MQTT3-3.3.1-9', 'MQTT5-3.3.1-12'] }, async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['a', 2])
    for (const qos of [0, 1, 2] as const) {
      await server.broker.publish({ topic: 'a', qos, retain: true, payload: 'x' })
      expect(await client.nextPublish()).toMatchObject({ retain: false, qos })
    }
  })

  versionTest(
    'an empty payload is delivered, removes the retained message and is not kept',
    { tags: ['MQTT3-3.3.1-10', 'MQTT3-3.3.1-11', 'MQTT5-3.3.1-6', 'MQTT5-3.3.1-7'] },
    async () => {
      const server = await startBroker()
      const publisher = await server.connect({ version, clientId: 'p' })
      await publisher.publishDone({ topic: 'a', payload: 'x', retain: true })
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('a')
      expect((await client.nextPublish()).payload).toBe('x')
      await publisher.publishDone({ topic: 'a', retain: true })
      expect(await client.nextPublish()).toMatchObject({ payload: '', retain: false })
      await client.subscribe('a')
      await client.expectNothing()
      expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
    },
  )

  versionTest(
    'a message without RETAIN changes nothing that is retained',
    { tags: ['MQTT3-3.3.1-12', 'MQTT5-3.3.1-8'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.publishDone({ topic: 'a', payload: 'kept', retain: true })
      await client.publishDone({ topic: 'a', payload: 'other' })
      await client.publishDone({ topic: 'a', payload: '' })
      await client.subscribe('a')
      expect((await client.nextPublish()).payload).toBe('kept')
      await client.expectNothing()
    },
  )

  versionTest('the QoS of a retained message is the lower of its own and the granted one', async () => {
    const server = await startBroker()
    const levels: readonly QoS[] = [0, 1, 2]
    for (const qos of levels) await server.broker.publish({ topic: `r/${qos}`, qos, retain: true, payload: `${qos}` })
    const client = await server.connect({ version, clientId: 'c' })
    for (const granted of levels) {
      await client.subscribe(['r/+', granted])
      const deliveries = await client.nextPublishes(3)
      expect(deliveries.map(({ payload, qos }) => `${payload} ${qos}`).toSorted()).toEqual(
        levels.map(qos => `${qos} ${Math.min(qos, granted)}`),
      )
    }
  })

  versionTest(
    'subscribing again brings the retained messages again, and no live message twice',
    { tags: ['MQTT3-3.8.4-3', 'MQTT5-3.8.4-3', 'MQTT5-3.8.4-4', 'MQTT5-3.3.1-9'] },
    async () => {
      const server = await startBroker()
      await server.broker.publish({ topic: 'a', retain: true, payload: 'kept' })
      const client = await server.connect({ version, clientId: 'c' })
      for (const qos of [0, 1, 1] as const) {
        await client.subscribe(['a', qos])
        expect((await client.nextPublish()).payload).toBe('kept')
      }
      await server.broker.publish({ topic: 'a', qos: 1, payload: 'live' })
      expect(await client.nextPublish()).toMatchObject({ payload: 'live', qos: 1 })
      await client.expectNothing()
    },
  )

  versionTest('leading wildcards bring no retained messages of $ topics; + takes empty levels', async () => {
    const server = await startBroker()
    for (const topic of ['$t/x', '/x', 'a/x', '__proto__/x'])
      await server.broker.publish({ topic, retain: true, payload: topic })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('+/x')
    expect((await client.nextPublishes(3)).map(({ topic }) => topic).toSorted()).toEqual(['/x', '__proto__/x', 'a/x'])
    await client.subscribe('$t/#')
    expect((await client.nextPublish()).topic).toBe('$t/x')
    await client.expectNothing()
  })

  versionTest('more retained messages than the window and the outbox hold arrive all the same', async () => {
    const server = await startBroker({ maximumInflight: 5, outboxHighWaterMark: 1024 })
    const count = 300
    for (let index = 0; index < count; index += 1) {
      await server.broker.publish({
        topic: `r/${index}`,
        retain: true,
        qos: index % 2 === 0 ? 1 : 0,
        payload: 'x'.repeat(500),
      })
    }
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['r/+', 1])
    const topics = new Set<string>()
    for (let index = 0; index < count; index += 1) {
      const { topic, qos, id } = await client.nextPublish()
      topics.add(topic)
      if (qos > 0) client.send(puback(id))
    }
    expect(topics.size).toBe(count)
    await client.expectNothing()
  })

  versionTest('UNSUBSCRIBE ends what is still to come of the retained messages', async () => {
    const server = await startBroker({ maximumInflight: 2 })
    for (let index = 0; index < 10; index += 1) {
      await server.broker.publish({ topic: `r/${index}`, retain: true, qos: 1, payload: 'x' })
    }
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['r/+', 1])
    const begun = await client.nextPublishes(2)
    await client.unsubscribe('r/+')
    client.send(...begun.map(({ id }) => puback(id)))
    await client.expectNothing()
  })
})

test(
  'Retain Handling 1 asks for retained messages with a new subscription only, 2 for none',
  { tags: ['MQTT5-3.3.1-10', 'MQTT5-3.3.1-11'] },
  async () => {
    const server = await startBroker()
    await server.broker.publish({ topic: 'a', retain: true, payload: 'kept' })
    for (const properties of [[], property.sessionExpiryInterval(100)]) {
      const client = await server.connect({ clientId: 'c', properties })
      await client.subscribe(['a', onlyWhenNew])
      expect((await client.nextPublish()).payload).toBe('kept')
      await client.subscribe(['a', onlyWhenNew])
      await client.expectNothing()
      await client.unsubscribe('a')
      await client.subscribe(['a', never])
      await client.expectNothing()
      await server.broker.publish({ topic: 'a', payload: 'live' })
      expect((await client.nextPublish()).payload).toBe('live')
    }
  },
)

test('Retain Handling 1 with the same filter twice in one SUBSCRIBE brings the retained message once', async () => {
  const server = await startBroker()
  await server.broker.publish({ topic: 'a', retain: true, payload: 'kept' })
  const client = await server.connect({ clientId: 'c' })
  expect((await client.subscribe(['a', onlyWhenNew], ['a', onlyWhenNew | 1])).reasonCodes).toEqual([0, 1])
  await client.nextPublish()
  await client.expectNothing()
})

test('Retain As Published forwards RETAIN as it came', { tags: ['MQTT5-3.3.1-13'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['a', retainAsPublished | 2])
  for (const qos of [0, 1, 2] as const) {
    for (const retain of [true, false]) {
      await server.broker.publish({ topic: 'a', qos, retain, payload: 'x' })
      expect(await client.nextPublish()).toMatchObject({ retain, qos })
    }
  }
})

test(
  'a retained message keeps its properties and their order; the Subscription Identifier is added',
  { tags: ['MQTT5-3.3.2-18'] },
  async () => {
    const server = await startBroker()
    const publisher = await server.connect({ clientId: 'p' })
    const properties = [
      ...property.userProperty('b', '1'),
      ...property.contentType('t'),
      ...property.userProperty('a', '2'),
    ]
    await publisher.publishDone({ topic: 'a', retain: true, payload: 'x', properties })
    const client = await server.connect({ clientId: 'c' })
    await client.subscribeWith(['a'], property.subscriptionIdentifier(77))
    const delivery = await client.nextPublish()
    expect(propertyValues(delivery.properties, PropertyId.userProperty)).toEqual([
      ['b', '1'],
      ['a', '2'],
    ])
    expect(propertyValue(delivery.properties, PropertyId.contentType)).toBe('t')
    expect(propertyValue(delivery.properties, PropertyId.subscriptionIdentifier)).toBe(77)
  },
)

test(
  'a retained message is gone when its expiry has passed; before, it has the time that is left',
  { tags: ['MQTT5-3.3.2-6'] },
  async () => {
    const server = await startBrokerWithClock()
    const publisher = await server.connect({ clientId: 'p' })
    await publisher.publishDone({
      topic: 'a',
      retain: true,
      payload: 'x',
      properties: property.messageExpiryInterval(10),
    })
    server.clock.advance(4000)
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe('a')
    const delivery = await client.nextPublish()
    expect([5, 6]).toContain(propertyValue(delivery.properties, PropertyId.messageExpiryInterval))
    server.clock.advance(6000)
    await client.subscribe('a')
    await client.expectNothing()
  },
)

test('a shared subscription gets no retained messages', async () => {
  const server = await startBroker()
  await server.broker.publish({ topic: 'a', retain: true, payload: 'kept' })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['$share/g/a', 1])
  await client.expectNothing()
})

test('a client with No Local does not get what it retained itself', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a', retain: true, payload: 'own' })
  await client.subscribe(['a', 0x04])
  await client.expectNothing()
})

test('many subscriptions whose retained messages have to wait cost time in proportion', async () => {
  const server = await startBroker({ outboxHighWaterMark: 1024 })
  for (const topic of ['r/1', 'r/2']) await server.broker.publish({ topic, payload: 'x'.repeat(5000), retain: true })
  await server.broker.publish({ topic: 'f/29999', payload: 'last', retain: true })
  const stream = new HeldStream()
  server.broker.handle(stream)
  const filters = Array.from({ length: 30_000 }, (_, index) => [`f/${index}`, 0] as const)
  const began = process.cpuUsage()
  stream.push(Buffer.concat([connect({ clientId: 'c' }), subscribe({ filters: [['r/+', 0], ...filters] })]))
  // The SUBACK fills the outbox, so all of them wait.
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
  stream.flow()
  const topics: string[] = []
  while (topics.length < 3) {
    for (const frame of stream.frames()) if (frame.type === 'publish') topics.push(readPublish(frame, 5).topic)
    await new Promise(setImmediate)
  }
  expect(topics).toEqual(['r/1', 'r/2', 'f/29999'])
  // Looking through all that wait with each one more took 15 s, not 1.
  const { user, system } = process.cpuUsage(began)
  expect((user + system) / 1000).toBeLessThan(5000)
})

test.each([
  { what: 'that find all', filters: ['#', '+/#', '+/+', 'r/+'], kept: 20_000, all: 80_000 },
  {
    what: 'that find nothing before the last',
    // Of 3 levels and more.
    filters: [...Array.from({ length: 40 }, (_, index) => `+/+${'/+'.repeat(index + 1)}`), 'r/0'],
    kept: 50_000,
    all: 1,
  },
  { what: 'that find one and the same', filters: Array.from({ length: 40 }, () => '#'), kept: 60_000, all: 60_000 },
])('others are served while a subscriber gets retained messages by filters $what', async ({ filters, kept, all }) => {
  const server = await startBroker()
  for (let index = 0; index < kept; index += 1) keepOn(server, `r/${index}`)
  const [stream, probe] = [new HeldStream(), new HeldStream()]
  for (const [index, one] of [stream, probe].entries()) {
    one.flow()
    server.broker.handle(one)
    one.push(connect({ clientId: `c${index}` }))
  }
  const count = (type: PacketType, from: HeldStream): number => from.frames().filter(one => one.type === type).length
  let [received, served] = [0, 0]
  stream.push(subscribe({ filters: filters.map(filter => [filter, 0] as const) }))
  while (received < all) {
    probe.push(pingreq)
    await new Promise(setImmediate)
    served += count('pingresp', probe)
    received += count('publish', stream)
  }
  expect(received).toBe(all)
  // In one turn with the rest of what a subscription takes: 3.
  expect(served).toBeGreaterThan(3)
})

function keepOn({ persistence }: TestBroker, topic: string): void {
  void persistence.publish({
    topic,
    payload: Buffer.from('x'),
    qos: 0,
    retain: true,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'p',
    brokerId: 'b',
    brokerCounter: 1,
  })
}
