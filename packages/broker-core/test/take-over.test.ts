import type { OpenSessionRequest, OpenedSession } from '@x/contract'
import { expect, test } from 'vitest'
import { DelayedPersistence } from './support/delayed-persistence.ts'
import { eachVersion } from './support/each-version.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { property } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, pingreq, subscribe } from './support/wire.ts'

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest(
    'the older connection of an identifier is closed',
    { tags: ['MQTT3-3.1.4-2', 'MQTT5-3.1.4-3', 'MQTT5-3.14.4-2'] },
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

  versionTest(
    'the will of the older connection is published',
    { tags: ['MQTT3-3.1.2-8', 'MQTT5-3.1.2-8'] },
    async () => {
      const server = await startBroker()
      const watcher = await server.connect({ version, clientId: 'watcher' })
      await watcher.subscribe(['will', 1])
      await server.connect({ version, clientId: 'x', will: { topic: 'will', payload: 'taken over', qos: 1 } })
      await server.connect({ version, clientId: 'x' })
      expect((await watcher.nextPublish()).payload).toBe('taken over')
      await watcher.expectNothing()
    },
  )

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

test('a delayed will is dropped when the take-over goes on with the session', { tags: ['MQTT5-3.1.3-9'] }, async () => {
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

test(
  'a delayed will is published at once when the take-over ends the session',
  { tags: ['MQTT5-3.1.2-8'] },
  async () => {
    const server = await startBrokerWithClock()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('will')
    const properties = property.sessionExpiryInterval(60)
    const will = { topic: 'will', payload: 'over', properties: property.willDelayInterval(5) }
    await server.connect({ clientId: 'x', cleanStart: false, properties, will })
    await server.connect({ clientId: 'x', cleanStart: true, properties })
    expect((await watcher.nextPublish()).payload).toBe('over')
  },
)

/** Fails to open sessions, at once or later, while it is down. */
class FailingPersistence extends MemoryPersistence {
  down: 'throws' | 'rejects' | undefined

  override openSession(request: OpenSessionRequest): OpenedSession {
    if (this.down === 'throws') throw new Error('store down')
    if (this.down === 'rejects') return Promise.reject(new Error('store down')) as unknown as OpenedSession
    return super.openSession(request)
  }
}

/** How often each client has left. */
function departures(server: TestBroker): Map<string, number> {
  const left = new Map<string, number>()
  server.broker.on('clientDisconnect', ({ id }) => left.set(id, (left.get(id) ?? 0) + 1))
  return left
}

eachVersion(({ version, lasting, test: versionTest }) => {
  for (const down of ['throws', 'rejects'] as const) {
    versionTest(`a store that ${down} refuses the newer connection and leaves the older one alone`, async () => {
      const store = new FailingPersistence()
      const server = await startBroker({ persistence: store })
      const left = departures(server)
      const watcher = await server.connect({ version, clientId: 'watcher' })
      await watcher.subscribe('will')
      const older = await server.connect({ ...lasting, clientId: 'x', will: { topic: 'will' } })
      await older.subscribe(['a', 1])
      store.down = down
      const newer = await server.open()
      expect((await newer.connect({ ...lasting, clientId: 'x' })).reasonCode).toBe(version === 5 ? 0x88 : 3)
      await newer.closed()
      await older.ping()
      await server.broker.publish({ topic: 'a', payload: 'still there', qos: 1 })
      expect((await older.nextPublish()).payload).toBe('still there')
      await watcher.expectNothing()
      expect(left).toEqual(new Map())
      expect(server.broker.connectedClients).toBe(2)
      expect(Object.keys(server.broker.clients).toSorted()).toEqual(['watcher', 'x'])
      store.down = undefined
      const next = await server.connect({ ...lasting, clientId: 'x' })
      await older.closedWith(0x8e)
      expect(await next.nextPublish()).toMatchObject({ dup: true, payload: 'still there' })
      expect(left).toEqual(new Map([['x', 1]]))
    })
  }

  versionTest(
    'the older connection goes on until the store has agreed, and a client is seen after its CONNACK only',
    async () => {
      const store = new DelayedPersistence(new MemoryPersistence(), 5)
      const server = await startBroker({ persistence: store })
      const older = await server.connect({ ...lasting, clientId: 'x' })
      const first = server.broker.client('x')
      store.hold('openSession')
      const newer = await server.open()
      newer.send(connect({ ...lasting, clientId: 'x' }))
      const other = await server.open()
      other.send(connect({ version, clientId: 'other' }))
      while (store.held('openSession') < 2) await new Promise(setImmediate)
      expect(Object.keys(server.broker.clients)).toEqual(Object.keys(server.broker.clients).filter(id => id === 'x'))
      expect(server.broker.clients['other']).toBe(undefined)
      expect([undefined, first]).toContain(server.broker.clients['x'])
      store.letGo('openSession')
      await newer.next('connack')
      await other.next('connack')
      await older.closedWith(0x8e)
      expect(Object.keys(server.broker.clients).toSorted()).toEqual(['other', 'x'])
      expect(server.broker.clients['x']).not.toBe(first)
    },
  )

  versionTest('a newcomer that is not let in, or gives up, ends nobody', async () => {
    const server = await startBroker({
      authenticate: (_client, username) => username !== 'eve',
    })
    const older = await server.connect({ ...lasting, clientId: 'x' })
    const eve = await server.open()
    eve.send(connect({ ...lasting, clientId: 'x', username: 'eve' }))
    await eve.closed()
    await older.ping()
  })
})

test('whatever the store’s answers come in, one of many connections is left, and each left once', async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const server = await startBroker({ persistence: new DelayedPersistence(new MemoryPersistence(), seed) })
    const left: unknown[] = []
    const came: unknown[] = []
    server.broker.on('client', client => came.push(client))
    server.broker.on('clientDisconnect', client => left.push(client))
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.open()))
    for (const [index, client] of clients.entries()) {
      client.version = 5
      client.send(connect({ clientId: 'race', cleanStart: false, properties: property.sessionExpiryInterval(60) }))
      if (index % 3 === 2) client.socket.destroy()
    }
    const open = (): number => clients.filter(({ socket }) => !socket.destroyed && !socket.readableEnded).length
    await expect.poll(() => [open(), server.broker.connectedClients]).toEqual([1, 1])
    expect(came.length - left.length).toBe(1)
    expect(new Set(left).size).toBe(left.length)
    expect(Object.keys(server.broker.clients)).toEqual(['race'])
  }
})
