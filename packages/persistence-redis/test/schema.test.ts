import { readFile } from 'node:fs/promises'
import type { Persistence } from '@x/contract'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import { Owner, allRetained, host, messageOf, session } from './support/owner.ts'
import { readKeys, writeKeys } from './support/stored-keys.ts'
import type { StoredKey } from './support/stored-keys.ts'

const never = 0xffff_ffff
const subscription = {
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: undefined,
} as const
/** Content Type `text`. */
const properties = Buffer.from([0x03, 0, 4, 0x74, 0x65, 0x78, 0x74])

/** One of each thing that a store keeps, by a broker that has gone. */
async function fill(store: Persistence): Promise<void> {
  const { handle } = await store.openSession({
    clientId: 'away',
    cleanStart: false,
    sessionExpiryInterval: never,
    will: { clientId: 'away', message: messageOf('the will', 'w'), messageExpiryInterval: 60, delayInterval: 1 },
    owner: new Owner(),
  })
  await store.subscribe(handle, [
    { ...subscription, filter: 'a', qos: 2 },
    { ...subscription, filter: 'b/+/#', qos: 1, noLocal: true, retainAsPublished: true, subscriptionIdentifier: 7 },
    { ...subscription, filter: '$share/group/s', qos: 1 },
  ])
  await store.publish({ ...messageOf('one'), properties, expiresAt: Date.UTC(2100, 0) })
  await store.publish(messageOf('two'))
  await store.release(handle, 1)
  await store.publish(messageOf('received'), { session: handle, packetId: 5 })
  await store.publish({ ...messageOf('retained', 'r/1'), retain: true, properties })
  await store.closeSession(handle, { sessionExpiryInterval: never, will: 'publish', sentThrough: 1 })
  await store.publish(messageOf('shared', 's'))
}

describe.skipIf(!hasRedisServer())('the schema', () => {
  async function server(): Promise<{ admin: Redis; opened: () => Promise<RedisPersistence> }> {
    const redis = await spawnRedis()
    onTestFinished(async () => redis.stop())
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const opened = async (): Promise<RedisPersistence> => {
      const store = new RedisPersistence({ redis: redis.url })
      await store.open(host())
      onTestFinished(async () => store.close())
      return store
    }
    return { admin, opened }
  }

  /** What the first release of this schema has left behind `fill`. */
  const fixture = async (): Promise<StoredKey[]> =>
    JSON.parse(await readFile(new URL('fixtures/schema-2.json', import.meta.url), 'utf8'))

  for (const schema of ['1', '3'])
    test(`data of schema ${schema} are refused, and left as they are`, async () => {
      const { admin, opened } = await server()
      await fill(await opened())
      await admin.set('{x1.p0}:schema', schema)
      const before = await admin.dbsize()
      await expect(opened()).rejects.toMatchObject({
        code: 'REDIS_SCHEMA_MISMATCH',
        message: `the data under {x1.p0}: are of schema ${schema}, this release reads schema 2: use the release that wrote them, or another prefix`,
      })
      expect([await admin.dbsize(), await admin.get('{x1.p0}:schema')]).toEqual([before, schema])
    })

  test('one is refused beside a broker of schema 1 that has stored nothing yet', async () => {
    const { admin, opened } = await server()
    await admin.set('{x1.p0}:schema', '1')
    await admin.hset('{x1.p0}:brokers', 'old~1', 1)
    await expect(opened()).rejects.toMatchObject({ code: 'REDIS_SCHEMA_MISMATCH' })
  })

  test('where another schema has left nothing, this one begins', async () => {
    const { admin, opened } = await server()
    await admin.set('{x1.p0}:schema', '1')
    await session(await opened(), 'client')
    expect(await admin.get('{x1.p0}:schema')).toBe('2')
  })

  test('everything that the first release of this schema has stored is there', async () => {
    const { admin, opened } = await server()
    await writeKeys(admin, await fixture())
    const store = await opened()
    expect(await store.counts()).toMatchObject({ sessions: 1, subscriptions: 3, retainedMessages: 1 })
    expect(await store.claimDue(10)).toMatchObject([
      { kind: 'will', will: { clientId: 'away', message: { topic: 'w', payload: Buffer.from('the will') } } },
    ])
    const { handle, ...found } = await store.openSession({
      clientId: 'away',
      cleanStart: false,
      sessionExpiryInterval: never,
      will: undefined,
      owner: new Owner(),
    })
    expect(found).toMatchObject({ present: true, received: [5], sentThrough: 1 })
    expect(found.subscriptions).toEqual([
      { ...subscription, filter: 'a', qos: 2 },
      { ...subscription, filter: 'b/+/#', qos: 1, noLocal: true, retainAsPublished: true, subscriptionIdentifier: 7 },
      { ...subscription, filter: '$share/group/s', qos: 1 },
    ])
    const entries = await store.read(handle, 0, 10)
    expect(entries.map(({ message }) => message.payload.toString())).toEqual(['one', 'two', 'received'])
    const [shared] = await store.claim(handle, '$share/group/s', 10)
    expect(shared?.message).toMatchObject({ topic: 's', payload: Buffer.from('shared') })
    const [retained] = await allRetained(store, 'r/+')
    expect(retained?.payload.toString()).toBe('retained')
    expect(Buffer.from(retained?.properties ?? []).equals(properties)).toBe(true)
  })

  // A release that changes one of these takes the next number: another one would not understand it.
  test('this release stores keys, types and fields as the first one of its schema', async () => {
    const { admin, opened } = await server()
    const store = await opened()
    await fill(store)
    await store.close()
    expect(shapesOf(await readKeys(admin))).toEqual(shapesOf(await fixture()))
  })
})

/** Names of keys, their types, and the fields of hashes and streams, without what differs from run to run. */
function shapesOf(stored: readonly StoredKey[]): string[] {
  return stored.map(([command, key, ...values]) => {
    const fields = { HSET: values, XADD: values.slice(1) }[command] ?? []
    const names = fields.filter((_, index) => index % 2 === 0).sort()
    return [command, key, ...names].join(' ').replace(/broker-\d+~\w+/g, 'BROKER')
  })
}
