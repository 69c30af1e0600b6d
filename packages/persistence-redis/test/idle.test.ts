import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { host } from './support/owner.ts'

const seconds = 2

test.skipIf(!hasRedisServer())(
  'brokers that have nothing to do cost Redis 6 commands a second each, however many',
  async () => {
    const redis = await spawnRedis()
    onTestFinished(async () => redis.stop())
    const admin = new RedisConnection({ redis: redis.url })
    await admin.open()
    onTestFinished(() => admin.close())
    async function open(): Promise<void> {
      const store = new RedisPersistence({ redis: redis.url })
      await store.open(host())
      onTestFinished(async () => store.close())
    }
    const commands = async (): Promise<number> =>
      [...String(await admin.command('', 'INFO', 'commandstats')).matchAll(/calls=(\d+)/g)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      )
    async function perSecondOfEach(stores: number): Promise<number> {
      const before = await commands()
      const since = performance.now()
      await new Promise(resolve => void setTimeout(resolve, seconds * 1000))
      const count = (await commands()) - before
      // A machine that has other work sleeps longer, and what happens once a second happens up to three times in two of them.
      return count / ((performance.now() - since) / 1000 + 1) / stores
    }
    for (let count = 0; count < 3; count += 1) await open()
    expect(await perSecondOfEach(3)).toBeLessThanOrEqual(6)
    for (let count = 3; count < 12; count += 1) await open()
    expect(await perSecondOfEach(12)).toBeLessThanOrEqual(6)
  },
)
