import { Redis } from 'ioredis'
import { hasRedisServer, spawnRedisWithPast } from '@x/redis-connection/testing'
import type { RedisWithPast } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { opened } from './brokers-on-redis.ts'
import type { Broker } from './network.ts'

/** Ends with the test. */
async function spawned(): Promise<RedisWithPast> {
  const redis = await spawnRedisWithPast()
  onTestFinished(async () => redis.stop())
  return redis
}

/** As soon as Redis is back. */
async function published(broker: Broker, texts: readonly string[]): Promise<void> {
  for (const text of texts)
    await expect.poll(async () => Promise.resolve(broker.publish(text)).then(() => 'done', String)).toBe('done')
}

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index}`)

/** One that publishes, one that has a route of `a` and is slow to find Redis again. */
async function pairOn(
  redis: RedisWithPast,
  maximumInboxBytes?: number,
): Promise<readonly [one: Broker, other: Broker]> {
  const client = new Redis(redis.url, { retryStrategy: () => 1500, lazyConnect: true, enableOfflineQueue: false })
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  const limits = { commandTimeout: 2000, ...(maximumInboxBytes !== undefined && { maximumInboxBytes }) }
  const [one, other] = [
    await opened('one', { redis: redis.url, ...limits }),
    await opened('other', { redis: client, ...limits }),
  ]
  await other.emitter.addRoute('a')
  return [one, other]
}

describe.skipIf(!hasRedisServer())('when Redis comes back older (apt-get install redis-server)', () => {
  test.each([3, 30])(
    'what is acknowledged before a broker is there again arrives, although %i numbers had been given since',
    async lost => {
      const redis = await spawned()
      const [one, other] = await pairOn(redis)
      await published(one, ['before'])
      await expect.poll(() => other.texts).toEqual(['before'])
      await redis.remember()
      await published(one, numbered('lost', lost))
      await expect.poll(() => other.texts.length).toBe(lost + 1)
      await redis.goBack()
      const later = numbered('later', 20)
      await published(one, later)
      const expected = ['before', ...numbered('lost', lost), ...later]
      await expect.poll(() => other.texts).toEqual(expected)
    },
  )

  test('room in an inbox comes back', async () => {
    const redis = await spawned()
    const [one, other] = await pairOn(redis, 1_048_576)
    await published(one, ['x'.repeat(600_000)])
    await redis.remember()
    await published(one, ['y'.repeat(400_000)])
    await expect.poll(() => other.texts.length).toBe(2)
    await redis.goBack()
    const later = numbered('z'.repeat(300_000), 6)
    await published(one, later)
    await expect.poll(() => other.texts.slice(2)).toEqual(later)
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const [inbox = ''] = await admin.keys('*b:other~*:n')
    await expect
      .poll(async () => {
        const { bytes, taken } = await admin.hgetall(inbox)
        return Number(bytes) - Number(taken)
      })
      .toBe(0)
  })
})
