import { expect, test } from 'vitest'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { bytes, connect, disconnect } from '../support/wire.ts'
import { connectClient, connectLasting, hex } from './wire-case.ts'

const newSession = bytes(0x20, 2, 0, 0).toString('hex')
const resumed = bytes(0x20, 2, 1, 0).toString('hex')

test(
  'CleanSession 0 makes a session and goes on with it after a loss and after DISCONNECT',
  { tags: ['MQTT3-3.1.2-4', 'MQTT3-3.1.4-3', 'MQTT3-3.2.2-2', 'MQTT3-3.2.2-3'] },
  async () => {
    const server = await startBroker()
    for (const leave of ['loss', 'DISCONNECT']) {
      const connacks: string[] = []
      for (let round = 0; round < 3; round += 1) {
        const client = await server.open()
        client.version = 4
        client.clientId = leave
        client.send(connect({ version: 4, clientId: leave, cleanStart: false }))
        connacks.push(...hex([await client.next()]))
        if (round === 0) await client.subscribe(['a', 1])
        await server.broker.publish({ topic: 'a', payload: `live ${round}` })
        expect((await client.nextPublish()).payload).toBe(`live ${round}`)
        const gone = server.gone(leave)
        if (leave === 'loss') client.socket.resetAndDestroy()
        else client.send(disconnect())
        await gone
      }
      expect(connacks).toEqual([newSession, resumed, resumed])
    }
  },
)

test(
  'CleanSession 1 throws the stored session away, and leaves none',
  { tags: ['MQTT3-3.1.2-6', 'MQTT3-3.1.4-3', 'MQTT3-3.2.2-1', 'MQTT3-3.2.2-3'] },
  async () => {
    const server = await startBroker()
    const stored = await connectLasting(server, 's')
    await stored.subscribe(['a', 1])
    await server.drop(stored)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'queued' })
    const clean = await server.open()
    clean.version = 4
    clean.clientId = 's'
    clean.send(connect({ version: 4, clientId: 's' }))
    expect(hex([await clean.next()])).toEqual([newSession])
    await server.broker.publish({ topic: 'a', qos: 1 })
    await clean.expectNothing()
    await clean.subscribe(['b', 1])
    await server.drop(clean)
    await server.broker.publish({ topic: 'b', qos: 1 })
    const again = await server.open()
    again.version = 4
    again.send(connect({ version: 4, clientId: 's', cleanStart: false }))
    expect(hex([await again.next()])).toEqual([newSession])
    for (const topic of ['a', 'b']) await server.broker.publish({ topic, qos: 1 })
    await again.expectNothing()
  },
)

test(
  'CleanSession 1 also ends the session of a client that is still connected',
  { tags: ['MQTT3-3.1.2-6', 'MQTT3-3.1.4-2', 'MQTT3-3.1.4-3'] },
  async () => {
    const server = await startBroker()
    const older = await connectLasting(server, 's')
    await older.subscribe(['a', 1])
    const clean = await connectClient(server, 's')
    expect(clean.connack.flags).toBe(0)
    await older.closed()
    await server.broker.publish({ topic: 'a', qos: 1 })
    await clean.expectNothing()
    await server.drop(clean)
    expect((await connectLasting(server, 's')).connack.flags).toBe(0)
  },
)

test(
  'CleanSession 0 takes the session of a client that is still connected over',
  { tags: ['MQTT3-3.1.2-4', 'MQTT3-3.1.4-2', 'MQTT3-3.1.4-3'] },
  async () => {
    const server = await startBroker()
    const older = await connectLasting(server, 's')
    await older.subscribe(['a', 1])
    const newer = await connectLasting(server, 's')
    expect(newer.connack.flags).toBe(1)
    await older.closed()
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'on' })
    expect((await newer.nextPublish()).payload).toBe('on')
  },
)

test(
  'QoS 1 and 2 messages wait for a session that is offline',
  { tags: ['MQTT3-3.1.2-5', 'MQTT3-4.1.0-1'] },
  async () => {
    const server = await startBroker()
    const client = await connectLasting(server, 's')
    await client.subscribe(['a/+', 2], ['b', 1])
    await server.drop(client)
    const publisher = await connectClient(server, 'p')
    await publisher.publishDone({ topic: 'a/1', qos: 1, payload: 'one' })
    await publisher.publishDone({ topic: 'other', qos: 1, payload: 'not mine' })
    await publisher.publishDone({ topic: 'a/2', qos: 2, payload: 'two' })
    await publisher.publishDone({ topic: 'b', qos: 2, payload: 'three' })
    const again = await connectLasting(server, 's')
    const deliveries = await again.nextPublishes(3)
    expect(deliveries.map(({ payload, qos, dup, retain }) => [payload, qos, dup, retain])).toEqual([
      ['one', 1, false, false],
      ['two', 2, false, false],
      ['three', 1, false, false],
    ])
    await again.expectNothing()
  },
)

