import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { Owner, host } from './support/owner.ts'

test.skipIf(!hasRedisServer())(
  'a session that is opened behind a lease that begins anew stays open (apt-get install redis-server)',
  async () => {
    const redis = await spawnRedis()
    const store = new RedisPersistence({ redis: redis.url })
    const admin = new Redis(redis.url)
    try {
      await store.open(host())
      await admin.flushall()
      const accepted: Owner[] = []
      let attempts = 0
      // All the time, so that one of them is on its way together with the call for the lease.
      const attempt = (): void => {
        const owner = new Owner()
        const request = { cleanStart: false, sessionExpiryInterval: 1000, will: undefined, owner }
        void store.openSession({ ...request, clientId: `client ${(attempts += 1)}` }).then(
          () => accepted.push(owner),
          () => undefined,
        )
      }
      const attempting = setInterval(() => void Array.from({ length: 20 }, attempt), 1)
      try {
        await expect.poll(() => accepted.length, { interval: 1 }).toBeGreaterThan(0)
      } finally {
        clearInterval(attempting)
      }
      await store.counts()
      await new Promise(resolve => void setImmediate(resolve))
      expect(accepted.map(({ fencedCount }) => fencedCount).filter(count => count > 0)).toEqual([])
    } finally {
      admin.disconnect()
      await store.close()
      await redis.stop()
    }
  },
)
