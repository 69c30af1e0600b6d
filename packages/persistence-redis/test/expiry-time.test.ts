import { SteadyClock } from '@x/contract'
import type { Clock, Message } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { allRetained, host, messageOf, session } from './support/owner.ts'

describe.skipIf(!hasRedisServer())('a machine time that is set (apt-get install redis-server)', () => {
  let redis: SpawnedRedis
  beforeAll(async () => {
    redis = await spawnRedis()
  })
  afterAll(async () => redis.stop())

  async function opened(prefix: string, clock: Clock): Promise<RedisPersistence> {
    const store = new RedisPersistence({ redis: redis.url, prefix })
    await store.open({ ...host(), clock })
    onTestFinished(async () => store.close())
    return store
  }

  test.each([3_600_000, -3_600_000])('by %i ms does not change how long a message lives', async step => {
    const machine = new ManualClock()
    const prefix = step < 0 ? 'back' : 'forward'
    const before = new SteadyClock(machine)
    const older = await opened(prefix, before)
    const [handle, owner] = await session(older, 'client')
    owner.deliver = () => false
    machine.setMachineTime(step)
    const after = new SteadyClock(machine)
    const newer = await opened(prefix, after)
    const expiring = (store: Clock): Message => ({ ...messageOf('x'), retain: true, expiresAt: store.now() + 10_000 })
    await older.publish(expiring(before))
    expect(await expiries(newer)).toEqual([after.now() + 10_000])
    expect(await expiries(older)).toEqual([before.now() + 10_000])
    await newer.publish(expiring(after))
    expect(await expiries(older)).toEqual([before.now() + 10_000])
    const entries = await older.read(handle, 0, 10)
    expect(entries.map(({ message }) => message.expiresAt)).toEqual(Array(2).fill(before.now() + 10_000))
  })

  async function expiries(store: RedisPersistence): Promise<(number | undefined)[]> {
    return (await allRetained(store, 'a')).map(({ expiresAt }) => expiresAt)
  }
})
