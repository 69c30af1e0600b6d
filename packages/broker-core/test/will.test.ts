import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { PropertyId, property, propertyValue, propertyValues } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import type { RawClient } from './support/raw-client.ts'
import { connect, disconnect, packet } from './support/wire.ts'
import type { ConnectFields, Version } from './support/wire.ts'

async function watcherOf(server: TestBroker, version: Version = 5): Promise<RawClient> {
  const watcher = await server.connect({ version, clientId: 'watcher' })
  await watcher.subscribe(['will/#', 2])
  return watcher
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest(
    'a will is published when the connection is lost, with its QoS',
    { tags: ['MQTT3-3.1.2-8', 'MQTT3-3.1.2-9', 'MQTT3-3.1.2-14', 'MQTT3-3.1.3-1', 'MQTT5-3.1.2-7', 'MQTT5-3.1.3-1'] },
    async () => {
      const server = await startBroker()
      const watcher = await watcherOf(server, version)
      for (const qos of [0, 1, 2]) {
        const client = await server.connect({
          version,
          clientId: 'c',
          username: 'user',
          password: 'pass',
          will: { topic: `will/${qos}`, payload: 'gone', qos },
        })
        await server.drop(client)
        expect(await watcher.nextPublish()).toMatchObject({ topic: `will/${qos}`, payload: 'gone', qos, retain: false })
      }
    },
  )

  versionTest(
    'a protocol error publishes the will',
    { tags: ['MQTT3-3.1.2-8', 'MQTT3-3.14.1-1', 'MQTT5-3.14.1-1'] },
    async () => {
      const server = await startBroker()
      const watcher = await watcherOf(server, version)
      const client = await server.connect({ version, clientId: 'c', will: { topic: 'will/x' } })
      client.send(packet(0xe1))
      await client.closedWith(0x81)
      await watcher.nextPublish()
    },
  )

  versionTest(
    'DISCONNECT discards the will',
    { tags: ['MQTT3-3.14.4-3', 'MQTT3-3.1.2-10', 'MQTT5-3.14.4-3'] },
    async () => {
      const server = await startBroker()
      const watcher = await watcherOf(server, version)
      const client = await server.connect({ ...lasting, clientId: 'c', will: { topic: 'will/x' } })
      client.send(disconnect())
      await client.closed()
      const again = await server.connect({ ...lasting, clientId: 'c' })
      await server.drop(again)
      await watcher.expectNothing()
    },
  )

  versionTest('a will is published once', { tags: ['MQTT3-3.1.2-10', 'MQTT5-3.1.2-10'] }, async () => {
    const server = await startBroker()
    const watcher = await watcherOf(server, version)
    await server.drop(await server.connect({ ...lasting, clientId: 'c', will: { topic: 'will/x' } }))
    await watcher.nextPublish()
    await server.drop(await server.connect({ ...lasting, clientId: 'c' }))
    await watcher.expectNothing()
  })

  versionTest(
    'Will Retain decides whether it is retained',
    { tags: ['MQTT3-3.1.2-16', 'MQTT3-3.1.2-17', 'MQTT5-3.1.2-14', 'MQTT5-3.1.2-15'] },
    async () => {
      const server = await startBroker()
      for (const retain of [false, true]) {
        await server.drop(
          await server.connect({ version, clientId: 'c', will: { topic: `will/${retain}`, payload: 'x', retain } }),
        )
      }
      const watcher = await watcherOf(server, version)
      expect(await watcher.nextPublish()).toMatchObject({ topic: 'will/true', retain: true })
      await watcher.expectNothing()
    },
  )

  versionTest('closing by the program and by the end of the broker publish the will', async () => {
    const server = await startBroker()
    const wills: string[] = []
    await server.broker.subscribe('will/#', packetOfWill => {
      wills.push(packetOfWill.topic)
    })
    const closed = await server.connect({ version, clientId: 'c', will: { topic: 'will/close' } })
    server.broker.client('c')?.close()
    await closed.closedWith(0x98)
    await server.connect({ version, clientId: 'd', will: { topic: 'will/end' } })
    await server.broker.close()
    expect(wills).toEqual(['will/close', 'will/end'])
  })

  versionTest('a will that authorizePublish refuses is not published', async () => {
    const server = await startBroker({
      authorizePublish: (_client, packetOfWill) => {
        if (packetOfWill.topic === 'will/no') throw new Error('no')
      },
    })
    const watcher = await watcherOf(server, version)
    for (const topic of ['will/no', 'will/yes']) {
      await server.drop(await server.connect({ version, clientId: 'c', will: { topic } }))
    }
    expect((await watcher.nextPublish()).topic).toBe('will/yes')
    await watcher.expectNothing()
    server.errors.length = 0
  })

  versionTest('a refused CONNECT leaves no will', async () => {
    const server = await startBroker({ authenticate: client => client.id === 'watcher' })
    const watcher = await watcherOf(server, version)
    const client = await server.open()
    client.send(connect({ version, clientId: 'c', will: { topic: 'will/x' } }))
    await client.closed()
    await watcher.expectNothing()
  })

  versionTest(
    'a will topic with wildcards, U+0000, bad UTF-8 or too many levels refuses the CONNECT',
    { tags: ['MQTT3-3.1.3-10', 'MQTT5-3.1.3-11'] },
    async () => {
      const server = await startBroker({ maxTopicLevels: 5 })
      for (const topic of ['will/#', '+', 'a\0', Buffer.of(0xc3, 0x28), 'a/b/c/d/e/f', '']) {
        const client = await server.open()
        client.send(connect({ version, clientId: 'c', will: { topic } }))
        const frames = await client.closed()
        expect(frames.every(({ type, body }) => type === 'connack' && body[1] !== 0)).toBe(true)
      }
      expect(server.broker.connectedClients).toBe(0)
    },
  )
})

