import type { SessionHandle, Subscription } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis, spawnRedisWithPast } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { library } from '../src/functions/library.ts'
import { RedisPersistence } from '../src/index.ts'
import { Link } from './support/link.ts'
import { Owner, host, messageOf } from './support/owner.ts'

const key = (name: string): string => `{x1.p0}:${name}`

/** QoS 2, with a subscription identifier where the merging of several is looked at. */
function subscription(filter: string, subscriptionIdentifier?: number): Subscription {
  return { filter, qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0, subscriptionIdentifier }
}

async function opened(store: RedisPersistence, clientId: string, owner = new Owner()): Promise<SessionHandle> {
  const request = { clientId, cleanStart: false, sessionExpiryInterval: 1000, will: undefined, owner }
  return (await store.openSession(request)).handle
}

/** Sessions `NUMBER` that are closed and subscribe to the filters. */
async function stored(store: RedisPersistence, count: number, filters: readonly string[] = ['a']): Promise<void> {
  for (let from = 0; from < count; from += 200) {
    await Promise.all(
      Array.from({ length: Math.min(200, count - from) }, async (_, index) => {
        const handle = await opened(store, `${from + index}`)
        await store.subscribe(
          handle,
          filters.map(filter => subscription(filter)),
        )
        await store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'discard', sentThrough: 0 })
      }),
    )
  }
}

