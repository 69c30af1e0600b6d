import { Redis } from 'ioredis'
import { hasRedisServer } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { opened, redisServer } from './brokers-on-redis.ts'
import { Broker } from './network.ts'

/** What this release speaks. */
const schema = '2'

describe.skipIf(!hasRedisServer())('releases that would not understand each other', () => {
  async function server(): Promise<{ url: string; admin: Redis }> {
    const { url } = await redisServer()
    const admin = new Redis(url)
    onTestFinished(() => admin.disconnect())
    return { url, admin }
  }

  const opening = async (url: string): Promise<void> => {
    const broker = new Broker('new', { redis: url })
    onTestFinished(async () => broker.emitter.close())
    return broker.emitter.open(broker)
  }

  /** What a broker of schema 1 keeps of itself: its name, and a lease. */
  async function startOfSchema1(admin: Redis): Promise<void> {
    await admin.set('{x1.rt}:l:old~1', '1', 'PX', 60_000)
    await admin.hset('{x1.rt}:brokers', 'old~1', 'old')
    await admin.sadd('{x1.rt}:r:old~1', '2a')
  }

  test('one is refused beside a broker of schema 1, and changes nothing', async () => {
    const { admin, url } = await server()
    await startOfSchema1(admin)
    const before = await admin.dump('{x1.rt}:brokers')
    await expect(opening(url)).rejects.toMatchObject({
      code: 'REDIS_SCHEMA_MISMATCH',
      message: expect.stringMatching(/broker old~1 of schema 1, this release speaks schema 2/),
    })
    expect(await admin.dump('{x1.rt}:brokers')).toBe(before)
    expect(await admin.keys('{x1.rt}:*')).toHaveLength(3)
  })

  test('what a dead one of schema 1 has left is no hindrance', async () => {
    const { admin, url } = await server()
    await startOfSchema1(admin)
    await admin.del('{x1.rt}:l:old~1')
    await opening(url)
    expect(await admin.get('{x1.rt}:brokers')).toBe(schema)
  })

  test('a broker of schema 1 fails beside one of this release, which goes on', async () => {
    const { admin, url } = await server()
    const [one, other] = [await opened('one', { redis: url }), await opened('other', { redis: url })]
    await other.emitter.addRoute('a')
    // Its first steps when it joins.
    await expect(admin.hkeys('{x1.rt}:brokers')).rejects.toThrow('WRONGTYPE')
    await expect(admin.hset('{x1.rt}:brokers', 'old~1', 'old')).rejects.toThrow('WRONGTYPE')
    await one.publish('x')
    await expect.poll(() => other.texts).toEqual(['x'])
  })

  test('one is refused beside a broker of a later schema until that has gone', async () => {
    const { admin, url } = await server()
    await admin.set('{x1.rt}:brokers', '3')
    await admin.zadd('{x1.rt}:leases', Date.now() + 60_000, 'later~1')
    await expect(opening(url)).rejects.toMatchObject({
      code: 'REDIS_SCHEMA_MISMATCH',
      message: expect.stringMatching(/broker later~1 of schema 3, this release speaks schema 2/),
    })
    await admin.zadd('{x1.rt}:leases', 0, 'later~1')
    await opening(url)
  })

  test('a broker that was taken for dead reports it once when others have come meanwhile that it does not understand', async () => {
    const { admin, url } = await server()
    const one = await opened('one', { redis: url })
    const [instance = ''] = await admin.hkeys('{x1.rt}:here')
    await admin.multi().zrem('{x1.rt}:leases', instance).hdel('{x1.rt}:here', instance).exec()
    await admin
      .multi()
      .set('{x1.rt}:brokers', '3')
      .zadd('{x1.rt}:leases', Date.now() + 60_000, 'later~1')
      .exec()
    await expect.poll(() => one.errors, { timeout: 10_000 }).toContain('REDIS_SCHEMA_MISMATCH')
    expect(one.errors.filter(code => code === 'REDIS_SCHEMA_MISMATCH')).toHaveLength(1)
  })

  test('nothing of the schema stays when the last broker has gone', async () => {
    const { admin, url } = await server()
    const broker = new Broker('one', { redis: url })
    await broker.emitter.open(broker)
    await broker.emitter.close()
    expect(await admin.keys('{x1.rt}:*')).toEqual([])
  })
})
