import type { SessionHandle } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { Owner, host, messageOf } from './support/owner.ts'

const many = 20_000
const group = '$share/g/shared'
const filters = [...Array.from({ length: many }, (_, index) => `devices/${index}/state`), 'a', group]
/** Of messages to the first, the last, and the shared one of them. */
const topics = ['devices/0/state', `devices/${many - 1}/state`, 'shared']

describe.skipIf(!hasRedisServer())(`a session with ${many} subscriptions`, () => {
  let redis: SpawnedRedis
  let admin: RedisConnection
  let store: RedisPersistence
  let handle: SessionHandle

  const open = async (cleanStart: boolean, sessionExpiryInterval: number, owner = new Owner()) =>
    store.openSession({ clientId: 'client', cleanStart, sessionExpiryInterval, will: undefined, owner })
  const reached = async (): Promise<number[]> =>
    Promise.all(topics.map(async topic => store.publish(messageOf('one', topic))))
  const keys = async (): Promise<string[]> =>
    ((await admin.command('', 'KEYS', '*')) as Buffer[]).map(key => String(key).replace(/^.*?:/, ''))
  /** Calls since the session was there. */
  async function calls(): Promise<number> {
    const stats = String(await admin.command('', 'INFO', 'commandstats'))
    return Number(/cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1])
  }

  beforeAll(async () => {
    redis = await spawnRedis()
    admin = new RedisConnection({ redis: redis.url })
    await admin.open()
  })
  beforeEach(async () => {
    store = new RedisPersistence({ redis: redis.url })
    await store.open(host())
    ;({ handle } = await open(false, 1000))
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    await store.subscribe(
      handle,
      filters.map(filter => ({ filter, ...options, subscriptionIdentifier: undefined })),
    )
    await admin.command('', 'CONFIG', 'RESETSTAT')
  })
  afterEach(async () => {
    await store.close()
    await admin.command('', 'FLUSHALL')
  })
  afterAll(async () => {
    admin.close()
    await redis.stop()
  })

  const closing = { will: 'discard', sentThrough: 0 } as const
  test.each([
    ['by Clean Start', async () => void (await open(true, 1000))],
    [
      'with its connection',
      async () => void (await store.closeSession(handle, { ...closing, sessionExpiryInterval: 0 })),
    ],
    [
      'by its expiry',
      async () => {
        await store.closeSession(handle, { ...closing, sessionExpiryInterval: 1 })
        await expect.poll(async () => store.claimDue(10)).toHaveLength(1)
      },
    ],
  ])('that ends %s takes nothing any more, and is cleared away in calls that hold nobody up', async (_, end) => {
    await end()
    expect(await reached()).toEqual([0, 0, expect.any(Number)])
    expect(await store.counts()).toMatchObject({ subscriptions: 0 })
    // The next one has only what it asks for.
    const owner = new Owner()
    const { handle: next, subscriptions } = await open(false, 1000, owner)
    expect(subscriptions).toEqual([])
    const filter = topics[1] ?? ''
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    await store.subscribe(next, [{ filter, ...options, subscriptionIdentifier: undefined }])
    expect(await reached()).toEqual([0, 1, expect.any(Number)])
    await expect.poll(keys).not.toContain('ended')
    expect(await reached()).toEqual([0, 1, 0])
    expect(owner.texts).toEqual(['one', 'one'])
    expect((await keys()).filter(key => /^(?:x:|m:|g:|ended|worker|f:devices)/.test(key))).toEqual([`f:${filter}`])
    expect(await calls()).toBeGreaterThan(many / 250)
  })

  test('goes on with all of them, in their order', async () => {
    const { subscriptions } = await open(false, 1000)
    expect(subscriptions.map(({ filter }) => filter)).toEqual(filters)
    expect(await calls()).toBeGreaterThan(many / 250)
  })

  test('that goes on for this connection only is passed by', async () => {
    const { handle: next } = await open(false, 0)
    expect((await reached()).slice(0, 2)).toEqual([0, 0])
    await expect.poll(keys).not.toContain('ended')
    expect((await reached()).slice(0, 2)).toEqual([0, 0])
    expect(await store.claim(next, group, 10)).toHaveLength(2)
    expect(await calls()).toBeGreaterThan(many / 250)
  })
})
