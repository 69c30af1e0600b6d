import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { RedisEmitter } from '@x/emitter-redis'
import { MemoryPersistence } from '@x/persistence-memory'
import { hasRedisServer } from '@x/redis-connection/testing'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { createBroker } from '../src/index.ts'
import { client, collect, command, connected, persistent, redisServer, serve } from './brokers-on-redis.ts'
import type { Served } from './brokers-on-redis.ts'

async function two(): Promise<{ readonly one: Served; readonly other: Served }> {
  const redis = await redisServer()
  return { one: await serve(redis.url), other: await serve(redis.url) }
}

/** Publishes, and returns what had come to all of these clients by the time that what was published afterwards has come. Only messages
 * of one QoS keep their order, so the last one is sent at each. */
async function afterwards(publisher: MqttClient, receivers: readonly string[][], topic = 'a'): Promise<string[][]> {
  for (const qos of [0, 1, 2] as const) await publisher.publishAsync(topic, 'end', { qos })
  const hasEnded = (payloads: readonly string[]): boolean => payloads.filter(text => text === 'end').length === 3
  await expect.poll(() => receivers.every(hasEnded)).toBe(true)
  return receivers.map(payloads => payloads.filter(text => text !== 'end'))
}

describe.skipIf(!hasRedisServer())('two brokers on one Redis (apt-get install redis-server)', () => {
  test('a clean subscriber at one broker gets what is published at the other, at every QoS, once and in order', async () => {
    const { one, other } = await two()
    const received: string[][] = []
    for (const qos of [0, 1, 2] as const) {
      const subscriber = await connected(other.url)
      await subscriber.subscribeAsync('a', { qos })
      received.push(collect(subscriber))
    }
    const publisher = await connected(one.url)
    const order = Array.from({ length: 300 }, (_, index) => `${index}`)
    await Promise.all(
      order.map(async (text, index) => publisher.publishAsync('a', text, { qos: (index % 3) as 0 | 1 | 2 })),
    )
    const [atMostOnce = [], ...rest] = await afterwards(publisher, received)
    expect([...atMostOnce].sort()).toEqual([...order].sort())
    // Messages of one QoS keep their order ([MQTT5-4.6.0-6]).
    for (const payloads of [atMostOnce, ...rest]) {
      expect(payloads).toHaveLength(300)
      for (const qos of [0, 1, 2]) {
        expect(payloads.filter(text => Number(text) % 3 === qos)).toEqual(
          order.filter(text => Number(text) % 3 === qos),
        )
      }
    }
  })

  test('a retained message reaches live subscribers and later ones at the other broker', async () => {
    const { one, other } = await two()
    const flags: (readonly [string, boolean])[] = []
    const subscribe = async (): Promise<void> => {
      const subscriber = await connected(other.url)
      subscriber.on('message', (_topic, payload, packet: IPublishPacket) => {
        flags.push([payload.toString(), packet.retain])
      })
      await subscriber.subscribeAsync('kept', { qos: 1 })
    }
    await subscribe()
    const publisher = await connected(one.url)
    await publisher.publishAsync('kept', 'x', { qos: 1, retain: true })
    await expect.poll(() => flags).toEqual([['x', false]])
    await subscribe()
    await expect.poll(() => flags.slice(1)).toEqual([['x', true]])
  })

  test('a clean client that connects to the other broker is closed at the first, and stays', async () => {
    const { one, other } = await two()
    for (let time = 0; time < 5; time += 1) {
      const first = await connected(one.url, { clientId: 'same' })
      const ended = clientEvent(first, 'disconnect') as Promise<[{ reasonCode: number }]>
      const second = await connected(other.url, { clientId: 'same' })
      expect((await ended)[0].reasonCode).toBe(0x8e)
      await second.subscribeAsync('a', { qos: 0 })
      const back = clientEvent(second, 'disconnect')
      const third = await connected(one.url, { clientId: 'same' })
      await back
      await third.endAsync()
    }
  })

  test('what a publisher has published before it connects to the other broker comes first there, though its news are lost', async () => {
    const redis = await redisServer()
    const [one, other] = [await serve(redis.url), await serve(redis.url)]
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const subscriber = await connected(other.url)
    await subscriber.subscribeAsync('a', { qos: 2 })
    const received = collect(subscriber)
    for (const qos of [1, 2] as const) {
      const before = await connected(one.url, { clientId: 'moving' })
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await before.publishAsync('a', `first ${qos}`, { qos })
      const after = await connected(other.url, { clientId: 'moving' })
      await after.publishAsync('a', `second ${qos}`, { qos })
    }
    await expect.poll(() => received).toEqual(['first 1', 'second 1', 'first 2', 'second 2'])
  })

  test('broker.publish reaches broker.subscribe of the other process', async () => {
    const redis = await redisServer()
    const one = createBroker({ redis: redis.url })
    const other = createBroker({ redis: redis.url })
    onTestFinished(async () => {
      await Promise.all([one.close(), other.close()])
    })
    const texts: string[] = []
    // Before it is open, too.
    await other.subscribe('early/#', packet => void texts.push(packet.payload.toString()))
    await Promise.all([one.ready, other.ready])
    await other.subscribe('late', packet => void texts.push(packet.payload.toString()))
    await one.publish({ topic: 'early/x', payload: 'early', qos: 0 })
    await one.publish({ topic: 'late', payload: 'late', qos: 1 })
    await expect.poll(() => texts).toEqual(['early', 'late'])
  })

  test('a shared group of both brokers gets each message once, at every QoS, and all members get some', async () => {
    const { one, other } = await two()
    const members = [
      await connected(one.url),
      await connected(other.url),
      await connected(other.url, { ...persistent, clientId: 'm' }),
    ]
    for (const member of members) await member.subscribeAsync('$share/g/a/+', { qos: 2 })
    const received = members.map(collect)
    for (const { url } of [one, other]) {
      for (const qos of [0, 1, 2] as const) {
        for (const list of received) list.splice(0)
        const publisher = await connected(url)
        const order = Array.from({ length: 60 }, (_, index) => `${qos} ${index}`)
        await Promise.all(order.map(async text => publisher.publishAsync('a/b', text, { qos })))
        await expect.poll(() => received.flat().length).toBe(60)
        expect(received.flat().sort()).toEqual([...order].sort())
        expect(received.every(({ length }) => length > 0)).toBe(true)
      }
    }
  })

  test('a stored session gets each message once: by the store, or at QoS 0 by the emitter', async () => {
    const { one, other } = await two()
    const subscriber = await connected(other.url, { ...persistent, clientId: 'sub' })
    await subscriber.subscribeAsync({ 'a/+': { qos: 1 }, 'b/+': { qos: 0 } })
    const payloads = collect(subscriber)
    const publisher = await connected(one.url)
    for (const topic of ['a/x', 'b/x'])
      for (const qos of [0, 1, 2] as const) await publisher.publishAsync(topic, `${topic} ${qos}`, { qos })
    const [received = []] = await afterwards(publisher, [payloads], 'a/x')
    expect(received.toSorted()).toEqual(['a/x 0', 'a/x 1', 'a/x 2', 'b/x 0', 'b/x 1', 'b/x 2'])
  })

  test('the will of a client reaches clean subscribers of the other broker', async () => {
    const { one, other } = await two()
    const watcher = await connected(other.url)
    await watcher.subscribeAsync('will', { qos: 1 })
    const payloads = collect(watcher)
    const dying = await connected(one.url, {
      will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false },
    })
    dying.stream.destroy()
    await expect.poll(() => payloads).toEqual(['gone'])
  })

  test('what nobody subscribes to elsewhere is told as such', async () => {
    const { one, other } = await two()
    const publisher = await connected(one.url)
    const reasonOf = async (): Promise<number> => {
      const answer = clientEvent(publisher, 'packetreceive') as Promise<[{ reasonCode?: number }]>
      await publisher.publishAsync('a', 'x', { qos: 1 })
      return (await answer)[0].reasonCode ?? 0
    }
    expect(await reasonOf()).toBe(0x10)
    const subscriber = await connected(other.url)
    await subscriber.subscribeAsync('a', { qos: 1 })
    expect(await reasonOf()).toBe(0)
  })

  test('brokers restarted one after the other lose no session and no acknowledged message', async () => {
    const redis = await redisServer()
    let brokers = [await command(redis), await command(redis)]
    const payloads = new Set<string>()
    let subscriber: MqttClient | undefined
    const subscribe = async (url: string): Promise<boolean> => {
      const made = client(url, { ...persistent, clientId: 'sub' })
      made.on('message', (_, payload) => void payloads.add(payload.toString()))
      const [connack] = (await clientEvent(made, 'connect')) as [{ sessionPresent: boolean }]
      subscriber = made
      return connack.sessionPresent
    }
    expect(await subscribe(brokers[0]?.url ?? '')).toBe(false)
    await subscriber?.subscribeAsync('a/#', { qos: 1 })
    const acknowledged: string[] = []
    const publishSome = async (url: string): Promise<void> => {
      const publisher = await connected(url)
      for (let count = 0; count < 50; count += 1) {
        const text = `${acknowledged.length}`
        await publisher.publishAsync('a/b', text, { qos: 1 })
        acknowledged.push(text)
      }
      await publisher.endAsync()
    }
    for (let restart = 0; restart < 2; restart += 1) {
      const [old, next] = brokers as [(typeof brokers)[0], (typeof brokers)[0]]
      await publishSome(old.url)
      const ended = clientEvent(subscriber as MqttClient, 'close')
      await old.process.stop('SIGTERM')
      await ended
      await publishSome(next.url)
      brokers = [next, await command(redis)]
      expect(await subscribe(next.url)).toBe(true)
    }
    await publishSome(brokers[1]?.url ?? '')
    await expect.poll(() => payloads.size).toBe(acknowledged.length)
  })

  test('leaves no key of its own when all brokers have closed', async () => {
    const redis = await redisServer()
    const { broker, url } = await serve(redis.url)
    const other = await serve(redis.url)
    const subscriber = await connected(url)
    await subscriber.subscribeAsync(['a/#', '$share/g/a'], { qos: 1 })
    await (await connected(other.url)).publishAsync('a/b', 'x', { qos: 1 })
    await broker.close()
    await other.broker.close()
    const reader = new Redis(redis.url)
    onTestFinished(async () => reader.disconnect())
    await expect
      .poll(async () => (await reader.keys('*')).sort())
      .toEqual(['{x1.p0}:births', '{x1.p0}:generation', '{x1.p0}:schema'])
  })
})

