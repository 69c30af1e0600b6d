import { expect, test } from 'vitest'
import type { BrokerOptions, Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import type { WatchedProcess } from './support/watch-process.ts'
import { subscribe } from './support/wire.ts'

// Hooks that fail in every style, at every place where they are called: who asked is refused, and nobody else notices.

const failures = {
  throws: () => {
    throw new Error('hook')
  },
  'throws undefined': () => {
    throw undefined
  },
  rejects: () => Promise.reject(new Error('hook')),
  'rejects later': async () => {
    await new Promise(setImmediate)
    throw new Error('hook')
  },
  'rejects with 0': () => Promise.reject(0),
} as const satisfies Record<string, () => unknown>

interface Running {
  readonly server: TestBroker
  readonly watched: WatchedProcess
  /** What came as `clientError`, by client. */
  readonly clientErrors: (readonly [id: string | null, message: string])[]
}

async function start(options: Partial<BrokerOptions>): Promise<Running> {
  const watched = watchProcess()
  const server = await startBroker(options)
  const clientErrors: (readonly [string | null, string])[] = []
  server.broker.on('clientError', (client, error) => {
    if (!error.message.includes('ECONNRESET')) clientErrors.push([client.id, error.message])
  })
  return { server, watched, clientErrors }
}

eachVersion(({ version, lasting, test: versionTest }) => {
  for (const [how, fail] of Object.entries(failures)) {
    versionTest(
      `authorizeForward that ${how} costs that delivery, at each QoS, live, stored, shared and retained`,
      async () => {
        const { server, watched, clientErrors } = await start({
          authorizeForward: (client: Client, packet) => (client.id === 'bad' ? (fail() as never) : packet),
        })
        const good = await server.connect({ version, clientId: 'good' })
        await good.subscribe(['a', 2])
        const bad = await server.connect({ ...lasting, clientId: 'bad' })
        await bad.subscribe(['a', 2])
        const publisher = await server.connect({ version, clientId: 'p' })
        for (const qos of [0, 1, 2] as const) {
          await publisher.publishDone({ topic: 'a', qos, payload: String(qos), retain: true })
          expect((await good.nextPublish()).payload).toBe(String(qos))
        }
        await bad.subscribe(['$share/g/b', 1])
        await publisher.publishDone({ topic: 'b', qos: 1 })
        await bad.subscribe(['a', 1])
        await bad.ping()
        await server.drop(bad)
        await publisher.publishDone({ topic: 'a', qos: 1, payload: 'offline' })
        expect((await good.nextPublish()).payload).toBe('offline')
        const again = await server.connect({ ...lasting, clientId: 'bad' })
        await again.ping()
        await publisher.ping()
        await watched.expectCalm()
        expect(server.broker.connectedClients).toBe(3)
        expect(clientErrors.length).toBeGreaterThanOrEqual(6)
        expect(new Set(clientErrors.map(([id]) => id))).toEqual(new Set(['bad']))
      },
    )

    for (const place of ['the first filter', 'the second filter', 'client.subscribe'] as const) {
      versionTest(`authorizeSubscribe that ${how} at ${place}`, async () => {
        const failing = place === 'the first filter' ? 'first' : 'second'
        const { server, watched, clientErrors } = await start({
          authorizeSubscribe: (client, wish) =>
            client.id === 'c' && wish.topic === failing ? fail() : Promise.resolve(wish),
        })
        const bystander = await server.connect({ version, clientId: 'bystander' })
        await bystander.subscribe('news')
        const client = await server.connect({ version, clientId: 'c' })
        if (place === 'client.subscribe') {
          const inside = server.broker.client('c') as Client
          const asked = ['first', 'second'].map(topic => ({ topic, qos: 0 as const }))
          await inside.subscribe(asked).catch(() => undefined)
          await client.ping()
        } else {
          client.send(subscribe({ version, filters: [['first', 0], ['second', 0]] })) // prettier-ignore
          // An answer that is none denies the filter; the hook's own error ends the connection.
          if (how === 'throws undefined' || how === 'rejects with 0') await client.nextGranted('suback')
          else await client.closed()
          expect(clientErrors.map(([id]) => id)).toEqual(['c'])
        }
        await server.broker.publish({ topic: 'news' })
        await bystander.nextPublish()
        await watched.expectCalm()
        expect(Object.keys(server.broker.clients)).toContain('bystander')
      })
    }

    versionTest(
      `authorizeSubscribe that ${how} when a session is resumed: its client is refused or loses the filter`,
      async () => {
        const { server, watched } = await start({})
        const first = await server.connect({ ...lasting, clientId: 'c' })
        await first.subscribe('first', 'second', 'third')
        await server.drop(first)
        server.broker.authorizeSubscribe = (_client, { topic, ...wish }) =>
          topic === 'second' ? fail() : Promise.resolve({ topic, ...wish })
        const second = await server.open()
        const { reasonCode } = await second.connect({ ...lasting, clientId: 'c' })
        const isDenied = how === 'throws undefined' || how === 'rejects with 0'
        expect(reasonCode === 0).toBe(isDenied)
        expect(server.broker.connectedClients).toBe(isDenied ? 1 : 0)
        await watched.expectCalm()
      },
    )

    for (const name of ['preConnect', 'authenticate', 'authenticateEnhanced', 'decodeProtocol'] as const) {
      versionTest(`${name} that ${how} refuses this connection and ends nobody else's`, async () => {
        const { server, watched } = await start({ trustProxy: true })
        const bystander = await server.connect({ version, clientId: 'bystander' })
        server.broker[name] = (): never => fail() as never
        const client = await server.open()
        const method = name === 'authenticateEnhanced' && version === 5 ? [0x15, 0, 1, 0x61] : []
        if (name === 'authenticateEnhanced' && version === 4) server.broker.authenticate = () => false
        const answer = await client.connect({ version, clientId: 'c', properties: method }).catch(() => undefined)
        expect(answer?.reasonCode).not.toBe(0)
        await client.closed()
        server.broker[name] = null
        await bystander.ping()
        await watched.expectCalm()
        expect(server.broker.connectedClients).toBe(1)
        expect(Object.keys(server.broker.clients)).toEqual(['bystander'])
      })
    }
  }
})

test('a hook that answers twice, or after its client has left, is heard once', async () => {
  const { server, watched, clientErrors } = await start({
    authorizePublish: (_client, _packet, done) => {
      setImmediate(() => {
        done()
        done(new Error('twice'))
        done()
      })
    },
  })
  const receiver = await server.connect({ clientId: 'r' })
  await receiver.subscribe('a')
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a', qos: 1 })
  await receiver.nextPublish()
  client.publish({ topic: 'a', qos: 1 })
  await server.drop(client)
  await watched.expectCalm()
  expect(clientErrors).toEqual([])
})
