import type { SessionHandle } from '@x/contract'
import { hasRedisServer, spawnRedisWithPast } from '@x/redis-connection/testing'
import type { RedisWithPast } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { host, messageOf, Owner, session } from './support/owner.ts'

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** Ends with the test. */
async function spawned(): Promise<RedisWithPast> {
  const redis = await spawnRedisWithPast()
  closing.push(async () => redis.stop())
  return redis
}

async function opened(url: string): Promise<RedisPersistence> {
  const store = new RedisPersistence({ redis: url, commandTimeout: 2000 })
  await store.open(host())
  closing.push(async () => store.close())
  return store
}

/** As soon as Redis is back. */
async function published(store: RedisPersistence, ...texts: readonly string[]): Promise<void> {
  for (const text of texts)
    await expect.poll(async () => Promise.resolve(store.publish(messageOf(text))).catch(String)).toBe(1)
}

const acknowledgeAll = async (store: RedisPersistence, handle: SessionHandle, owner: Owner): Promise<unknown> =>
  Promise.all(owner.taken.map(async ({ sequence }) => store.acknowledge(handle, sequence)))

const old = ['old 0', 'old 1', 'old 2', 'old 3', 'old 4']
const later = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9']

describe.skipIf(!hasRedisServer())('when Redis comes back older (apt-get install redis-server)', () => {
  test.each(['after', 'before'])(
    'what is published %s late acknowledgements of what it has forgotten is delivered, in order',
    async moment => {
      const redis = await spawned()
      const [here, there] = [await opened(redis.url), await opened(redis.url)]
      const [handle, owner] = await session(here, 'client')
      await redis.remember()
      await published(there, ...old)
      await expect.poll(() => owner.texts).toEqual(old)
      const forgotten = [...owner.taken]
      const settle = async (): Promise<unknown> =>
        Promise.all(forgotten.map(async ({ sequence }) => here.acknowledge(handle, sequence)))
      if (moment === 'before') await settle()
      await redis.goBack()
      await published(there, ...later)
      if (moment === 'after') await settle()
      await expect.poll(() => owner.texts).toEqual([...old, ...later])
      const queued = await here.read(handle, 0, 100)
      expect(queued.map(({ message }) => message.payload.toString())).toEqual(later)
      const packetIds = new Set(queued.map(({ sequence }) => sequence % 65_535))
      expect(forgotten.filter(({ sequence }) => packetIds.has(sequence % 65_535))).toEqual([])
      await acknowledgeAll(here, handle, owner)
      expect(await here.read(handle, 0, 100)).toEqual([])
    },
  )

  test('twice from the same past, no sequence comes again', async () => {
    const redis = await spawned()
    const store = await opened(redis.url)
    const [, owner] = await session(store, 'client')
    await redis.remember()
    // A message that its owner has not heard of is forgotten with the Redis that goes.
    await published(store, 'one')
    await expect.poll(() => owner.texts).toEqual(['one'])
    await redis.goBack()
    await published(store, 'two')
    await expect.poll(() => owner.texts).toEqual(['one', 'two'])
    await redis.goBack()
    await published(store, 'three')
    await expect.poll(() => owner.texts).toEqual(['one', 'two', 'three'])
    expect(new Set(owner.taken.map(({ sequence }) => sequence)).size).toBe(3)
  })

  test('an owner that had caught up with its backlog since is offered what comes', async () => {
    const redis = await spawned()
    const [here, there] = [await opened(redis.url), await opened(redis.url)]
    const busy = new Owner()
    const take = busy.deliver.bind(busy)
    busy.deliver = () => false
    const [handle] = await session(here, 'client', busy)
    await published(there, 'backlog')
    await redis.remember()
    busy.deliver = take
    expect(await here.read(handle, 0, 10)).toHaveLength(1)
    await redis.goBack()
    await published(there, 'later')
    await expect.poll(() => busy.texts).toEqual(['later'])
  })

  test('news that are lost afterwards are noticed', async () => {
    const redis = await spawned()
    const [here, there] = [await opened(redis.url), await opened(redis.url)]
    const [, owner] = await session(here, 'client')
    await redis.remember()
    await published(there, ...old)
    await expect.poll(() => owner.texts).toEqual(old)
    await redis.goBack()
    await published(there, 'm0')
    await expect.poll(() => owner.texts).toEqual([...old, 'm0'])
    const admin = new Redis(redis.url)
    closing.push(() => admin.disconnect())
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await published(there, 'm1')
    await expect.poll(() => owner.texts).toEqual([...old, 'm0', 'm1'])
  })

  test('a filter that was new before and one that is new afterwards are not taken for each other', async () => {
    const redis = await spawned()
    const [here, there] = [await opened(redis.url), await opened(redis.url)]
    const [handle, owner] = await session(here, 'client')
    await redis.remember()
    const how = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    const subscribe = async (filter: string): Promise<unknown> =>
      here.subscribe(handle, [{ filter, ...how, subscriptionIdentifier: undefined }]).catch(String)
    await subscribe('before')
    expect(await there.publish(messageOf('nobody', 'afterwards'))).toBe(0)
    await redis.goBack()
    await expect.poll(async () => subscribe('afterwards')).toEqual([false])
    await expect
      .poll(async () => Promise.resolve(there.publish(messageOf('somebody', 'afterwards'))).catch(String))
      .toBe(1)
    await expect.poll(() => owner.texts).toEqual(['somebody'])
  })
})
