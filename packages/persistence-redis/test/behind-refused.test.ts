import type { MaybePromise } from '@x/contract'
import { PersistenceError } from '@x/contract'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { Link } from './support/link.ts'
import { Owner, host, messageOf, session } from './support/owner.ts'

async function outcomeOf(publishing: MaybePromise<number>): Promise<string> {
  try {
    await publishing
    return 'stored'
  } catch (error) {
    return error instanceof PersistenceError ? error.code : String(error)
  }
}

test.skipIf(!hasRedisServer())(
  'a message that waits for the end of its turn when one before it is refused is refused too, though there is room by then',
  async () => {
    const redis = await spawnRedis()
    onTestFinished(async () => redis.stop())
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const link = await Link.to(redis)
    onTestFinished(async () => link.close())
    const store = new RedisPersistence({ redis: link.url })
    await store.open(host())
    onTestFinished(async () => store.close())
    const [, owner] = await session(store, 'client')
    await session(store, 'publisher', new Owner())

    await admin.config('SET', 'maxmemory', 1)
    link.hold()
    const first = outcomeOf(store.publish(messageOf('first')))
    await expect.poll(() => link.held, { interval: 5 }).toBeGreaterThan(0)
    await admin.config('SET', 'maxmemory', 0)

    // The refusal is read after the second message has come, and before its turn ends: timers, sockets, the end of the turn.
    const second = new Promise<string>(resolve => {
      setTimeout(() => resolve(outcomeOf(store.publish(messageOf('second')))), 1)
    })
    for (const since = performance.now(); performance.now() - since < 5;);
    link.release()
    expect([await first, await second]).toEqual(['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'])
    for (const text of ['first', 'second']) await store.publish(messageOf(text))
    expect(owner.texts).toEqual(['first', 'second'])
  },
)
