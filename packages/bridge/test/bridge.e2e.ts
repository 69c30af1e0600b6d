import { once } from 'node:events'
import type { Broker } from '@x/broker'
import { ManualClock } from '@x/contract/testing'
import { MemoryPersistence } from '@x/persistence-memory'
import { connectAsync } from 'mqtt'
import { describe, expect, test } from 'vitest'
import { bridge } from '../src/index.ts'
import type { Bridge, BridgeOptions } from '../src/index.ts'
import { quick, startBridge, startBroker, startMosquitto, startProxy, watch } from './support/brokers.ts'
import type { OurPlace, Place, Proxy } from './support/brokers.ts'

const remotes: Record<string, () => Promise<Place>> = {
  'this broker': () => startBroker({ id: 'remote' }),
  Mosquitto: () => startMosquitto(['max_queued_messages 0', 'max_inflight_messages 0']),
}

for (const [name, startRemote] of Object.entries(remotes)) {
  describe(`to ${name}`, () => {
    test.for([3, 4, 5] as const)(
      'messages of every QoS go both ways, and none in a circle, with %i',
      { tags: ['MQTT3-7.0.0-1'] },
      async version => {
        const remote = await startRemote()
        const local = await startBridge({
          addresses: remote.url,
          topics: [{ filter: 'a/#', direction: 'both', qos: 2 }],
          protocolVersion: version,
        })
        const here = await watch(local.url, 'a/#')
        const there = await watch(remote.url, 'a/#')
        const expected: string[] = []
        for (const qos of [0, 1, 2] as const) {
          for (const [side, { client }] of Object.entries({ here, there })) {
            await client.publishAsync(`a/${side}`, `${qos}`, { qos })
            expected.push(`a/${side} ${qos} ${qos} false`)
          }
        }
        // Whatever goes in a circle would come before these do.
        for (const [side, { client }] of Object.entries({ here, there })) {
          await client.publishAsync('a/last', side, { qos: 2 })
          expected.push(`a/last ${side} 2 false`)
        }
        for (const { seen } of [here, there]) await expect.poll(() => seen.toSorted()).toEqual(expected.toSorted())
        expect(local.errors).toEqual([])
      },
    )

    test.for([4, 5] as const)(
      'retained messages are carried when the bridge connects and later, with %i',
      async version => {
        const remote = await startRemote()
        const before = await watch(remote.url, 'none')
        await before.client.publishAsync('in/old', 'kept', { qos: 1, retain: true })
        const local = await startBridge({
          addresses: remote.url,
          topics: [
            { filter: 'in/#', direction: 'in', qos: 1 },
            { filter: 'out/#', direction: 'out', qos: 1 },
          ],
          protocolVersion: version,
        })
        const here = await watch(local.url, 'none')
        await here.client.publishAsync('out/new', 'kept', { qos: 1, retain: true })
        for (const [url, filter, line] of [
          [remote.url, 'out/#', 'out/new kept 1 true'],
          [local.url, 'in/#', 'in/old kept 1 true'],
        ] as const) {
          const first = await watch(url, filter)
          await expect.poll(() => first.seen).toHaveLength(1)
          const second = await watch(url, filter)
          await expect.poll(() => second.seen).toEqual([line])
        }
      },
    )

    test.for([4, 5] as const)('topics get the names of the other side, with %i', async protocolVersion => {
      const remote = await startRemote()
      const local = await startBridge({
        addresses: remote.url,
        protocolVersion,
        topics: [
          { filter: 'p/#', direction: 'both', qos: 1, localPrefix: 'L/', remotePrefix: 'R/' },
          { filter: '', direction: 'out', qos: 1, localPrefix: 'one', remotePrefix: 'eins' },
          { filter: 'same', direction: 'in', qos: 1 },
        ],
      })
      const here = await watch(local.url, '#')
      const there = await watch(remote.url, '#')
      await here.client.publishAsync('L/p/x', '1', { qos: 1 })
      await here.client.publishAsync('one', '2', { qos: 1 })
      await there.client.publishAsync('R/p/y', '3', { qos: 1 })
      await there.client.publishAsync('same', '4', { qos: 1 })
      await expect
        .poll(() => there.seen.toSorted())
        .toEqual(['R/p/x 1 1 false', 'R/p/y 3 1 false', 'eins 2 1 false', 'same 4 1 false'])
      await expect
        .poll(() => here.seen.toSorted())
        .toEqual(['L/p/x 1 1 false', 'L/p/y 3 1 false', 'one 2 1 false', 'same 4 1 false'])
    })

    test.for([4, 5] as const)('wills of clients of either broker are carried, with %i', async version => {
      const remote = await startRemote()
      const local = await startBridge({
        addresses: remote.url,
        topics: [{ filter: 'will/#', direction: 'both', qos: 2 }],
        protocolVersion: version,
      })
      const here = await watch(local.url, 'will/+/there')
      const there = await watch(remote.url, 'will/+/here')
      for (const [side, { url }] of Object.entries({ here: local, there: remote })) {
        for (const qos of [0, 1, 2] as const) {
          const will = { topic: `will/${qos}/${side}`, payload: Buffer.from('gone'), qos, retain: qos === 2 }
          const client = await connectAsync(url, { protocolVersion: version, reconnectPeriod: 0, will })
          // Without DISCONNECT.
          client.stream.destroy()
        }
      }
      for (const [side, { seen }] of Object.entries({ there: here, here: there })) {
        await expect
          .poll(() => seen.toSorted())
          .toEqual([`will/0/${side} gone 0 false`, `will/1/${side} gone 1 false`, `will/2/${side} gone 2 false`])
      }
      const later = await watch(remote.url, 'will/2/here')
      await expect.poll(() => later.seen).toEqual(['will/2/here gone 2 true'])
    })

    test.for([4, 5] as const)('both brokers keep what is published while the link is down, with %i', async version => {
      const remote = await startRemote()
      const proxy = await startProxy(remote.port)
      const local = await startBridge({
        addresses: proxy.url,
        topics: [{ filter: 'a/#', direction: 'both', qos: 2 }],
        protocolVersion: version,
      })
      const here = await watch(local.url, 'a/there')
      const there = await watch(remote.url, 'a/here')
      const expected = (side: string): string[] =>
        Array.from({ length: 60 }, (_, index) => `a/${side} ${index} ${(index % 2) + 1} false`)
      const publish = async (from: number, to: number): Promise<void> => {
        for (let index = from; index < to; index += 1) {
          const qos = ((index % 2) + 1) as 1 | 2
          await here.client.publishAsync('a/here', `${index}`, { qos })
          await there.client.publishAsync('a/there', `${index}`, { qos })
        }
      }
      await publish(0, 20)
      proxy.close()
      await publish(20, 40)
      proxy.open()
      await publish(40, 60)
      for (const { seen } of [there, here]) await expect.poll(() => new Set(seen).size).toBe(60)
      // QoS 1 may come twice around a cut, QoS 2 may not. Mosquitto keeps the order within each QoS.
      for (const qos of [1, 2]) {
        const isOf = (line: string): boolean => line.endsWith(`${qos} false`)
        const once_ = (lines: readonly string[]): string[] =>
          lines.filter(isOf).filter((line, index, all) => qos === 2 || all.indexOf(line) === index)
        expect(once_(there.seen)).toEqual(expected('here').filter(isOf))
        expect(once_(here.seen)).toEqual(expected('there').filter(isOf))
      }
      await expect.poll(() => local.bridge.counters.connections).toBe(2)
    })

    test('a link that is cut again and again loses nothing and sends nothing of QoS 2 twice', async () => {
      const remote = await startRemote()
      const proxy = await startProxy(remote.port)
      const local = await startBridge({
        addresses: proxy.url,
        topics: [{ filter: 'a/#', direction: 'both', qos: 2 }],
      })
      const here = await watch(local.url, 'a/there')
      const there = await watch(remote.url, 'a/here')
      const rounds = 10
      const perRound = 60
      const count = rounds * perRound
      for (let round = 0; round < rounds; round += 1) {
        const sent = Array.from({ length: perRound }, (_, index) => `${round * perRound + index}`).map(payload =>
          Promise.all([
            here.client.publishAsync('a/here', payload, { qos: 2 }),
            there.client.publishAsync('a/there', payload, { qos: 2 }),
          ]),
        )
        // Each round is cut somewhere else.
        for (let turn = 0; turn < round * 2; turn += 1) await new Promise(setImmediate)
        proxy.cut()
        await Promise.all(sent)
        await expect.poll(() => local.bridge.counters.connections).toBe(round + 2)
      }
      const all = (side: string): string[] =>
        Array.from({ length: count }, (_, index) => `a/${side} ${index} 2 false`).toSorted()
      await expect.poll(() => there.seen.length).toBe(count)
      await expect.poll(() => here.seen.length).toBe(count)
      expect(there.seen.toSorted()).toEqual(all('here'))
      expect(here.seen.toSorted()).toEqual(all('there'))
    })

    test('its state is told on both brokers, and its will says that it is gone', async () => {
      const remote = await startRemote()
      const proxy = await startProxy(remote.port)
      const topic = 'state/house'
      const local = await startBridge({
        addresses: proxy.url,
        topics: [{ filter: 'a' }],
        notificationTopic: topic,
        startType: 'once',
      })
      const here = await watch(local.url, topic)
      const there = await watch(remote.url, topic)
      await expect.poll(() => here.seen).toEqual([`${topic} 1 1 true`])
      await expect.poll(() => there.seen).toEqual([`${topic} 1 1 true`])
      proxy.close()
      await expect.poll(() => here.seen.at(-1)).toBe(`${topic} 0 1 false`)
      await expect.poll(() => there.seen.at(-1)).toBe(`${topic} 0 1 false`)
      expect(local.bridge.state).toBe('ended')
    })
  })
}

