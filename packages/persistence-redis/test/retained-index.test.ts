import type { RetainedPage } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { filterMatches } from '@x/topic-trie'
import { expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { allRetained, host, messageOf } from './support/owner.ts'

async function opened(): Promise<{ store: RedisPersistence; callsOf(step: () => Promise<unknown>): Promise<number> }> {
  const redis = await spawnRedis()
  onTestFinished(async () => redis.stop())
  const admin = new RedisConnection({ redis: redis.url })
  await admin.open()
  onTestFinished(() => admin.close())
  const store = new RedisPersistence({ redis: redis.url })
  await store.open(host())
  onTestFinished(async () => store.close())
  const calls = async (): Promise<number> =>
    Number(/cmdstat_fcall:calls=(\d+)/.exec(String(await admin.command('', 'INFO', 'commandstats')))?.[1] ?? 0)
  const callsOf = async (step: () => Promise<unknown>): Promise<number> => {
    const before = await calls()
    await step()
    return (await calls()) - before
  }
  return { store, callsOf }
}

async function retain(store: RedisPersistence, topics: readonly string[]): Promise<void> {
  await Promise.all(topics.map(async topic => store.publish({ ...messageOf('x', topic), retain: true })))
}

/** Numbers below a limit, the same in every run. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed
  return limit => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

test.skipIf(!hasRedisServer())('filters find what they match among topics of all shapes', async () => {
  const { store } = await opened()
  const random = randomOf(16)
  const levels = ['', 'a', 'a-', 'a-b', 'a0', 'ab', 'b', 'B', '$', 'é', '\u{10ffff}', 'z']
  const textOf = (parts: readonly string[]): string =>
    Array.from({ length: 1 + random(4) }, () => parts[random(parts.length)] ?? '').join('/')
  const topics = [...new Set(Array.from({ length: 1500 }, () => textOf(levels)))].filter(topic => topic !== '')
  await retain(store, topics)
  const found = async (filter: string): Promise<string[]> =>
    (await allRetained(store, filter)).map(({ topic }) => topic).sort()
  for (let count = 0; count < 300; count += 1) {
    const filter = textOf([...levels, '+', '+', '+']) + (random(3) === 0 ? '/#' : '')
    expect(await found(filter), filter).toEqual(topics.filter(topic => filterMatches(filter, topic)).sort())
  }
  // Those that are gone are not counted on.
  await Promise.all(topics.map(async topic => store.publish({ ...messageOf('', topic), retain: true })))
  await retain(store, ['a/b'])
  expect(await found('+/b')).toEqual(['a/b'])
  expect(await found('#')).toEqual(['a/b'])
})

test.skipIf(!hasRedisServer())('filters look at no topics that can’t match', async () => {
  const { store, callsOf } = await opened()
  const devices = Array.from({ length: 3000 }, (_, index) => `devices/${index}/state`)
  const rooms = Array.from({ length: 3000 }, (_, index) => `house/room${index % 3}/sensor${index}`)
  await retain(store, [...devices, ...rooms, 'devices/5/nothing'])
  // The lease is renewed now and then.
  expect(await callsOf(async () => expect(await allRetained(store, '+/+/none')).toEqual([]))).toBeLessThan(4)
  expect(await callsOf(async () => expect(await allRetained(store, '+/none/#')).toEqual([]))).toBeLessThan(4)
  expect(await callsOf(async () => expect(await allRetained(store, 'house/+/sensor7')).toHaveLength(1))).toBeLessThan(6)
  expect(await allRetained(store, '+/+/nothing')).toHaveLength(1)
})

test.skipIf(!hasRedisServer())(
  'a look-up that finds nothing rests between its calls, so that Redis is there for others',
  async () => {
    const { store } = await opened()
    // Each level is there somewhere.
    await retain(store, [...Array.from({ length: 10_000 }, (_, index) => `${index}/a`), 'x/y/b', 'x/a/c'])
    const pages: number[] = []
    let page: RetainedPage | undefined = await store.retained('+/a/b')
    const started = performance.now()
    while (page?.more !== undefined) {
      page = await page.more()
      pages.push([...page].length)
    }
    expect(pages.every(length => length === 0)).toBe(true)
    expect(pages.length).toBeGreaterThan(30)
    expect(performance.now() - started).toBeGreaterThanOrEqual(pages.length - 8)
  },
)
