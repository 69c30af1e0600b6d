import { hasRedisServer } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { collect, command, connected, persistent, redisServer, serve } from './brokers-on-redis.ts'

describe.skipIf(!hasRedisServer())('a broker that was stopped (apt-get install redis-server)', () => {
  test.for([
    ['a session that is stored', persistent],
    ['a session that ends with its connection', {}],
  ] as const)('acknowledges nothing that %s has subscribed to meanwhile, and does not get', async ([, options]) => {
    const redis = await redisServer()
    const stopped = await command(redis)
    const { url } = await serve(redis.url)
    const publisher = await connected(stopped.url)
    // Until it is sure that nobody takes the topic, and asks nobody.
    for (let count = 0; count < 20; count += 1) await publisher.publishAsync('a', 'nobody', { qos: 1 })
    stopped.process.signal('SIGSTOP')
    onTestFinished(async () => stopped.process.signal('SIGCONT'))
    const subscriber = await connected(url, { clientId: 'subscriber', ...options })
    const received = collect(subscriber)
    const publishing = publisher.publishAsync('a', 'before', { qos: 1 })
    await subscriber.subscribeAsync('a', { qos: 1 })
    const published = publisher.publishAsync('a', 'after', { qos: 1 })
    stopped.process.signal('SIGCONT')
    await Promise.all([publishing, published])
    await expect.poll(() => received.includes('after')).toBe(true)
  })
})