test('a ring of five brokers comes to rest, with live and retained messages', async () => {
  const topics = [{ filter: '#', direction: 'both', qos: 1 }] as const
  const names = ['a', 'b', 'c'] as const
  const bridges: Bridge[] = []
  const last = await startBroker({ id: 'c' })
  const middle = await startBridge({ addresses: last.url, topics, remoteId: 'c', clientId: 'b-to-c' }, { id: 'b' })
  const first = await startBridge({ addresses: middle.url, topics, remoteId: 'b', clientId: 'a-to-b' }, { id: 'a' })
  // The third side closes the ring: between the first and the last.
  const closing = await startBridge({ addresses: first.url, topics, remoteId: 'a', clientId: 'd-to-a' }, { id: 'd' })
  const closed = await startBridge({ addresses: closing.url, topics, remoteId: 'd', clientId: 'e-to-d' }, { id: 'e' })
  bridges.push(middle.bridge, first.bridge, closing.bridge, closed.bridge)
  const watchers = await Promise.all([first, middle, last].map(({ url }) => watch(url, 't/#')))
  for (const [index, name] of names.entries()) {
    await watchers[index]?.client.publishAsync(`t/${name}`, 'x', { qos: 1, retain: true })
  }
  for (const { seen } of watchers) await expect.poll(() => new Set(seen).size).toBe(3)
  const count = (): number =>
    bridges.reduce((sum, { counters }) => sum + counters.in.messages + counters.out.messages, 0)
  // What is on its way round the ring comes to an end: nothing is carried between two exchanges with each broker.
  const exchange = async (): Promise<unknown> =>
    Promise.all(watchers.map(async ({ client }) => client.unsubscribeAsync('none')))
  const rests = async (): Promise<boolean> => {
    const before = count()
    await exchange()
    return count() === before
  }
  await expect.poll(rests).toBe(true)
  expect(await rests()).toBe(true)
})