test('a message joins every session that subscribes to it, connected or not', { tags: ['MQTT3-4.5.0-1'] }, async () => {
  const server = await startBroker()
  for (const clientId of ['offline 1', 'offline 2']) {
    const client = await connectLasting(server, clientId)
    await client.subscribe(['a', 1])
    await server.drop(client)
  }
  const online = [await connectClient(server, 'online 1'), await connectLasting(server, 'online 2')]
  for (const client of online) await client.subscribe(['#', 1])
  const publisher = await connectClient(server, 'p')
  await publisher.publishDone({ topic: 'a', qos: 1, payload: 'for all' })
  const resumedClients = [await connectLasting(server, 'offline 1'), await connectLasting(server, 'offline 2')]
  for (const client of [...online, ...resumedClients]) {
    expect(await client.nextPublish()).toMatchObject({ payload: 'for all', qos: 1 })
    await client.expectNothing()
  }
})

test('each ClientId has a session of its own, letter by letter', { tags: ['MQTT3-3.1.3-2'] }, async () => {
  const server = await startBroker()
  const clientIds = ['x', 'X', 'x ', '__proto__', 'e\u0301', '\u00e9']
  for (const [index, clientId] of clientIds.entries()) {
    const client = await connectLasting(server, clientId)
    expect(client.connack.sessionPresent).toBe(false)
    await client.subscribe([`for/${index}`, 1])
    await server.drop(client)
  }
  for (const index of clientIds.keys()) await server.broker.publish({ topic: `for/${index}`, qos: 1 })
  for (const [index, clientId] of clientIds.entries()) {
    const client = await connectLasting(server, clientId)
    expect(client.connack.sessionPresent).toBe(true)
    expect((await client.nextPublish()).topic).toBe(`for/${index}`)
    await client.expectNothing()
  }
})

test(
  'subscriptions, unacknowledged and queued messages are all there after a reconnect',
  { tags: ['MQTT3-4.1.0-1', 'MQTT3-3.1.2-4'] },
  async () => {
    const server = await startBroker()
    const client = await connectLasting(server, 's')
    await client.subscribe(['a', 2], ['b', 0])
    await server.broker.publish({ topic: 'a', qos: 2, payload: 'open' })
    const { id } = await client.nextPublish()
    await server.drop(client)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'queued' })
    const again = await connectLasting(server, 's')
    expect(await again.nextPublish()).toMatchObject({ id, payload: 'open', dup: true })
    expect(await again.nextPublish()).toMatchObject({ payload: 'queued', dup: false })
    for (const topic of ['a', 'b']) await server.broker.publish({ topic, qos: 1, payload: 'live' })
    expect((await again.nextPublishes(2)).map(({ topic, qos }) => [topic, qos])).toEqual([
      ['a', 1],
      ['b', 0],
    ])
  },
)

test(
  'a session lasts as long as its connection, however long that is silent with Keep Alive 0',
  { tags: ['MQTT3-4.1.0-2'] },
  async () => {
    const server = await startBrokerWithClock({ maximumSessionExpiryInterval: 10 })
    const clients = [await connectClient(server, 'clean'), await connectLasting(server, 'stored')]
    for (const client of clients) await client.subscribe(['a', 1])
    await server.pass(600_000)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'still' })
    for (const client of clients) expect((await client.nextPublish()).payload).toBe('still')
  },
)

test(
  'a session without an expiry of the broker is there after a day',
  { tags: ['MQTT3-4.1.0-1', 'MQTT3-3.1.2-4'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await connectLasting(server, 's')
    await client.subscribe(['a', 1])
    await server.drop(client)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'old' })
    server.clock.advance(24 * 3_600_000)
    const again = await connectLasting(server, 's')
    expect(again.connack.sessionPresent).toBe(true)
    expect((await again.nextPublish()).payload).toBe('old')
  },
)
