import { expect, test } from 'vitest'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { sessionSuite } from './support/session-suite.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { disconnect, puback } from './support/wire.ts'

sessionSuite(() => startBroker())

const expiry = (seconds: number): readonly number[] => property.sessionExpiryInterval(seconds)

test(
  'a session is gone once its expiry has passed, and not before',
  { tags: ['MQTT5-4.1.0-1', 'MQTT5-4.1.0-2'] },
  async () => {
    const server = await startBrokerWithClock()
    const fields = { clientId: 's', cleanStart: false, properties: expiry(10) }
    const first = await server.connect(fields)
    server.clock.advance(60_000)
    await server.drop(first)
    server.clock.advance(9_999)
    const second = await server.connect(fields)
    expect(second.connack.sessionPresent).toBe(true)
    await server.drop(second)
    server.clock.advance(10_000)
    expect((await server.connect(fields)).connack.sessionPresent).toBe(false)
  },
)

test('DISCONNECT may change the expiry, but not from 0', async () => {
  const server = await startBrokerWithClock()
  const client = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(10) })
  const left = server.gone('s')
  client.send(disconnect(0, expiry(100)))
  await left
  server.clock.advance(99_000)
  const again = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(10) })
  expect(again.connack.sessionPresent).toBe(true)
  const ended = server.gone('s')
  again.send(disconnect(0, expiry(0)))
  await ended
  const third = await server.connect({ clientId: 's', cleanStart: false })
  expect(third.connack.sessionPresent).toBe(false)
  third.send(disconnect(0, expiry(1)))
  await third.closedWith(0x82)
})

test('maximumSessionExpiryInterval cuts what 3.1.1 sessions without clean session get', async () => {
  const server = await startBrokerWithClock({ maximumSessionExpiryInterval: 5 })
  const fields = { version: 4, clientId: 's', cleanStart: false } as const
  await server.drop(await server.connect(fields))
  server.clock.advance(4_000)
  const again = await server.connect(fields)
  expect(again.connack.sessionPresent).toBe(true)
  await server.drop(again)
  server.clock.advance(5_000)
  expect((await server.connect(fields)).connack.sessionPresent).toBe(false)
})

test(
  'a message that expires while it waits is not delivered; one that does not has less time left',
  { tags: ['MQTT5-3.3.2-5', 'MQTT5-3.3.2-6'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(100) })
    await client.subscribe(['a', 1])
    await server.drop(client)
    const publisher = await server.connect({ clientId: 'p' })
    for (const seconds of [1, 60]) {
      await publisher.publishDone({
        topic: 'a',
        qos: 1,
        payload: `${seconds}`,
        properties: property.messageExpiryInterval(seconds),
      })
    }
    server.clock.advance(2000)
    const again = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(100) })
    const delivery = await again.nextPublish()
    expect(delivery.payload).toBe('60')
    expect([57, 58]).toContain(propertyValue(delivery.properties, PropertyId.messageExpiryInterval))
    await again.expectNothing()
    expect(server.broker.counters.droppedExpired).toBe(1)
  },
)

test(
  'a delivery that has begun is completed although the message has expired',
  { tags: ['MQTT5-4.3.3-7'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(100) })
    await client.subscribe(['a', 2])
    const publisher = await server.connect({ clientId: 'p' })
    await publisher.publishDone({ topic: 'a', qos: 2, properties: property.messageExpiryInterval(1) })
    const { id } = await client.nextPublish()
    await server.drop(client)
    server.clock.advance(2000)
    const again = await server.connect({ clientId: 's', cleanStart: false, properties: expiry(100) })
    const delivery = await again.nextPublish()
    expect(delivery).toMatchObject({ id, dup: true })
  },
)

test('a waiting queue beyond its limits drops the oldest, counts it and says so', async () => {
  const drops: unknown[] = []
  const server = await startBroker({ maximumQueuedMessages: 3 })
  server.broker.on('dropped', drop => drops.push(drop))
  const fields = { clientId: 's', cleanStart: false, properties: expiry(100) }
  const client = await server.connect(fields)
  await client.subscribe(['a', 1])
  await server.drop(client)
  for (let index = 0; index < 5; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
  const again = await server.connect(fields)
  expect((await again.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['2', '3', '4'])
  await again.expectNothing()
  expect(server.broker.counters.droppedQueueFull).toBe(2)
  expect(drops).toEqual(Array.from({ length: 2 }, () => ({ queue: 's', reason: 'queueFull', count: 1 })))
})

test('with dropNewest the oldest stay, for sessions without a store as well', async () => {
  const server = await startBroker({ maximumQueuedMessages: 3, queueOverflow: 'dropNewest' })
  for (const properties of [expiry(100), []]) {
    const client = await server.connect({ clientId: 's', properties: [...properties, ...property.receiveMaximum(1)] })
    await client.subscribe(['a', 1])
    for (let index = 0; index < 6; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    const seen: string[] = []
    for (let index = 0; index < 4; index += 1) {
      const { id, payload } = await client.nextPublish()
      seen.push(payload)
      client.send(puback(id))
    }
    await client.expectNothing()
    expect(seen).toEqual(['0', '1', '2', '3'])
  }
  expect(server.broker.counters.droppedQueueFull).toBe(4)
})

test('maximumInflight bounds the window of a client that asks for more', async () => {
  const server = await startBroker({ maximumInflight: 2 })
  const client = await server.connect({ version: 4, clientId: 's' })
  await client.subscribe(['a', 1])
  for (let index = 0; index < 4; index += 1) await server.broker.publish({ topic: 'a', qos: 1 })
  const deliveries = await client.nextPublishes(2)
  await client.expectNothing()
  client.send(...deliveries.map(({ id }) => puback(id)))
  await client.nextPublishes(2)
})

test('identifiers wrap from 65 535 to 1 and are never 0', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 's' })
  await client.subscribe(['a', 1])
  const ids: number[] = []
  for (let round = 0; round < 66; round += 1) {
    for (let index = 0; index < 999; index += 1) void server.broker.publish({ topic: 'a', qos: 1 })
    const deliveries = await client.nextPublishes(999)
    ids.push(...deliveries.map(({ id }) => id))
    client.send(...deliveries.map(({ id }) => puback(id)))
    await client.ping()
  }
  const start = ids[0] ?? 0
  expect(ids).toEqual(ids.map((_, index) => ((start - 1 + index) % 65_535) + 1))
})
