import { expect, test } from 'vitest'
import type { Subscription } from '@x/packet'
import type { Client } from '../src/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, disconnect, publish, subscribe, unsubscribe } from './support/wire.ts'

const will = { topic: 'will', payload: 'gone' }

/** What the broker tells of the client `c`, and of messages. */
function watch(server: TestBroker): { reasons: string[]; topics: string[] } {
  const watched = { reasons: [] as string[], topics: [] as string[] }
  server.broker.on('clientDisconnect', (_client, reason) => watched.reasons.push(reason))
  void server.broker.subscribe('+', ({ topic }, done) => {
    watched.topics.push(topic)
    done()
  })
  return watched
}

/** A hook that says yes when it is told to. */
class Question {
  #answer: (() => void) | undefined
  readonly hook = (_client: unknown, subscription: Subscription): Promise<Subscription> =>
    new Promise(resolve => {
      this.#answer = () => resolve(subscription)
    })

  get isAsked(): boolean {
    return this.#answer !== undefined
  }

  allow(): void {
    this.#answer?.()
  }
}

/** The client leaves as told, and the broker sees its stream end. */
async function leaves({ broker }: TestBroker, client: RawClient, leave: (client: RawClient) => unknown): Promise<void> {
  const { conn } = broker.clients['c'] as Client
  leave(client)
  await expect.poll(() => conn.readableEnded || conn.destroyed).toBe(true)
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
}

/** Sends bytes that the broker, whose reading rests, leaves in the stream. */
async function sendsUnread({ conn }: Client, client: RawClient, bytes: Buffer): Promise<void> {
  await expect.poll(() => conn.isPaused()).toBe(true)
  client.send(bytes)
  await expect.poll(() => conn.readableLength).toBeGreaterThan(0)
}

const ways: readonly [string, (client: RawClient) => unknown][] = [
  ['has ended its side', client => client.socket.end()],
  ['has reset the connection', client => client.socket.resetAndDestroy()],
]

for (const version of [4, 5] as const) {
  for (const [how, leave] of ways) {
    const subscribing = subscribe({ version, filters: [['a', 0]] })
    test(`MQTT ${version}: packets behind a SUBSCRIBE that waits for a hook take effect when the client ${how}`, async () => {
      const question = new Question()
      const server = await startBroker({ authorizeSubscribe: question.hook })
      const watched = watch(server)
      const client = await server.connect({ version, clientId: 'c', will })
      client.send(Buffer.concat([subscribing, publish({ version, topic: 'last' }), disconnect()]))
      await expect.poll(() => question.isAsked).toBe(true)
      await leaves(server, client, leave)
      expect(watched.reasons).toEqual([])
      question.allow()
      await expect.poll(() => watched.reasons).toEqual(['disconnect'])
      expect(watched.topics).toEqual(['last'])
      await expect.poll(() => server.broker.connectedClients).toBe(0)
    })

    test(`MQTT ${version}: packets behind PUBLISHes that wait for a hook take effect when the client ${how}`, async () => {
      const questions: (() => void)[] = []
      const ask = (): Promise<void> =>
        new Promise(resolve => {
          questions.push(resolve)
        })
      const server = await startBroker({ authorizePublish: ask, maxInflightInbound: 2 })
      const watched = watch(server)
      const client = await server.connect({ version, clientId: 'c', will })
      const topics = ['one', 'two', 'three', 'four']
      client.send(Buffer.concat([...topics.map(topic => publish({ version, topic })), disconnect()]))
      await expect.poll(() => questions.length).toBeGreaterThan(0)
      await leaves(server, client, leave)
      expect(watched.reasons).toEqual([])
      const allow = (): number => {
        for (const question of questions.splice(0)) question()
        return watched.topics.length
      }
      await expect.poll(allow).toBe(4)
      await expect.poll(() => watched.reasons).toEqual(['disconnect'])
      expect(watched.topics).toEqual(topics)
    })

    test(`MQTT ${version}: a client that ${how} without DISCONNECT leaves its will, once its packets have taken effect`, async () => {
      const question = new Question()
      const server = await startBroker({ authorizeSubscribe: question.hook })
      const watched = watch(server)
      const client = await server.connect({ version, clientId: 'c', will })
      const later = publish({ version, topic: 'last' })
      client.send(Buffer.concat([subscribing, later, unsubscribe({ version, filters: ['a'] })]))
      await expect.poll(() => question.isAsked).toBe(true)
      await leaves(server, client, leave)
      question.allow()
      await expect.poll(() => watched.topics).toEqual(['last', 'will'])
      expect(watched.reasons).toEqual(['cut'])
    })

    test(`MQTT ${version}: a hook that never answers holds up a client that ${how} for closeTimeout`, async () => {
      const server = await startBrokerWithClock({ authorizeSubscribe: () => new Promise(() => undefined) })
      const watched = watch(server)
      const client = await server.connect({ version, clientId: 'c', will })
      client.send(Buffer.concat([subscribing, disconnect()]))
      await expect.poll(() => server.broker.counters.packetsReceived).toBe(2)
      await leaves(server, client, leave)
      await server.pass(1000)
      expect(watched.reasons).toEqual([])
      await server.pass(1500)
      expect(watched.reasons).toEqual(['cut'])
      await expect.poll(() => watched.topics).toEqual(['will'])
    })

    for (const keepAlive of [0, 60]) {
      test(`MQTT ${version}: so it does when packets have come meanwhile that are not read, Keep Alive is ${keepAlive} s, and the client ${how}`, async () => {
        const server = await startBrokerWithClock({ authorizeSubscribe: () => new Promise(() => undefined) })
        const watched = watch(server)
        const client = await server.connect({ version, clientId: 'c', will, keepAlive })
        client.send(subscribing)
        await expect.poll(() => server.broker.counters.packetsReceived).toBe(2)
        await sendsUnread(server.broker.clients['c'] as Client, client, publish({ version, topic: 'last' }))
        leave(client)
        await expect.poll(async () => server.pass(500).then(() => watched.reasons)).toEqual(['cut'])
        await expect.poll(() => watched.topics).toEqual(['will'])
        expect(server.broker.connectedClients).toBe(0)
      })
    }

    test(`MQTT ${version}: an authenticate that never answers holds up a client that has sent more and ${how} for connectTimeout`, async () => {
      let authenticating: Client | undefined
      const authenticate = (client: Client): Promise<boolean> => {
        authenticating = client
        return new Promise(() => undefined)
      }
      const server = await startBrokerWithClock({ authenticate, hookTimeout: 0 })
      const client = await server.open()
      client.send(connect({ version, clientId: 'c' }))
      await expect.poll(() => authenticating).toBeDefined()
      await sendsUnread(authenticating as unknown as Client, client, subscribing)
      leave(client)
      await expect.poll(async () => server.pass(1000).then(() => authenticating?.conn.destroyed)).toBe(true)
    })

    test(`MQTT ${version}: another connection takes over at once from a client that ${how} while a hook holds it up`, async () => {
      const question = new Question()
      const server = await startBroker({ authorizeSubscribe: question.hook })
      const watched = watch(server)
      const client = await server.connect({ version, clientId: 'c' })
      client.send(Buffer.concat([subscribing, disconnect()]))
      await expect.poll(() => question.isAsked).toBe(true)
      await leaves(server, client, leave)
      await server.connect({ version, clientId: 'c' })
      expect(watched.reasons).toEqual(['takeOver'])
      question.allow()
      for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
      expect(watched.reasons).toEqual(['takeOver'])
      expect(server.broker.connectedClients).toBe(1)
    })
  }
}