test('hooks are not asked about the bridge, which is part of the program', async () => {
  const remote = await startBroker()
  const asked: string[] = []
  const deny = (name: string): void => {
    asked.push(name)
  }
  const local = await startBridge(
    { addresses: remote.url, topics: [{ filter: 'a/#', direction: 'both', qos: 1 }] },
    {
      preConnect: (client, _packet, done) => {
        deny(`preConnect ${client.listener}`)
        done(null, client.listener !== undefined && !client.listener.startsWith('bridge'))
      },
      authenticate: (client, _username, _password, done) => done(null, client.id === 'watcher'),
      authorizePublish: (client, _packet, done) => done(client?.id === 'watcher' ? null : new Error('no')),
      authorizeSubscribe: (client, subscription, done) => done(null, client.id === 'watcher' ? subscription : null),
      authorizeForward: (client, packet) => (client.id === 'watcher' ? packet : null),
    },
  )
  const here = await watch(local.url, 'a/there', { clientId: 'watcher' })
  const there = await watch(remote.url, 'a/here')
  await here.client.publishAsync('a/here', 'x', { qos: 1 })
  await there.client.publishAsync('a/there', 'y', { qos: 1 })
  await expect.poll(() => there.seen).toEqual(['a/here x 1 false'])
  await expect.poll(() => here.seen).toEqual(['a/there y 1 false'])
  expect(asked.every(line => !line.includes('bridge'))).toBe(true)
})

