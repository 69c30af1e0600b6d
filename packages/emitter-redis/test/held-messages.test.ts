import { setTimeout as delay } from 'node:timers/promises'
import { followDuration } from '@x/redis-connection'
import { hasRedisServer } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pair, redisServer } from './brokers-on-redis.ts'

/** Shorter than what Redis is out of reach for, and longer than a machine that has other work is slow. */
const commandTimeout = 1000

function freeze(redis: SpawnedRedis): () => void {
  redis.process.kill('SIGSTOP')
  const thaw = (): void => void redis.process.kill('SIGCONT')
  onTestFinished(thaw)
  return thaw
}

describe.skipIf(!hasRedisServer())('messages that Redis can’t take (apt-get install redis-server)', () => {
  test.each([
    ['at once', 0],
    ['when it is no longer sure who subscribes', followDuration + 100],
  ])(
    'QoS 2, published %s: tried until Redis is there again, and delivered once; QoS 1 of the same turn is refused',
    async (_, wait) => {
      const redis = await redisServer()
      const [one, other] = await pair({ redis: redis.url, commandTimeout })
      await one.publish('before', 2)
      const thaw = freeze(redis)
      await delay(wait)
      let isAnswered = false
      const held = Promise.all(['x', 'y'].map(async text => one.publish(text, 2))).then(() => (isAnswered = true))
      await expect(one.publish('refused', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await delay(1.5 * commandTimeout)
      expect(isAnswered).toBe(false)
      thaw()
      await held
      await one.publish('after', 2)
      await expect.poll(() => other.texts.at(-1)).toBe('after')
      expect(other.texts.filter(text => text !== 'refused')).toEqual(['before', 'x', 'y', 'after'])
    },
  )

  test.each([0, followDuration + 100])(
    'QoS 2 beyond maximumOutgoingBytes is refused after the timeout, %i ms after Redis was there last',
    async wait => {
      const redis = await redisServer()
      const [one] = await pair({ redis: redis.url, commandTimeout, maximumOutgoingBytes: 500_000 })
      const thaw = freeze(redis)
      await delay(wait)
      const payload = Buffer.alloc(400_000)
      const first = one.publish(payload, 2)
      await expect(one.publish(payload, 2)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(one.emitter.counters.refused).toBe(1)
      thaw()
      await first
    },
  )

  test.each([1, 2] as const)('QoS %i: refused when the emitter closes before Redis has it', async qos => {
    const redis = await redisServer()
    const [one] = await pair({ redis: redis.url, commandTimeout: 1000 })
    await redis.stop()
    const publishing = one.publish('x', qos)
    const refused = expect(publishing).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await delay(50)
    await one.emitter.close()
    await refused
  })

  test('what is published to a broker that dies meanwhile is answered', async () => {
    const redis = await redisServer()
    const [one, other] = await pair({ redis: redis.url, commandTimeout })
    const thaw = freeze(redis)
    const publishing = one.publish('x', 2)
    thaw()
    await other.emitter.close()
    await publishing
    await expect.poll(() => one.publish('y', 2)).toBeUndefined()
  })
})
