import { expect, test } from 'vitest'
import { property } from '../support/property.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { disconnect, puback, pubcomp, pubrec, pubrel } from '../support/wire.ts'
import type { ConnectFields } from '../support/wire.ts'

/** Fields of a CONNECT that goes on with its session, and lets it outlive the connection by that many seconds. */
const lasting = (clientId: string, seconds = 3600): ConnectFields => ({
  clientId,
  cleanStart: false,
  properties: property.sessionExpiryInterval(seconds),
})

test(
  'a session outlives its expiry while the connection is open, and still resumes afterwards',
  { tags: ['MQTT5-4.1.0-1'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect(lasting('s', 1))
    await client.subscribe(['a', 1])
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'early' })
    const { id } = await client.nextPublish()
    await server.pass(3600_000)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'late' })
    expect((await client.nextPublish()).payload).toBe('late')
    await server.drop(client)
    const again = await server.connect(lasting('s', 1))
    expect(again.connack.sessionPresent).toBe(true)
    expect(await again.nextPublish()).toMatchObject({ id, payload: 'early', dup: true })
  },
)

test(
  'the expiry counts from each end of the connection, and takes subscriptions, queue and identifiers with it',
  { tags: ['MQTT5-4.1.0-2'] },
  async () => {
    const server = await startBrokerWithClock()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('b')
    const first = await server.connect(lasting('s', 2))
    await first.subscribe(['a', 1])
    first.publish({ topic: 'b', qos: 2, id: 7, payload: 'before' })
    await first.nextAck('pubrec', 7)
    await server.drop(first)
    await server.pass(1000)
    const second = await server.connect(lasting('s', 2))
    expect(second.connack.sessionPresent).toBe(true)
    await server.drop(second)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'waits' })
    await server.pass(2000)
    const third = await server.connect(lasting('s', 2))
    expect(third.connack.sessionPresent).toBe(false)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'unwanted' })
    third.publish({ topic: 'b', qos: 2, id: 7, payload: 'after' })
    await third.nextAck('pubrec', 7)
    await third.expectNothing()
    expect((await watcher.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['before', 'after'])
  },
)

test(
  'DISCONNECT with another expiry decides how long the session stays',
  { tags: ['MQTT5-4.1.0-1', 'MQTT5-4.1.0-2'] },
  async () => {
    const server = await startBrokerWithClock()
    for (const [seconds, present] of [
      [100, true],
      [5, false],
    ] as const) {
      const client = await server.connect(lasting('s', 50))
      const left = server.gone('s')
      client.send(disconnect(0, property.sessionExpiryInterval(seconds)))
      await left
      await server.pass(60_000)
      const again = await server.connect(lasting('s', 50))
      expect(again.connack.sessionPresent).toBe(present)
      await server.drop(again)
    }
  },
)

test(
  'a message joins the session of everyone with a matching subscription, there or away',
  { tags: ['MQTT5-4.5.0-1'] },
  async () => {
    const server = await startBroker()
    const filters = ['a/b', 'a/+', '#', 'a/#', 'other']
    const away = ['w0', 'w1', 'w2', 'w3', 'w4']
    for (const [index, clientId] of away.entries()) {
      const client = await server.connect(lasting(clientId))
      await client.subscribe([filters[index] ?? '', 1])
      await server.drop(client)
    }
    const present = await server.connect({ clientId: 'p' })
    await present.subscribe(['+/b', 2])
    const publisher = await server.connect({ clientId: 'publisher' })
    await publisher.publishDone({ topic: 'a/b', qos: 1, payload: 'x' })
    expect(await present.nextPublish()).toMatchObject({ payload: 'x', qos: 1 })
    for (const clientId of away) {
      const client = await server.connect(lasting(clientId))
      if (clientId !== 'w4') expect(await client.nextPublish()).toMatchObject({ payload: 'x', qos: 1, dup: false })
      await client.expectNothing()
    }
  },
)

test(
  'what is unacknowledged is sent again when the session resumes, with its identifier, and never before',
  { tags: ['MQTT5-4.4.0-1'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect(lasting('s'))
    await client.subscribe(['a', 2])
    for (const qos of [1, 2, 2] as const) await server.broker.publish({ topic: 'a', qos, payload: `${qos}` })
    const [first, second, third] = (await client.nextPublishes(3)).map(({ id }) => id)
    client.send(pubrec(third ?? 0))
    await client.nextAck('pubrel', third)
    for (let seconds = 0; seconds < 120; seconds += 20) {
      await server.pass(20_000)
      await client.expectNothing()
    }
    await server.drop(client)
    const again = await server.connect(lasting('s'))
    expect(await again.nextPublish()).toMatchObject({ id: first, qos: 1, dup: true })
    expect(await again.nextPublish()).toMatchObject({ id: second, qos: 2, dup: true })
    expect(await again.nextAck('pubrel', third)).toMatchObject({ reasonCode: 0 })
    await server.pass(60_000)
    await again.expectNothing()
  },
)

test('a new session sends nothing again', { tags: ['MQTT5-4.4.0-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect(lasting('s'))
  await client.subscribe(['a', 2])
  for (const qos of [1, 2] as const) await server.broker.publish({ topic: 'a', qos })
  const [, second] = await client.nextPublishes(2)
  client.send(pubrec(second?.id ?? 0))
  await client.nextAck('pubrel')
  await server.drop(client)
  const fresh = await server.connect({ ...lasting('s'), cleanStart: true })
  await fresh.expectNothing()
})

test(
  'PUBACK and PUBREC with an error code acknowledge: nothing is sent again',
  { tags: ['MQTT5-4.4.0-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(lasting('s'))
    await client.subscribe(['a', 2])
    for (const qos of [1, 2, 1] as const) await server.broker.publish({ topic: 'a', qos, payload: `${qos}` })
    const [first, second, third] = (await client.nextPublishes(3)).map(({ id }) => id)
    client.send(puback(first ?? 0, 0x97), pubrec(second ?? 0, 0x80))
    await client.expectNothing()
    await server.drop(client)
    const again = await server.connect(lasting('s'))
    expect(await again.nextPublish()).toMatchObject({ id: third, dup: true })
    await again.expectNothing()
  },
)

test('identifiers of both directions do not meet', { tags: ['MQTT5-4.4.0-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect(lasting('s'))
  await client.subscribe(['a', 2])
  await server.broker.publish({ topic: 'a', qos: 2, payload: 'down' })
  const { id } = await client.nextPublish()
  client.publish({ topic: 'b', qos: 2, id, payload: 'up' })
  await client.nextAck('pubrec', id)
  client.send(pubrel(id))
  await client.nextAck('pubcomp', id)
  await server.drop(client)
  const again = await server.connect(lasting('s'))
  expect(await again.nextPublish()).toMatchObject({ id, payload: 'down', dup: true })
  again.send(pubrec(id))
  await again.nextAck('pubrel', id)
  again.send(pubcomp(id))
  await again.expectNothing()
})