test('DISCONNECT with 0x04 publishes the will', { tags: ['MQTT5-3.1.2-8'] }, async () => {
  const server = await startBroker()
  const watcher = await watcherOf(server)
  const client = await server.connect({ clientId: 'c', will: { topic: 'will/x' } })
  client.send(disconnect(4))
  await client.closed()
  await watcher.nextPublish()
})

const delayed = (seconds: number, expiry: number): ConnectFields => ({
  clientId: 'c',
  cleanStart: false,
  properties: property.sessionExpiryInterval(expiry),
  will: { topic: 'will/late', payload: 'x', properties: property.willDelayInterval(seconds) },
})

test('a will waits for its delay, and not longer than the sweep takes', { tags: ['MQTT5-3.1.2-8'] }, async () => {
  const server = await startBrokerWithClock()
  const watcher = await watcherOf(server)
  await server.drop(await server.connect(delayed(5, 60)))
  await server.pass(4_900)
  await watcher.expectNothing()
  await server.pass(1_600)
  expect((await watcher.nextPublish()).topic).toBe('will/late')
})

test(
  'a will goes out with the end of the session if that comes before its delay',
  { tags: ['MQTT5-3.1.2-8'] },
  async () => {
    const server = await startBrokerWithClock()
    const watcher = await watcherOf(server)
    await server.drop(await server.connect(delayed(60, 5)))
    await server.pass(4_900)
    await watcher.expectNothing()
    await server.pass(1_600)
    await watcher.nextPublish()
    await server.drop(await server.connect(delayed(60, 0)))
    await watcher.nextPublish()
  },
)

test('a will is dropped when its session goes on before the delay is over', { tags: ['MQTT5-3.1.3-9'] }, async () => {
  const server = await startBrokerWithClock()
  const watcher = await watcherOf(server)
  await server.drop(await server.connect(delayed(5, 60)))
  await server.pass(3_000)
  const { will: _will, ...fields } = delayed(5, 60)
  await server.connect(fields)
  await server.pass(10_000)
  await watcher.expectNothing()
})

test(
  'the expiry of a will counts from its publication; its properties arrive in order',
  { tags: ['MQTT5-3.1.3-10'] },
  async () => {
    const server = await startBrokerWithClock()
    const watcher = await watcherOf(server)
    const properties = [
      ...property.userProperty('b', '1'),
      ...property.willDelayInterval(5),
      ...property.userProperty('a', '2'),
      ...property.messageExpiryInterval(3),
      ...property.contentType('t'),
      ...property.userProperty('b', '3'),
    ]
    const client = await server.connect({
      clientId: 'c',
      properties: property.sessionExpiryInterval(60),
      will: { topic: 'will/x', payload: 'x', retain: true, properties },
    })
    await server.drop(client)
    await server.pass(6_500)
    const delivery = await watcher.nextPublish()
    expect(propertyValues(delivery.properties, PropertyId.userProperty)).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ])
    expect(propertyValue(delivery.properties, PropertyId.contentType)).toBe('t')
    expect([2, 3]).toContain(propertyValue(delivery.properties, PropertyId.messageExpiryInterval))
    expect(delivery.properties).toHaveLength(5)
    await server.pass(3_000)
    await watcher.subscribe('will/#')
    await watcher.expectNothing()
  },
)