test('filters of an earlier configuration are left, and the session of before goes on', async () => {
  const remote = await startBroker()
  const persistence = new MemoryPersistence()
  const options = { addresses: remote.url, clientId: 'b' }
  const first = await startBridge(
    {
      ...options,
      topics: [
        { filter: 'old', qos: 1 },
        { filter: 'kept', qos: 1 },
      ],
    },
    { persistence },
  )
  await first.broker.close()
  const second = await startBridge({ ...options, topics: [{ filter: 'kept', qos: 1 }] }, { persistence })
  expect(Object.keys(second.broker.clients['local.b']?.subscriptions ?? {})).toEqual(['kept'])
})

test('a broker that can not be reached is tried again, and reported once', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  proxy.close()
  const made = bridge({
    name: 'house',
    addresses: proxy.url,
    topics: [{ filter: 'a' }],
    reconnectDelay: { least: 5, greatest: 10 },
  })
  const local = await startBroker({ plugins: [made] })
  await expect.poll(() => made.counters.failures).toBeGreaterThan(3)
  expect(local.errors.length).toBeLessThanOrEqual(2)
  const connected = once(made, 'connected')
  proxy.open()
  await connected
  expect(made.state).toBe('connected')
})

/** A bridge whose other broker could not be reached yet: the proxy on the way is closed. */
async function startUnreached(
  options: Partial<BridgeOptions>,
): Promise<{ readonly remote: Place; readonly proxy: Proxy; readonly local: OurPlace }> {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  proxy.close()
  const topics = [{ filter: 'a', qos: 2 }] as const
  const made = bridge({ name: 'house', ...quick, addresses: proxy.url, topics, ...options })
  const local = await startBroker({ plugins: [made] })
  await expect.poll(() => made.counters.failures).toBeGreaterThan(0)
  return { remote, proxy, local }
}

test.for([4, 5] as const)(
  'what is published before the other broker is reached for the first time waits for it, with %i',
  async version => {
    const { remote, proxy, local } = await startUnreached({ protocolVersion: version })
    const here = await watch(local.url, 'none')
    const there = await watch(remote.url, 'a')
    for (const [payload, qos] of [
      ['1', 1],
      ['2', 2],
    ] as const)
      await here.client.publishAsync('a', payload, { qos })
    proxy.open()
    await expect.poll(() => there.seen).toEqual(['a 1 1 false', 'a 2 2 false'])
  },
)

