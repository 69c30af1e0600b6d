import type { SessionHandle } from '@x/contract'
import { hasRedisServer, spawnCluster, spawnRedis, spawnSentinel } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import type { RedisPersistenceOptions } from '../src/index.ts'
import { host, messageOf } from './support/owner.ts'

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A server that ends with the test. */
async function ending<Server extends SpawnedRedis>(spawning: Promise<Server>): Promise<Server> {
  const server = await spawning
  closing.push(async () => server.stop())
  return server
}

async function opened(options: RedisPersistenceOptions): Promise<RedisPersistence> {
  const store = new RedisPersistence({ commandTimeout: 1000, connectTimeout: 1000, ...options })
  await store.open(host())
  closing.push(async () => store.close())
  return store
}

/** A store with a session that subscribes, and what its owner has taken. */
async function connected(options: RedisPersistenceOptions): Promise<[RedisPersistence, SessionHandle, string[]]> {
  const store = await opened(options)
  const taken: string[] = []
  const { handle } = await store.openSession({
    clientId: 'client',
    cleanStart: false,
    sessionExpiryInterval: 1000,
    will: undefined,
    owner: {
      deliver: ({ message }) => taken.push(message.payload.toString()) > 0,
      fenced: () => undefined,
    },
  })
  const how = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
  await store.subscribe(handle, [{ filter: 'a', ...how, subscriptionIdentifier: undefined }])
  return [store, handle, taken]
}

/** Until it can be stored again: what is refused meanwhile must be refused as something that may succeed later. */
async function publishedAgain(store: RedisPersistence, text: string): Promise<void> {
  await expect
    .poll(
      async () => {
        try {
          return await store.publish(messageOf(text))
        } catch (error) {
          expect(error).toMatchObject({ code: 'UNAVAILABLE' })
          return 0
        }
      },
      { interval: 100 },
    )
    .toBe(1)
}

/** What is queued, as soon as this store finds the new primary as well. */
async function expectQueued(store: RedisPersistence, handle: SessionHandle, texts: readonly string[]): Promise<void> {
  const queued = async (): Promise<string[]> =>
    (await store.read(handle, 0, 100)).map(({ message }) => message.payload.toString())
  await expect.poll(async () => queued().catch(String)).toEqual(texts)
}

describe.skipIf(!hasRedisServer())('when a primary dies (apt-get install redis-server)', () => {
  test('goes on at the replica that Sentinel promotes, with what was replicated', async () => {
    const primary = await ending(spawnRedis())
    const replica = await ending(spawnRedis(['--replicaof', '127.0.0.1', `${primary.port}`]))
    const admin = new Redis(replica.url)
    closing.push(() => admin.disconnect())
    await expect.poll(async () => admin.info('replication')).toContain('master_link_status:up')
    const sentinel = await ending(spawnSentinel(primary))
    const watcher = new Redis(sentinel.url)
    closing.push(() => watcher.disconnect())
    await expect.poll(async () => watcher.call('SENTINEL', 'replicas', 'primary')).toHaveLength(1)
    const errors: string[] = []
    const redis = `${sentinel.url.replace('redis:', 'redis-sentinel:')}/primary`
    const [store, handle, taken] = await connected({ redis, onError: ({ code }) => void errors.push(code) })
    const other = await opened({ redis })
    await store.publish(messageOf('one'))
    await expect.poll(async () => admin.xlen('{x1.p0}:q:client')).toBe(1)
    await primary.stop()
    await publishedAgain(other, 'two')
    await expect.poll(() => taken).toEqual(['one', 'two'])
    await expectQueued(store, handle, ['one', 'two'])
    expect(await admin.xlen('{x1.p0}:q:client')).toBe(2)
    expect(errors).toContain('REDIS_UNREACHABLE')
  })

  test('goes on at the replica that a Redis Cluster promotes, with what was replicated', async () => {
    const cluster = await ending(spawnCluster(3, 1))
    const [store, handle, taken] = await connected({ redis: cluster.url })
    const other = await opened({ redis: cluster.url })
    await store.publish(messageOf('one'))
    const primary = cluster.primaryOf('{x1.p0}:')
    const admin = new Redis(primary.url)
    expect(await admin.wait(1, 5000)).toBe(1)
    admin.disconnect()
    await primary.stop()
    await publishedAgain(other, 'two')
    await expect.poll(() => taken).toEqual(['one', 'two'])
    await expectQueued(store, handle, ['one', 'two'])
  })

  test('waits for the replica of its slot in a Redis Cluster at durability replicated', async () => {
    const cluster = await ending(spawnCluster(3, 1))
    const [store, handle, taken] = await connected({
      redis: cluster.url,
      durability: 'replicated',
      commandTimeout: 4000,
    })
    expect(await store.publish(messageOf('one'))).toBe(1)
    await expect.poll(() => taken).toEqual(['one'])
    await store.acknowledge(handle, 1)
    const admin = new Redis(cluster.primaryOf('{x1.p0}:').url)
    closing.push(() => admin.disconnect())
    const [, address = ''] = /slave0:ip=127.0.0.1,port=(\d+)/.exec(await admin.info('replication')) ?? []
    const replica = new Redis(Number(address), '127.0.0.1', { retryStrategy: () => null })
    await replica.shutdown('NOSAVE').catch(() => undefined)
    await expect(store.publish(messageOf('two'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { code: 'REDIS_NOT_REPLICATED' },
    })
  })
})
