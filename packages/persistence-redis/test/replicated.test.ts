import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { host, messageOf, session } from './support/owner.ts'

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function spawned(parameters: readonly string[] = []): Promise<SpawnedRedis> {
  const redis = await spawnRedis(parameters)
  closing.push(async () => redis.stop())
  return redis
}

async function opened(url: string): Promise<RedisPersistence> {
  const store = new RedisPersistence({ redis: url, durability: 'replicated', commandTimeout: 3000 })
  await store.open(host())
  closing.push(async () => store.close())
  return store
}

describe.skipIf(!hasRedisServer())('at durability replicated (apt-get install redis-server)', () => {
  test('an owner is told of nothing that its publisher was not, whichever broker it is at', async () => {
    const primary = await spawned()
    const replica = await spawned(['--replicaof', '127.0.0.1', String(primary.port)])
    const admin = new Redis(primary.url)
    closing.push(() => admin.disconnect())
    await admin.set('there', 1)
    expect(await admin.wait(1, 10_000)).toBe(1)
    const [here, there] = [await opened(primary.url), await opened(primary.url)]
    const [[, near], [, far]] = [await session(there, 'near'), await session(here, 'far')]
    await there.publish(messageOf('one'))
    await expect.poll(() => [near.texts, far.texts]).toEqual([['one'], ['one']])
    replica.process.kill('SIGSTOP')
    closing.push(() => replica.process.kill('SIGCONT'))
    await expect(there.publish(messageOf('two'))).rejects.toMatchObject({ cause: { code: 'REDIS_NOT_REPLICATED' } })
    await expect(there.publish(messageOf('three'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect([near.texts, far.texts]).toEqual([['one'], ['one']])
    replica.process.kill('SIGCONT')
    // They are stored, as it turns out.
    const all = ['one', 'two', 'three']
    await expect.poll(() => [near.texts, far.texts]).toEqual([all, all])
  })
})
