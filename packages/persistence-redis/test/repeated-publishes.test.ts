import type { SessionHandle } from '@x/contract'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { RepeatedPublishes } from '../src/publishing/repeated-publishes.ts'
import { Link } from './support/link.ts'
import { Owner, host, messageOf, session } from './support/owner.ts'

/** ms: what comes before the trouble must be quicker. */
const commandTimeout = 1500

test('says them in the order of publishing, in whichever order they are known to have failed, and not before what may come first', async () => {
  const said: number[] = []
  let earlier = 0
  const repeated = new RepeatedPublishes({
    publish: async messages => void said.push(...messages.map(({ number }) => number)),
    isOvertaking: number => earlier < number,
  })
  const one = (number: number): Parameters<typeof repeated.add>[0] => ({
    bytes: Buffer.alloc(1),
    number,
    reject: () => undefined,
  })
  repeated.add(one(3))
  await new Promise(resolve => void setTimeout(resolve, 600))
  expect(said).toEqual([])
  for (const number of [1, 4, 2]) repeated.add(one(number))
  earlier = Infinity
  await expect.poll(() => said).toEqual([1, 2, 3, 4])
})

test('takes only so many bytes, and more once they are said', async () => {
  let says: () => void = () => undefined
  const said: number[] = []
  const repeated = new RepeatedPublishes({
    publish: async messages => {
      await new Promise<void>(resolve => void (says = resolve))
      said.push(messages.length)
    },
    isOvertaking: () => false,
  })
  const one = { bytes: Buffer.alloc(10_000_000), number: 1, reject: () => undefined }
  expect([repeated.add(one), repeated.add(one)]).toEqual([true, false])
  await expect.poll(() => (says(), said)).toEqual([1])
  await expect.poll(() => repeated.isEmpty).toBe(true)
  expect(repeated.add(one)).toBe(true)
})

describe.skipIf(!hasRedisServer())('QoS 2 that Redis does not answer (apt-get install redis-server)', () => {
  const closing: (() => unknown)[] = []
  let redis: SpawnedRedis
  let link: Link
  let store: RedisPersistence
  let publisher: SessionHandle
  let owner: Owner

  beforeEach(async () => {
    redis = await spawnRedis()
    closing.push(async () => redis.stop())
    link = await Link.to(redis)
    closing.push(async () => link.close())
    store = await opened(link.url)
    ;[publisher] = await session(store, 'publisher')
    ;[, owner] = await session(await opened(redis.url), 'subscriber')
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  async function opened(url: string | Redis): Promise<RedisPersistence> {
    const made = new RedisPersistence({ redis: url, commandTimeout })
    await made.open(host())
    closing.push(async () => made.close())
    return made
  }

  const publish = async (packetId: number): Promise<unknown> =>
    store.publish(messageOf(`${packetId}`), { session: publisher, packetId })

  test.each(['mute', 'cut'] as const)('is said again until it does (%s), in order, and stored once', async trouble => {
    link[trouble]()
    let isAnswered = false
    const first = publish(1).then(() => (isAnswered = true))
    await expect(store.counts()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const second = publish(2)
    await expect(store.counts()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(isAnswered).toBe(false)
    link.mend()
    const third = publish(3)
    await Promise.all([first, second, third])
    await expect.poll(() => owner.texts).toEqual(['1', '2', '3'])
  })

  test('counts as stored by the session that has stored it, though its client has connected elsewhere', async () => {
    link.mute()
    const stored = publish(1)
    await expect.poll(() => owner.texts).toEqual(['1'])
    const elsewhere = await opened(redis.url)
    const request = { clientId: 'publisher', cleanStart: false, sessionExpiryInterval: 1000, will: undefined }
    const { received } = await elsewhere.openSession({ ...request, owner: new Owner() })
    expect(received).toEqual([1])
    link.cut()
    link.mend()
    expect(await stored).toBe(0)
    expect(owner.texts).toEqual(['1'])
  })

  test('is fenced if it is not stored, and its client has connected elsewhere', async () => {
    link.cut()
    const lost = publish(1)
    const elsewhere = await opened(redis.url)
    const [handle] = await session(elsewhere, 'publisher')
    await elsewhere.publish(messageOf('again'), { session: handle, packetId: 1 })
    link.mend()
    await expect(lost).rejects.toMatchObject({ code: 'FENCED' })
    await expect.poll(() => owner.texts).toEqual(['again'])
  })

  test('fails when the store closes', async () => {
    link.cut()
    const lost = publish(1)
    await expect(store.counts()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await Promise.all([expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE' }), store.close()])
  })

  test('QoS 1 fails, since its publisher sends it again', async () => {
    link.cut()
    await expect(store.publish({ ...messageOf('1'), qos: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('is not stored behind one that found no memory, though there is some by then', async () => {
    const client = new Redis(redis.url)
    closing.push(() => client.disconnect())
    const sameConnection = await opened(client)
    await client.config('SET', 'maxmemory', 1)
    const one = (text: string): Promise<number> => Promise.resolve(sameConnection.publish(messageOf(text)))
    // So many that they go out at once, as one call.
    const refused = Array.from({ length: 32 }, (_, index) => one(`refused ${index}`))
    const freed = client.config('SET', 'maxmemory', 0)
    const outcomes = Promise.allSettled([...refused, one('behind')])
    await freed
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'QUOTA_EXCEEDED' } })
    await one('sent again')
    await expect.poll(() => owner.texts).toEqual(['sent again'])
  })

  test('without memory: refused as long as Redis takes nothing', async () => {
    const admin = new Redis(redis.url)
    closing.push(() => admin.disconnect())
    await admin.config('SET', 'maxmemory', 1)
    await expect(publish(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    await admin.config('SET', 'maxmemory', 0)
    await publish(1)
    await expect.poll(() => owner.texts).toEqual(['1'])
  })
})