test('what waits in the session of an earlier bridge goes on in its order, also at QoS 0', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  const there = await watch(remote.url, 'a')
  const options = { name: 'house', ...quick, addresses: proxy.url, topics: [{ filter: 'a', qos: 2 }] } as const
  const persistence = new MemoryPersistence()
  const local = await startBroker({ queueQoS0Messages: true, persistence })
  const first = bridge(options)
  const connected = once(first, 'connected')
  const detach = await first.attach(local.broker)
  await connected
  await detach?.()
  const here = await watch(local.url, 'none')
  const messages = [
    ['0a', 0],
    ['0b', 0],
    ['1', 1],
    ['0c', 0],
  ] as const
  for (const [payload, qos] of messages) await here.client.publishAsync('a', payload, { qos })
  await expect.poll(async () => (await local.broker.counts()).queuedMessages).toBe(4)
  proxy.close()
  const second = bridge(options)
  const detachSecond = await second.attach(local.broker)
  await expect.poll(() => second.counters.failures).toBeGreaterThan(0)
  proxy.open()
  await expect.poll(() => there.seen.map(text => text.split(' ')[1])).toEqual(['0a', '0b', '1', '0c'])
  await detachSecond?.()
})

test('a bridge whose session ends with its connection keeps nothing before the other broker is reached', async () => {
  const { local } = await startUnreached({ localClean: true })
  expect((await local.broker.counts()).disconnectedSessions).toBe(0)
})

test('of several addresses the next one is tried', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  proxy.close()
  const local = await startBridge({ addresses: [proxy.url, remote.url], topics: [{ filter: 'a' }] })
  expect(local.bridge.state).toBe('connected')
  expect(local.bridge.counters.failures).toBe(1)
})

test('the first address is used again when somebody listens there, and messages go on', async () => {
  const [first, second] = [await startBroker(), await startBroker()]
  const proxy = await startProxy(first.port)
  proxy.close()
  const clock = new ManualClock()
  const made = bridge({
    name: 'house',
    addresses: [proxy.url, second.url],
    returnToFirst: true,
    topics: [{ filter: 'a', qos: 1 }],
    clock,
  })
  const left: string[] = []
  made.on('disconnected', ({ message }) => left.push(message))
  const local = await startBroker({ plugins: [made] })
  // Timers of the bridge's clock are due one after the other, each when what it waits for has happened.
  const until = async (isSo: () => boolean): Promise<void> => {
    await expect
      .poll(() => {
        if (!isSo()) clock.advance(250)
        return isSo()
      })
      .toBe(true)
  }
  await until(() => made.state === 'connected' && second.broker.connectedClients === 1)
  proxy.open()
  await until(() => made.state === 'connected' && first.broker.connectedClients === 1)
  await expect.poll(() => second.broker.connectedClients).toBe(0)
  expect(left).toContain('the first address can be reached again')
  const there = await watch(first.url, 'a')
  const here = await watch(local.url, 'none')
  await here.client.publishAsync('a', 'x', { qos: 1 })
  await expect.poll(() => there.seen).toEqual(['a x 1 false'])
})

test.for([4, 5] as const)('a bridge that is forgotten leaves no session on this broker, with %i', async version => {
  const remote = await startBroker()
  const local = await startBridge({
    addresses: remote.url,
    topics: [{ filter: 'a', qos: 1 }],
    protocolVersion: version,
  })
  const sessions = async (place: { readonly broker: Broker }): Promise<number> => {
    const { connectedClients, disconnectedSessions } = await place.broker.counts()
    return connectedClients + disconnectedSessions
  }
  expect(await sessions(local)).toBe(1)
  await local.bridge.forget()
  await expect.poll(() => sessions(local)).toBe(0)
  // Before MQTT 5.0 a client can't say that its session is over.
  await expect.poll(async () => (await remote.broker.counts()).connectedClients).toBe(0)
  await expect.poll(() => sessions(remote)).toBe(version === 5 ? 0 : 1)
  expect(local.bridge.state).toBe('ended')
})

test('a bridge that is not connected can be forgotten as well, with what waits for it', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  const local = await startBridge({ addresses: proxy.url, topics: [{ filter: 'a', qos: 1 }] })
  proxy.close()
  await expect.poll(() => local.bridge.state).not.toBe('connected')
  const here = await watch(local.url, 'none')
  await here.client.publishAsync('a', 'x', { qos: 1 })
  await expect.poll(async () => (await local.broker.counts()).queuedMessages).toBe(1)
  await local.bridge.forget()
  await expect.poll(async () => (await local.broker.counts()).queuedMessages).toBe(0)
  expect((await local.broker.counts()).disconnectedSessions).toBe(0)
})
