import { expect, test } from 'vitest'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { bytes, disconnect, packet } from '../support/wire.ts'
import { connectClient, connectLasting, connectWatcher } from './wire-case.ts'

const will = { topic: 'will', payload: 'gone' }

test(
  'a connection that is reset publishes the will, once the connection is gone and not before',
  { tags: ['MQTT3-3.1.2-8'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const client = await connectClient(server, 'c', { will })
    await client.ping()
    await watcher.expectNothing()
    await server.drop(client)
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'will', payload: 'gone' })
    await watcher.expectNothing()
  },
)

test(
  'a connection that the client ends without DISCONNECT publishes the will',
  { tags: ['MQTT3-3.1.2-8'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const client = await connectClient(server, 'c', { will })
    client.socket.end()
    expect((await watcher.nextPublish()).topic).toBe('will')
  },
)

test(
  'silence for 1.5 times the Keep Alive closes the connection and publishes the will, and not before',
  { tags: ['MQTT3-3.1.2-24', 'MQTT3-3.1.2-8'] },
  async () => {
    const server = await startBrokerWithClock()
    const watcher = await connectWatcher(server)
    const client = await connectClient(server, 'c', { will, keepAlive: 2 })
    await server.pass(2000)
    await client.ping()
    await server.pass(2999)
    expect(server.broker.connectedClients).toBe(2)
    await watcher.expectNothing()
    // Deadlines are looked at each 250 ms, and a packet's time may be that much behind.
    await server.pass(1 + 750)
    expect(await client.closed()).toEqual([])
    expect((await watcher.nextPublish()).topic).toBe('will')
  },
)

test('a protocol error publishes the will', { tags: ['MQTT3-3.1.2-8'] }, async () => {
  const server = await startBroker()
  const watcher = await connectWatcher(server)
  for (const violation of [packet(0xc1), packet(0x36, 0, 1, 0x61, 0, 1), bytes(0x30, 0xff, 0xff, 0xff, 0xff)]) {
    const client = await connectClient(server, 'c', { will })
    client.send(violation)
    await client.closed()
    expect((await watcher.nextPublish()).topic).toBe('will')
  }
})

test(
  'DISCONNECT with a reserved flag closes the connection and publishes the will',
  { tags: ['MQTT3-3.14.1-1'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    for (const firstByte of [0xe1, 0xe2, 0xe4, 0xe8]) {
      const client = await connectClient(server, 'c', { will })
      client.send(packet(firstByte))
      expect(await client.closed()).toEqual([])
      expect((await watcher.nextPublish()).topic).toBe('will')
    }
  },
)

test(
  'DISCONNECT discards the will, now and for the session',
  { tags: ['MQTT3-3.14.4-3', 'MQTT3-3.1.2-10', 'MQTT3-3.1.2-8'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    for (const connect of [connectClient, connectLasting]) {
      const client = await connect(server, 'c', { will })
      client.send(disconnect())
      await client.closed()
      await watcher.expectNothing()
      await server.drop(await connect(server, 'c'))
      await watcher.expectNothing()
    }
  },
)

test('a will is published once, and is no part of the session afterwards', { tags: ['MQTT3-3.1.2-10'] }, async () => {
  const server = await startBroker()
  const watcher = await connectWatcher(server)
  await server.drop(await connectLasting(server, 'c', { will }))
  expect((await watcher.nextPublish()).topic).toBe('will')
  const again = await connectLasting(server, 'c')
  expect(again.connack.sessionPresent).toBe(true)
  await server.drop(again)
  await watcher.expectNothing()
})

test(
  'Will QoS and Will Retain are those of the flags, topic and message those of the payload',
  { tags: ['MQTT3-3.1.2-9', 'MQTT3-3.1.2-14', 'MQTT3-3.1.2-16', 'MQTT3-3.1.2-17'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    for (const qos of [0, 1, 2]) {
      for (const retain of [false, true]) {
        const topic = `will/${qos}/${retain}`
        await server.drop(await connectClient(server, 'c', { will: { topic, payload: topic, qos, retain } }))
        expect(await watcher.nextPublish()).toMatchObject({ topic, payload: topic, qos, retain: false, dup: false })
        const later = await connectClient(server, 'later')
        await later.subscribe([topic, 2])
        if (retain) expect(await later.nextPublish()).toMatchObject({ topic, payload: topic, qos, retain: true })
        await later.expectNothing()
      }
    }
  },
)

test(
  'a will with an empty message is published, and removes what is retained if it says so',
  { tags: ['MQTT3-3.1.2-9', 'MQTT3-3.1.2-17'] },
  async () => {
    const server = await startBroker()
    await server.broker.publish({ topic: 'will', retain: true, payload: 'kept' })
    const watcher = await connectClient(server, 'watcher')
    await watcher.subscribe('will')
    expect((await watcher.nextPublish()).payload).toBe('kept')
    await server.drop(await connectClient(server, 'c', { will: { topic: 'will', payload: '', retain: true } }))
    expect((await watcher.nextPublish()).payload).toBe('')
    await watcher.subscribe('will')
    await watcher.expectNothing()
  },
)

test('without Will Flag the end of a connection publishes nothing', { tags: ['MQTT3-3.1.2-12'] }, async () => {
  const server = await startBroker()
  const watcher = await connectWatcher(server)
  for (const connect of [connectClient, connectLasting]) {
    await server.drop(await connect(server, 'c'))
    const wrong = await connect(server, 'c')
    wrong.send(packet(0xc1))
    await wrong.closed()
    await connect(server, 'c')
    await connect(server, 'c')
    await watcher.expectNothing()
  }
})

test(
  'the will of a client whose place is taken is published',
  { tags: ['MQTT3-3.1.2-8', 'MQTT3-3.1.4-2'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const older = await connectClient(server, 'c', { will })
    await connectClient(server, 'c')
    expect(await older.closed()).toEqual([])
    expect((await watcher.nextPublish()).topic).toBe('will')
    await watcher.expectNothing()
  },
)
