import { Redis } from 'ioredis'
import { hasRedisServer } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { opened, pair, redisServer } from './brokers-on-redis.ts'

const base = '{x1.rt}:'
const many = 150_000

function clientOf(redis: SpawnedRedis): Redis {
  const client = new Redis(redis.url)
  onTestFinished(() => client.disconnect())
  return client
}

async function instanceOf(brokerId: string, client: Redis): Promise<string> {
  const brokers = await client.hgetall(`${base}here`)
  return Object.keys(brokers).find(instance => brokers[instance] === brokerId) ?? ''
}

/** What Redis has of the routes, to be put back: as after a failover to a replica that had no more. */
async function copyOf(client: Redis): Promise<() => Promise<void>> {
  const keys = await client.keys(`${base}*`)
  const values = await Promise.all(keys.map(async key => client.dumpBuffer(key)))
  return async () => {
    const transaction = client.multi()
    for (const [index, key] of keys.entries()) transaction.restore(key, 0, values[index] ?? '', 'REPLACE')
    await transaction.exec()
  }
}

describe.skipIf(!hasRedisServer())('routes that Redis has lost (apt-get install redis-server)', () => {
  test(`a broker with ${many} routes, all new in one turn, is there again with all of them`, async () => {
    const redis = await redisServer()
    const [one, other] = [await opened('one', { redis: redis.url }), await opened('other', { redis: redis.url })]
    await Promise.all(Array.from({ length: many }, async (_, index) => other.emitter.addRoute(`devices/${index}`)))
    await expect.poll(() => one.emitter.reaches(`devices/${many - 1}`)).toBe(true)
    const client = clientOf(redis)
    const calls = async (): Promise<number> =>
      Number(/cmdstat_fcall:calls=(\d+)/.exec(await client.info('commandstats'))?.[1])
    // No call has more of them than Redis does in a moment.
    expect(await calls()).toBeGreaterThan(many / 300)
    await client.zrem(`${base}leases`, await instanceOf('other', client))
    await expect.poll(() => other.errors).toEqual(['LEASE_LOST'])
    await expect.poll(() => one.emitter.reaches(`devices/${many - 1}`)).toBe(true)
    expect(one.emitter.reaches('devices/0')).toBe(true)
    await expect.poll(calls).toBeGreaterThan((2 * many) / 300)
  })

  test('after a failover that has lost the last changes, brokers know what was changed instead of them', async () => {
    const redis = await redisServer()
    const [one, other] = await pair({ redis: redis.url })
    const client = clientOf(redis)
    const putBack = await copyOf(client)
    await other.emitter.addRoute('lost')
    expect(one.emitter.reaches('lost')).toBe(true)
    await putBack()
    await other.emitter.removeRoute('a')
    await expect.poll(() => one.emitter.reaches('a')).toBe(false)
    // Whose route it is has not forgotten it.
    const third = await opened('third', { redis: redis.url })
    await expect.poll(() => third.emitter.reaches('lost')).toBe(true)
    expect(one.emitter.reaches('lost')).toBe(true)
  })
})
