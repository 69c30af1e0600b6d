import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { BrokerError } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { subscribe, unsubscribe } from './support/wire.ts'

function codesOf(server: TestBroker): string[] {
  const codes: string[] = []
  server.broker.on('clientError', (_client, error) => codes.push((error as BrokerError).code))
  return codes
}

eachVersion(({ version, lasting, test: versionTest }) => {
  const refused = version === 5 ? 0x97 : 0x80

  versionTest(
    'a SUBSCRIBE or UNSUBSCRIBE with more filters than maximumFiltersPerPacket ends its connection',
    async () => {
      const server = await startBroker({ maximumFiltersPerPacket: 3 })
      const codes = codesOf(server)
      const filters = ['a', 'b', 'c', 'd']
      for (const packet of [
        subscribe({ version, filters: filters.map(filter => [filter, 0] as const) }),
        unsubscribe({ version, filters }),
      ]) {
        const client = await server.connect({ version, clientId: 'c' })
        expect((await client.subscribe('a', 'b', 'c')).reasonCodes).toEqual([0, 0, 0])
        client.send(packet)
        await client.closedWith(0x97)
      }
      expect(codes).toEqual(['TOO_MANY_FILTERS', 'TOO_MANY_FILTERS'])
      expect((await server.broker.counts()).subscriptions).toBe(0)
    },
  )

  versionTest('maximumSubscriptionsPerClient refuses one more filter, to this client alone', async () => {
    const server = await startBroker({ maximumSubscriptionsPerClient: 2 })
    const codes = codesOf(server)
    const client = await server.connect({ version, clientId: 'c' })
    expect((await client.subscribe('a', 'b/+', 'c', 'd')).reasonCodes).toEqual([0, 0, refused, refused])
    expect(codes).toEqual(['SUBSCRIPTION_REFUSED'])
    expect(server.broker.counters.subscriptionsRefused).toBe(2)
    // What is replaced takes no more than before.
    expect((await client.subscribe(['a', 1])).reasonCodes).toEqual([1])
    await client.unsubscribe('a')
    expect((await client.subscribe('a', 'a', 'c')).reasonCodes).toEqual([0, 0, refused])
    const other = await server.connect({ version, clientId: 'other' })
    expect((await other.subscribe('c', 'd')).reasonCodes).toEqual([0, 0])
    await server.broker.publish({ topic: 'c' })
    await server.broker.publish({ topic: 'a' })
    expect((await client.nextPublish()).topic).toBe('a')
    await client.expectNothing()
  })

  versionTest('a client has as much room in a new session as in the first one', async () => {
    const server = await startBroker({ maximumSubscriptionsPerClient: 2, maximumSubscriptions: 2 })
    for (let round = 0; round < 3; round += 1) {
      const client = await server.connect({ version, clientId: 'c' })
      expect((await client.subscribe('a', 'b/#', 'c')).reasonCodes).toEqual([0, 0, refused])
      await server.drop(client)
    }
    expect((await server.broker.counts()).subscriptions).toBe(0)
  })

  versionTest('what a resumed session had is kept, counted, and asks for no room', async () => {
    const server = await startBroker({ maximumSubscriptionsPerClient: 2 })
    const first = await server.connect({ ...lasting, clientId: 'c' })
    await first.subscribe('a', ['b', 1])
    await server.drop(first)
    const client = await server.connect({ ...lasting, clientId: 'c' })
    expect((await client.subscribe('c', 'a')).reasonCodes).toEqual([refused, 0])
    await client.unsubscribe('b')
    expect((await client.subscribe('c')).reasonCodes).toEqual([0])
  })

  versionTest('bytes are counted for one client and for all', async () => {
    const long = 'l'.repeat(2000)
    const server = await startBroker({ maximumSubscriptionBytesPerClient: 10_000, maximumSubscriptionBytes: 12_000 })
    const client = await server.connect({ version, clientId: 'c' })
    expect((await client.subscribe(`${long}1`, `${long}2`, `${long}3`, 's')).reasonCodes).toEqual([0, 0, refused, 0])
    const other = await server.connect({ version, clientId: 'other' })
    expect((await other.subscribe(`${long}1`, 's')).reasonCodes).toEqual([refused, 0])
    await server.drop(client)
    expect((await other.subscribe(`${long}1`)).reasonCodes).toEqual([0])
  })

  versionTest('shared subscriptions are limited for one client, and groups for all', async () => {
    const server = await startBroker({ maximumSharedSubscriptionsPerClient: 2, maximumSharedGroups: 3 })
    const client = await server.connect({ version, clientId: 'c' })
    const wish = ['$share/1/a', '$share/2/a', '$share/3/a', 'a']
    expect((await client.subscribe(...wish)).reasonCodes).toEqual([0, 0, refused, 0])
    const other = await server.connect({ version, clientId: 'other' })
    expect((await other.subscribe('$share/3/a', '$share/4/a')).reasonCodes).toEqual([0, refused])
    // Whoever joins a group makes none.
    const third = await server.connect({ version, clientId: 'third' })
    expect((await third.subscribe('$share/4/a', '$share/3/a')).reasonCodes).toEqual([refused, 0])
    await client.unsubscribe('$share/1/a')
    expect((await third.subscribe('$share/4/a')).reasonCodes).toEqual([0])
  })

  versionTest("what the store's limit refuses is refused filter by filter", async () => {
    const server = await startBroker({ persistence: new MemoryPersistence({ maximumSubscriptions: 3 }) })
    const client = await server.connect({ ...lasting, clientId: 'c' })
    expect((await client.subscribe('a', 'b', 'c', 'd', 'a')).reasonCodes).toEqual([0, 0, 0, refused, 0])
    expect(server.broker.counters.subscriptionsRefused).toBe(1)
    await client.unsubscribe('a')
    expect((await client.subscribe('d', 'e')).reasonCodes).toEqual([0, refused])
    // A session that ends with its connection keeps nothing there.
    const other = await server.connect({ version, clientId: 'other' })
    expect((await other.subscribe('a', 'b', 'c', 'd')).reasonCodes).toEqual([0, 0, 0, 0])
  })
})

