import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { Owner, host, messageOf, session } from './support/owner.ts'

/** Bytes that a queue with one small message takes at most; the first block of a stream is 4 KB. */
const most = 1000

for (const scripting of ['functions', 'scripts'] as const) {
  test.skipIf(!hasRedisServer())(
    `by ${scripting}: a queue with one message takes few bytes, of a session that is closed by then or is closed with it, and works on`,
    async () => {
      const redis = await spawnRedis()
      onTestFinished(async () => redis.stop())
      const admin = new Redis(redis.url)
      onTestFinished(() => admin.disconnect())
      const store = new RedisPersistence({ redis: redis.url, scripting })
      await store.open(host())
      onTestFinished(async () => store.close())
      const bytes = async (client: string): Promise<number> => (await admin.memory('USAGE', `{x1.p0}:q:${client}`)) ?? 0
      const closing = { sessionExpiryInterval: 1000, will: 'discard', sentThrough: 0 } as const
      const [closed] = await session(store, 'closed')
      await store.closeSession(closed, closing)
      const [open, owner] = await session(store, 'open')
      await store.publish(messageOf('one'))
      expect(await bytes('closed')).toBeLessThan(most)
      await expect.poll(() => owner.texts).toEqual(['one'])
      await store.closeSession(open, { ...closing, sentThrough: 1 })
      expect(await bytes('open')).toBeLessThan(most)
      for (const text of ['two', 'three']) await store.publish(messageOf(text))
      for (const client of ['closed', 'open']) {
        const [handle] = await session(store, client, new Owner())
        const entries = await store.read(handle, 0, 10)
        expect(entries.map(({ message }) => message.payload.toString())).toEqual(['one', 'two', 'three'])
        await Promise.all(entries.map(async ({ sequence }) => store.acknowledge(handle, sequence)))
        expect(await bytes(client)).toBe(0)
      }
    },
  )
}
