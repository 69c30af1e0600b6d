import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { property } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { connect, pingreq, subscribe } from './support/wire.ts'

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest(
    'the older connection of an identifier is closed [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] [MQTT5-3.14.4-2]',
    async () => {
      const server = await startBroker()
      const older = await server.connect({ version, clientId: 'x' })
      const newer = await server.connect({ version, clientId: 'x' })
      await older.closedWith(0x8e)
      await newer.ping()
      expect(server.broker.connectedClients).toBe(1)
    },
  )

  versionTest('the newer connection goes on with the session, unacknowledged messages included', async () => {
    const server = await startBroker()
    const older = await server.connect({ ...lasting, clientId: 'x' })
    await older.subscribe(['a', 1])
    await older.publishDone({ topic: 'b' })
    const publisher = await server.connect({ version, clientId: 'p' })
    await publisher.publishDone({ topic: 'a', qos: 1, payload: 'held' })
    const { id } = await older.nextPublish()
    const newer = await server.connect({ ...lasting, clientId: 'x' })
    expect(newer.connack.sessionPresent).toBe(true)
    expect(await newer.nextPublish()).toMatchObject({ id, dup: true, payload: 'held' })
    await older.closedWith(0x8e)
  })

  versionTest('the will of the older connection is published [MQTT3-3.1.2-8] [MQTT5-3.1.2-8]', async () => {
    const server = await startBroker()
    const watcher = await server.connect({ version, clientId: 'watcher' })
    await watcher.subscribe(['will', 1])
    await server.connect({ version, clientId: 'x', will: { topic: 'will', payload: 'taken over', qos: 1 } })
    await server.connect({ version, clientId: 'x' })
    expect((await watcher.nextPublish()).payload).toBe('taken over')
    await watcher.expectNothing()
  })

  versionTest('many sockets with one identifier at once leave exactly one connected', async () => {
    const server = await startBroker()
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.open()))
    const closed: unknown[] = []
    const others = new Promise<void>(resolve => {
      for (const client of clients) {
        client.socket.once('close', () => closed.push(client) === 19 && resolve())
        client.send(connect({ ...lasting, clientId: 'race' }), subscribe({ version, filters: [['a', 1]] }), pingreq)
      }
    })
    await others
    expect(server.broker.connectedClients).toBe(1)
    const survivor = clients.find(client => !closed.includes(client))
    await survivor?.next('connack')
    await survivor?.next('suback')
    await survivor?.next('pingresp')
    await survivor?.ping()
  })
})

test('a delayed will is dropped when the take-over goes on with the session [MQTT5-3.1.3-9]', async () => {
  const server = await startBrokerWithClock()
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('will')
  const properties = property.sessionExpiryInterval(60)
  const will = { topic: 'will', properties: property.willDelayInterval(5) }
  const older = await server.connect({ clientId: 'x', cleanStart: false, properties, will })
  await server.connect({ clientId: 'x', cleanStart: false, properties })
  await older.closedWith(0x8e)
  server.clock.advance(10_000)
  await watcher.expectNothing()
})

test('a delayed will is published at once when the take-over ends the session [MQTT5-3.1.2-8]', async () => {
  const server = await startBrokerWithClock()
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('will')
  const properties = property.sessionExpiryInterval(60)
  const will = { topic: 'will', payload: 'over', properties: property.willDelayInterval(5) }
  await server.connect({ clientId: 'x', cleanStart: false, properties, will })
  await server.connect({ clientId: 'x', cleanStart: true, properties })
  expect((await watcher.nextPublish()).payload).toBe('over')
})