describe.skipIf(!hasRedisServer())('a message for more sessions than one call may take', () => {
  let redis: SpawnedRedis
  let admin: RedisConnection
  const closing: (() => Promise<void>)[] = []

  beforeAll(async () => {
    redis = await spawnRedis()
    admin = new RedisConnection({ redis: redis.url })
    await admin.open()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
    await admin.command('', 'FLUSHALL')
  })
  afterAll(async () => {
    admin.close()
    await redis.stop()
  })

  async function storeAt(url = redis.url): Promise<RedisPersistence> {
    const store = new RedisPersistence({ redis: url, commandTimeout: 1000 })
    await store.open(host())
    closing.push(async () => store.close())
    return store
  }
  const ask = async (...command: [string, ...(string | number)[]]): Promise<unknown> => admin.command('', ...command)
  /** How many sessions have how many entries. */
  async function lengths(count: number, by = admin): Promise<Record<string, number>> {
    const found: Record<string, number> = {}
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const length = String(await by.command('', 'XLEN', key(`q:${index}`)))
        found[length] = (found[length] ?? 0) + 1
      }),
    )
    return found
  }
  /** As if another broker went on with it, until that is released. */
  const hold = async (by = admin): Promise<unknown> =>
    by.command('', 'HSET', key('worker'), 'broker', 'another', 'at', (Date.now() + 3_600_000) * 1000)
  const release = async (): Promise<unknown> => ask('DEL', key('worker'))
  /** A part of it by that broker, which is silent from then on. */
  const spread = async (by = admin): Promise<void> => {
    await expect.poll(async () => by.command('', 'EXISTS', key('fan'))).toBe(1)
    await by.load(library)
    const before = await by.command('', 'HLEN', key(`fan:${await first(by)}`))
    await by.call(library, 'spread', key(''), '', 'another', '1000,1000000,dropOldest')
    expect(await by.command('', 'HLEN', key(`fan:${await first(by)}`))).toBeGreaterThan(Number(before))
  }
  const first = async (by = admin): Promise<string> => String(await by.command('', 'LINDEX', key('fan'), 0))
  const left = async (): Promise<string[]> => ((await ask('KEYS', key('fan*'))) as Buffer[]).map(String)

  test('comes to all of them in calls that hold nobody up', async () => {
    const store = await storeAt()
    await stored(store, 8000)
    await ask('CONFIG', 'RESETSTAT')
    await expect(store.publish(messageOf('one'))).resolves.toBe(8000)
    expect(await lengths(8000)).toEqual({ 1: 8000 })
    expect(await store.counts()).toMatchObject({ queuedMessages: 8000 })
    // Calls up to that many microseconds, of all.
    const [, [, all, , buckets]] = (await ask('LATENCY', 'HISTOGRAM', 'fcall')) as [
      Buffer,
      [Buffer, number, Buffer, number[]],
    ]
    const short = Math.max(...buckets.filter((_, index) => index % 2 === 1 && (buckets[index - 1] ?? 0) < 5000))
    expect(all).toBeGreaterThan(40)
    // The machine may have been busy with something else for most of the time.
    expect(short / all).toBeGreaterThan(0.1)
    expect(await left()).toEqual([])
  })

  test('begins with no message of few takers, however much its call has done', async () => {
    const store = await storeAt()
    await stored(store, 70)
    await store.subscribe(await opened(store, 'one'), [subscription('b')])
    await hold()
    const few = Array.from({ length: 30 }, () => ({ ...messageOf('few', 'b'), publisher: 'another' }))
    // What a call may do at most, nearly.
    const messages = [messageOf('x'.repeat(9000)), ...few]
    const reached = await Promise.all(messages.map(async message => store.publish(message)))
    expect(reached).toEqual([70, ...few.map(() => 1)])
    expect(await left()).toEqual([])
  })

  test('comes before what its publisher publishes afterwards, also by another broker', async () => {
    const [here, there] = [await storeAt(), await storeAt()]
    await stored(here, 300)
    const owner = new Owner()
    const handle = await opened(there, 'all', owner)
    await there.subscribe(handle, [subscription('#')])
    await hold()
    const published = [here.publish(messageOf('wide')), here.publish(messageOf('narrow', 'b'))]
    await here.publish({ ...messageOf('of another', 'c'), publisher: 'another' })
    published.push(there.publish(messageOf('by another broker', 'b')))
    await expect.poll(async () => ask('LLEN', key('fan'))).toBe(3)
    published.push(here.publish(messageOf('wide again')))
    await release()
    await Promise.all(published.map(async one => one))
    await expect.poll(() => owner.texts).toHaveLength(5)
    expect(owner.texts).toEqual(['of another', 'wide', 'narrow', 'by another broker', 'wide again'])
    expect(await left()).toEqual([])
  })

  test('messages of one topic come in one order to all, also of different publishers', async () => {
    const store = await storeAt()
    await stored(store, 300)
    const owner = new Owner()
    await store.subscribe(await opened(store, 'one', owner), [subscription('a')])
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`)
    await Promise.all(texts.map(async text => store.publish({ ...messageOf(text), publisher: `${Number(text) % 3}` })))
    expect(owner.texts).toEqual(texts)
    expect(await lengths(300)).toEqual({ 50: 300 })
  })

  test('is merged from all subscriptions of a session that match', async () => {
    const store = await storeAt()
    await stored(store, 200, ['a', '#', '+'])
    const owner = new Owner()
    await store.subscribe(await opened(store, 'one', owner), [subscription('+', 7), subscription('a', 9)])
    await store.publish(messageOf('one'))
    expect(owner.taken).toMatchObject([{ qos: 2, subscriptionIdentifiers: [7, 9] }])
    expect(await lengths(200)).toEqual({ 1: 200 })
  })

  test('waits in shared groups too', async () => {
    const store = await storeAt()
    await stored(store, 200)
    const handle = await opened(store, 'one')
    await store.subscribe(handle, [subscription('$share/g/a')])
    await expect(store.publish(messageOf('one'))).resolves.toBe(201)
    await expect(store.claim(handle, '$share/g/a', 10)).resolves.toHaveLength(1)
  })

  test('comes to none twice that is looked at again', async () => {
    const store = await storeAt()
    await stored(store, 1000)
    const handle = await opened(store, 'one')
    await store.subscribe(handle, [subscription('$share/g/a')])
    await hold()
    const published = store.publish(messageOf('one'))
    await spread()
    await ask('HSET', key(`fan:${await first()}`), 'cursor', 0, 'filter', 1)
    await expect(published).resolves.toBe(1001)
    expect(await lengths(1000)).toEqual({ 1: 1000 })
    await expect(store.claim(handle, '$share/g/a', 10)).resolves.toHaveLength(1)
  })

  test('comes to all of them once when its broker dies meanwhile', async () => {
    const there = await storeAt()
    const link = await Link.to(redis)
    closing.push(async () => link.close())
    const here = await storeAt(link.url)
    await stored(there, 1000)
    const publisher = await opened(here, 'publisher')
    await hold()
    const published = Promise.resolve(here.publish(messageOf('one'), { session: publisher, packetId: 7 }))
    const outcome = published.catch(() => 'not acknowledged')
    await spread()
    link.cut()
    await expect.poll(async () => lengths(1000)).toEqual({ 1: 1000 })
    expect(await left()).toEqual([])
    // The publisher goes on at another broker.
    const again = await opened(there, 'publisher')
    await expect(there.publish(messageOf('one'), { session: again, packetId: 7 })).resolves.toBe(0)
    expect(await lengths(1000)).toEqual({ 1: 1000 })
    await here.close()
    await expect(outcome).resolves.toBe('not acknowledged')
  })

  test('comes to nobody who subscribes after it was published', async () => {
    const store = await storeAt()
    await stored(store, 300)
    await hold()
    const published = store.publish({ ...messageOf('one'), retain: true })
    await expect.poll(left).toContain(key('fan'))
    const owner = new Owner()
    const handle = await opened(store, 'one', owner)
    await store.subscribe(handle, [subscription('a'), subscription('$share/g/a')])
    await release()
    await published
    await store.publish(messageOf('two'))
    expect(owner.texts).toEqual(['two'])
    await expect(store.claim(handle, '$share/g/a', 10)).resolves.toHaveLength(1)
    expect(await left()).toEqual([])
  })

  test('is not acknowledged by a Redis that comes back older, which brings it to none twice', async () => {
    const past = await spawnRedisWithPast()
    closing.push(async () => past.stop())
    const store = await storeAt(past.url)
    const reader = new RedisConnection({ redis: past.url })
    await reader.open()
    closing.push(async () => reader.close())
    await stored(store, 1000)
    await hold(reader)
    const published = Promise.resolve(store.publish(messageOf('one')))
    const outcome = published.catch((error: unknown) => error)
    await spread(reader)
    await past.remember()
    await past.goBack()
    await expect(outcome).resolves.toMatchObject({ code: 'UNAVAILABLE' })
    await expect.poll(async () => lengths(1000, reader).catch(() => [])).toEqual({ 1: 1000 })
  })
})