test('the reasons of ten thousand refused filters are one text of a thousand characters', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  const filters = Array.from({ length: 10_000 }, () => 'a#')
  for (const granted of [await client.subscribe(...filters), await client.unsubscribe(...filters)]) {
    expect(granted.reasonCodes).toEqual(filters.map(() => 0x8f))
  }
  const shown = server.broker.counters.bytesSent
  expect(shown).toBeLessThan(25_000)
})

test('counts are right at once when a client with many subscriptions leaves, and it gets nothing more', async () => {
  const server = await startBroker()
  const count = 20_000
  const filters = Array.from({ length: count }, (_, index) => `f/${index}/+`)
  for (const fields of [{}, { cleanStart: false, properties: [0x11, 0, 0, 0, 9] }]) {
    const client = await server.connect({ clientId: 'c', ...fields })
    await client.subscribe(...filters)
    expect((await server.broker.counts()).subscriptions).toBe(count)
    const ended = server.gone('c')
    const next = await server.connect({ clientId: 'c' })
    await ended
    expect((await server.broker.counts()).subscriptions).toBe(0)
    await next.subscribe('f/7/x')
    await server.broker.publish({ topic: 'f/7/x', qos: 1 })
    await server.broker.publish({ topic: 'f/8/x', qos: 1 })
    expect((await next.nextPublish()).topic).toBe('f/7/x')
    await next.expectNothing()
    await server.drop(next)
  }
})

test('a client that leaves in the middle of its SUBSCRIBE leaves nothing behind', async () => {
  const server = await startBroker({ maximumSubscriptions: 30_000 })
  const filters = Array.from({ length: 30_000 }, (_, index) => [`f/${index}/+`, 1] as const)
  for (const fields of [{}, { cleanStart: false }]) {
    const client = await server.connect({ clientId: 'c', ...fields })
    const left = server.gone('c')
    client.send(subscribe({ filters }))
    for (let turn = 0; turn < 3; turn += 1) await nextTurn()
    client.socket.destroy()
    await left
  }
  const other = await server.connect({ clientId: 'other' })
  const granted = async (): Promise<boolean> =>
    (await other.subscribe(...filters.map(([filter]) => filter))).reasonCodes.every(code => code === 0)
  // As soon as those of the client that has left are taken out.
  await expect.poll(granted).toBe(true)
  expect((await server.broker.counts()).subscriptions).toBe(30_000)
})