describe.skipIf(!hasRedisServer())('one half in Redis (apt-get install redis-server)', () => {
  test('an emitter with stores of the brokers’ own: connected clients get the messages of both, stored ones too', async () => {
    const redis = await redisServer()
    const own = async (): Promise<Served> => serve(redis.url, { persistence: new MemoryPersistence() })
    const [one, other] = [await own(), await own()]
    const stored = await connected(other.url, { ...persistent, clientId: 'sub' })
    await stored.subscribeAsync('a', { qos: 1 })
    const clean = await connected(other.url)
    await clean.subscribeAsync('a', { qos: 2 })
    const received = [collect(stored), collect(clean)]
    const publisher = await connected(one.url)
    for (const qos of [0, 1, 2] as const) await publisher.publishAsync('a', `${qos}`, { qos })
    for (const payloads of await afterwards(publisher, received)) expect(payloads.toSorted()).toEqual(['0', '1', '2'])
  })

  test('QoS 2: stored, while the emitter can’t reach its Redis: acknowledged when it can, to whichever connection, and delivered once', async () => {
    const [store, between] = [await redisServer(), await redisServer()]
    const serveWith = async (): Promise<Served> =>
      serve(store.url, { emitter: new RedisEmitter({ redis: between.url, commandTimeout: 1500 }) })
    const [one, other] = [await serveWith(), await serveWith()]
    const clean = await connected(other.url)
    const stored = await connected(other.url, { ...persistent, clientId: 'stored' })
    for (const subscriber of [clean, stored]) await subscriber.subscribeAsync('a', { qos: 2 })
    const received = [collect(clean), collect(stored)]
    const publisher = await connected(one.url, { ...persistent, clientId: 'publisher', reconnectPeriod: 10 })
    await publisher.publishAsync('a', 'before', { qos: 2 })
    between.process.kill('SIGSTOP')
    onTestFinished(() => void between.process.kill('SIGCONT'))
    let isComplete = false
    const publishing = publisher.publishAsync('a', 'x', { qos: 2 }).then(() => (isComplete = true))
    await expect.poll(() => received[1]).toContain('x')
    // Longer than the emitter's commandTimeout. Then the client sends it again, right after CONNACK.
    await delay(1800)
    const back = clientEvent(publisher, 'packetreceive')
    publisher.stream.destroy()
    await back
    await delay(200)
    expect(isComplete).toBe(false)
    between.process.kill('SIGCONT')
    await publishing
    expect(await afterwards(publisher, received)).toEqual([
      ['before', 'x'],
      ['before', 'x'],
    ])
  })

  test('a store in Redis with an emitter that is given', async () => {
    const redis = await redisServer()
    const calls: string[] = []
    const emitter = {
      open: () => void calls.push('open'),
      close: () => void calls.push('close'),
      addRoute: () => undefined,
      removeRoute: () => undefined,
      takesTurn: () => true,
      reaches: () => true,
      publish: () => undefined,
      announce: () => undefined,
    }
    const { broker } = await serve(redis.url, { emitter })
    await broker.close()
    expect(calls).toEqual(['open', 'close'])
  })

  test('is refused when there is nothing left to put into Redis', () => {
    const emitter = { addRoute: () => undefined }
    expect(() => createBroker({ redis: 'redis://h', persistence: new MemoryPersistence(), emitter })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('nothing to do') }),
    )
  })
})
