import { Redis } from 'ioredis'
import { hasRedisServer } from '@x/redis-connection/testing'
import { expect, onTestFinished, test } from 'vitest'
import { opened, redisServer } from './brokers-on-redis.ts'

const seconds = 2

test.skipIf(!hasRedisServer())(
  'brokers that have nothing to do cost Redis 8 commands a second each, however many',
  async () => {
    const redis = await redisServer()
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    const commands = async (): Promise<number> =>
      [...(await client.info('commandstats')).matchAll(/calls=(\d+)/g)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      )
    async function perSecondOfEach(brokers: number): Promise<number> {
      await new Promise(resolve => void setTimeout(resolve, 500))
      const before = await commands()
      const since = performance.now()
      await new Promise(resolve => void setTimeout(resolve, seconds * 1000))
      const count = (await commands()) - before
      // A machine that has other work sleeps longer, and what happens once a second happens up to three times in two of them.
      return count / ((performance.now() - since) / 1000 + 1) / brokers
    }
    for (const index of [1, 2, 3]) await opened(`${index}`, { redis: redis.url })
    const few = await perSecondOfEach(3)
    for (let index = 4; index <= 12; index += 1) await opened(`${index}`, { redis: redis.url })
    const many = await perSecondOfEach(12)
    expect(few).toBeLessThanOrEqual(8)
    expect(many).toBeLessThanOrEqual(8)
  },
)
