import type { Message, OpenSessionRequest, Subscription, Will } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { library } from '../src/functions/library.ts'
import { RedisPersistence } from '../src/index.ts'
import type { RedisPersistenceOptions } from '../src/index.ts'
import { Link } from './support/link.ts'
import { Owner, host, messageOf, session } from './support/owner.ts'

function subscriptionTo(filter: string): Subscription {
  return {
    filter,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: undefined,
  }
}

function requestOf(owner: Owner, more: Partial<OpenSessionRequest> = {}): OpenSessionRequest {
  return { clientId: 'client', cleanStart: false, sessionExpiryInterval: 1000, will: undefined, owner, ...more }
}

const willOf = (delayInterval = 0): Will => ({
  clientId: 'client',
  message: messageOf('will', 'wills'),
  messageExpiryInterval: undefined,
  delayInterval,
})

describe.skipIf(!hasRedisServer())('on a real Redis (apt-get install redis-server)', () => {
  let redis: SpawnedRedis
  let admin: RedisConnection
  const closing: (() => Promise<void>)[] = []
  let prefixes = 0
  let prefix = ''

  beforeAll(async () => {
    redis = await spawnRedis()
    admin = new RedisConnection({ redis: redis.url })
    await admin.open()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })
  afterAll(async () => {
    admin.close()
    await redis.stop()
  })

  async function opened(options: Partial<RedisPersistenceOptions> = {}, of = host()): Promise<RedisPersistence> {
    const store = new RedisPersistence({ redis: redis.url, prefix, commandTimeout: 1500, ...options })
    await store.open(of)
    closing.push(async () => store.close())
    return store
  }
  async function linked(): Promise<Link> {
    const link = await Link.to(redis)
    closing.push(async () => link.close())
    return link
  }
  const key = (name: string): string => `{${prefix}1.p0}:${name}`
  const stored = async (client: string, field: string): Promise<string> =>
    String(await admin.command('', 'HGET', key(`s:${client}`), field))
  const keys = async (): Promise<string[]> =>
    ((await admin.command('', 'KEYS', key('*'))) as Buffer[]).map(one => String(one).slice(key('').length)).toSorted()
  const run = async (name: string, ...parameters: (string | number)[]): Promise<unknown> =>
    admin.command('', 'FCALL', library.functionName(name), 1, key(''), '', ...parameters)
  const fresh = (): void => void (prefix = `t${(prefixes += 1)}`)

  test('takes refusals of its own for no trouble of Redis', async () => {
    fresh()
    const errors: Error[] = []
    const onError = (error: Error): void => void errors.push(error)
    const [here, there] = [await opened({ onError, maximumSessions: 1 }), await opened()]
    const [handle] = await session(here, 'client')
    await session(there, 'client')
    const closed = here.closeSession(handle, { sessionExpiryInterval: 0, will: 'publish', sentThrough: 0 })
    await expect(closed).rejects.toMatchObject({ code: 'FENCED' })
    await expect(session(here, 'other')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(errors).toEqual([])
  })

  test('tells of one trouble once, although other calls succeed meanwhile', async () => {
    prefix = 'x'
    const small = await spawnRedis()
    closing.push(async () => small.stop())
    const errors: string[] = []
    const store = await opened({ redis: small.url, onError: ({ code }) => void errors.push(code) })
    const [handle] = await session(store, 'client')
    const other = new RedisConnection({ redis: small.url })
    await other.open()
    closing.push(async () => other.close())
    await other.command('', 'CONFIG', 'SET', 'maxmemory', '1')
    for (let index = 0; index < 5; index += 1) {
      await expect(store.publish(messageOf('one'))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
      await store.acknowledge(handle, 1)
    }
    expect(errors).toEqual(['REDIS_OUT_OF_MEMORY'])
    await other.command('', 'CONFIG', 'SET', 'maxmemory', '0')
  })

  test('looks for what was lost once, not every second', async () => {
    fresh()
    const [here, there] = [await opened(), await opened()]
    const owners = [new Owner(), new Owner(), new Owner()]
    await Promise.all(owners.map(async (owner, index) => session(here, `client ${index}`, owner)))
    await admin.command('', 'CLIENT', 'KILL', 'TYPE', 'pubsub')
    await there.publish(messageOf('one'))
    await expect.poll(() => owners.map(({ texts }) => texts.join())).toEqual(['one', 'one', 'one'])
    const calls = async (): Promise<number> =>
      Number(/cmdstat_fcall:calls=(\d+)/.exec(String(await admin.command('', 'INFO', 'commandstats')))?.[1])
    await new Promise(resolve => void setTimeout(resolve, 2100))
    const before = await calls()
    const since = performance.now()
    await new Promise(resolve => void setTimeout(resolve, 2100))
    const later = await calls()
    // Two brokers renew their leases, each once a second.
    expect(later - before).toBeLessThanOrEqual(2 * Math.ceil((performance.now() - since) / 1000))
  })

  test('listens anew when news are lost again and again without an end of the connection', async () => {
    fresh()
    const link = await linked()
    const [here, there] = [await opened({ redis: link.url }), await opened()]
    const [, owner] = await session(here, 'client')
    link.deafen()
    let published = 0
    const isPrompt = async (): Promise<boolean> => {
      await there.publish(messageOf(`${(published += 1)}`))
      await new Promise(resolve => void setTimeout(resolve, 100))
      return owner.texts.length === published
    }
    await expect.poll(async () => [await isPrompt(), await isPrompt(), await isPrompt()]).toEqual([true, true, true])
  })

  for (const scripting of ['functions', 'scripts'] as const) {
    describe(`by ${scripting}`, () => {
      test('stores nothing when maxmemory is reached, but reads, acknowledges, closes and expires', async () => {
        prefix = 'x'
        const small = await spawnRedis()
        closing.push(async () => small.stop())
        const store = await opened({ redis: small.url, scripting })
        const [handle] = await session(store, 'client')
        for (const text of ['one', 'two', 'three']) await store.publish({ ...messageOf(text), retain: text === 'one' })
        const other = new RedisConnection({ redis: small.url })
        await other.open()
        closing.push(async () => other.close())
        await other.command('', 'CONFIG', 'SET', 'maxmemory', '1')
        await expect(store.publish(messageOf('four'))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
        await expect(session(store, 'next')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
        expect(await store.read(handle, 0, 10)).toHaveLength(3)
        await store.release(handle, 2)
        await store.acknowledge(handle, 1)
        await store.acknowledge(handle, 2)
        expect(await store.claimDue(10)).toEqual([])
        expect(await store.closeSession(handle, { sessionExpiryInterval: 9, will: 'publish', sentThrough: 3 })).toBe(
          undefined,
        )
        expect(String(await other.command('', 'HGET', '{x1.p0}:s:client', 'owner'))).toBe('null')
        expect(Number(await other.command('', 'XLEN', '{x1.p0}:q:client'))).toBe(1)
        await other.command('', 'CONFIG', 'SET', 'maxmemory', '0')
      })

      test('acknowledges nothing that was published to a server that is a primary no more', async () => {
        prefix = 'x'
        const [old, next] = [await spawnRedis(), await spawnRedis()]
        closing.push(
          async () => old.stop(),
          async () => next.stop(),
        )
        const store = await opened({ redis: old.url, scripting })
        const other = new RedisConnection({ redis: old.url })
        await other.open()
        closing.push(async () => other.close())
        await other.command('', 'REPLICAOF', '127.0.0.1', String(next.port))
        await expect(store.publish(messageOf('one'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      })
    })
  }

  test('keeps the order of messages when Redis has lost its scripts', async () => {
    fresh()
    const store = await opened({ scripting: 'scripts' })
    const [, owner] = await session(store, 'client')
    await Promise.all([
      admin.command('', 'SCRIPT', 'FLUSH'),
      admin.command('', 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    ])
    const publishing: Promise<unknown>[] = []
    for (let index = 0; publishing.length < 500; index += 1) {
      publishing.push((async () => store.publish(messageOf(String(index))))().catch(() => undefined))
      await new Promise(resolve => void setTimeout(resolve, 1))
    }
    await Promise.all(publishing)
    expect(owner.texts.length).toBeGreaterThan(100)
    expect(owner.texts).toEqual(owner.texts.toSorted((one, other) => Number(one) - Number(other)))
  })

  test.each(['acknowledge', 'release', 'complete', 'read', 'publish', 'claim'] as const)(
    'tells the owner that it is fenced when Redis says so to %s',
    async step => {
      fresh()
      const store = await opened()
      const [handle, owner] = await session(store, 'client')
      await admin.command('', 'HSET', key('s:client'), 'epoch', 'another')
      const steps = {
        acknowledge: () => store.acknowledge(handle, 1),
        release: () => store.release(handle, 1),
        complete: () => store.complete(handle, 1),
        read: () => store.read(handle, 0, 1),
        publish: () => store.publish(messageOf('one'), { session: handle, packetId: 1 }),
        claim: () => store.claim(handle, '$share/g/a', 1),
      }
      await expect((async () => steps[step]())()).rejects.toMatchObject({ code: 'FENCED' })
      expect(owner.fencedCount).toBe(1)
    },
  )

  test('closes a session as soon as Redis can be told, and answers its will', async () => {
    fresh()
    const link = await linked()
    const store = await opened({ redis: link.url })
    const { handle } = await store.openSession(requestOf(new Owner(), { will: willOf() }))
    link.cut()
    const closed = store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'publish', sentThrough: 0 })
    await new Promise(resolve => void setTimeout(resolve, 500))
    link.mend()
    expect(await closed).toMatchObject({ clientId: 'client' })
    expect(await stored('client', 'owner')).toBe('null')
  })

  test('leaves nothing open of a CONNECT whose answer got lost, and publishes no will of it', async () => {
    fresh()
    const link = await linked()
    const store = await opened({ redis: link.url })
    const before = await keys()
    link.mute()
    const opening = store.openSession(requestOf(new Owner(), { sessionExpiryInterval: 0, will: willOf() }))
    await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await stored('client', 'owner')).not.toBe('null')
    link.cut()
    link.mend()
    await expect.poll(keys).toEqual(before)
  })

  test.each([false, true])(
    'a CONNECT whose answer got lost begins no session; was there one before: %s',
    async wasThere => {
      fresh()
      const link = await linked()
      const store = await opened({ redis: link.url })
      if (wasThere) {
        const { handle } = await store.openSession(requestOf(new Owner()))
        await store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'discard', sentThrough: 0 })
      }
      link.mute()
      await expect(store.openSession(requestOf(new Owner()))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      link.cut()
      link.mend()
      const opening = async (): Promise<unknown> => store.openSession(requestOf(new Owner())).catch(() => undefined)
      await expect.poll(opening, { interval: 1 }).toMatchObject({ present: wasThere })
    },
  )

  test('publishes no will of a client that said goodbye when Redis could not be told, and comes back', async () => {
    fresh()
    const link = await linked()
    const store = await opened({ redis: link.url })
    const { handle } = await store.openSession(requestOf(new Owner(), { will: willOf() }))
    link.cut()
    const closed = store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'discard', sentThrough: 0 })
    await expect(store.openSession(requestOf(new Owner()))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    link.mend()
    const resumed = async (): Promise<unknown> => store.openSession(requestOf(new Owner())).catch(() => undefined)
    await expect.poll(resumed, { interval: 1 }).toMatchObject({ present: true, dueWill: undefined })
    expect(await closed).toBe(undefined)
  })

  test('fences every session of a broker whose connections were partly taken for ended', async () => {
    fresh()
    const store = await opened()
    const owners = Array.from({ length: 600 }, () => new Owner())
    await Promise.all(
      owners.map(async (owner, index) => store.openSession(requestOf(owner, { clientId: `client ${index}` }))),
    )
    const instance = await stored('client 0', 'owner')
    const [, swept] = await Promise.all([
      admin.command('', 'ZADD', key('leases'), 1, instance),
      run('lease', 'other', 10_000, 0),
    ])
    expect((swept as number[])[1]).toBeGreaterThan(0)
    await expect.poll(() => owners.filter(({ fencedCount }) => fencedCount === 1).length).toBe(600)
    await expect.poll(async () => stored('client 0', 'owner')).toBe('null')
    const { handle } = await store.openSession(requestOf(new Owner()))
    await new Promise(resolve => void setTimeout(resolve, 1500))
    expect(await store.read(handle, 0, 1)).toEqual([])
  })

  test('opens no session for a broker that was taken for dead until it knows', async () => {
    fresh()
    const store = await opened()
    const { handle } = await store.openSession(requestOf(new Owner()))
    const instance = await stored('client', 'owner')
    await Promise.all([admin.command('', 'ZADD', key('leases'), 1, instance), run('lease', 'other', 10_000, 0)])
    await expect(store.openSession(requestOf(new Owner(), { clientId: 'next' }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expect(await keys()).not.toContain('s:next')
    await expect(store.read(handle, 0, 1)).rejects.toMatchObject({ code: 'FENCED' })
    await expect
      .poll(async () =>
        store.openSession(requestOf(new Owner(), { clientId: 'next' })).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  })

  test('tells of messages that wait in a group although the news of them were lost, within 2 s', async () => {
    fresh()
    const ready: string[] = []
    const [here, there] = [await opened({}, { ...host(), groupReady: group => void ready.push(group) }), await opened()]
    const { handle } = await here.openSession(requestOf(new Owner()))
    await here.subscribe(handle, [subscriptionTo('$share/g/a')])
    await admin.command('', 'CLIENT', 'KILL', 'TYPE', 'pubsub')
    await there.publish(messageOf('one'))
    await expect.poll(() => ready).toContain('$share/g/a')
  })

  test('finds all filters of a topic, however many levels with wildcards meet', async () => {
    fresh()
    const store = await opened({ commandTimeout: 5000 })
    const { handle } = await store.openSession(requestOf(new Owner()))
    const levels = 13
    const filters = Array.from({ length: 2 ** levels }, (_, bits) =>
      Array.from({ length: levels }, (_unused, level) => ((bits >> level) & 1 ? '+' : 'a')).join('/'),
    )
    await store.subscribe(handle, filters.map(subscriptionTo))
    const topic = Array.from({ length: levels }, () => 'a').join('/')
    expect(await store.publish(messageOf('one', topic))).toBe(1)
  })

  test('filters of many levels take memory by their length, are found, and leave nothing', async () => {
    fresh()
    const store = await opened({ commandTimeout: 5000 })
    const { handle } = await store.openSession(requestOf(new Owner()))
    const deep = Array.from({ length: 99 }, (_, level) => `level-${level}`.padEnd(60, '.')).join('/')
    const filters = Array.from({ length: 200 }, (_, index) => `${index}/${deep}`)
    const used = async (): Promise<number> =>
      Number(/used_memory:(\d+)/.exec(String(await admin.command('', 'INFO', 'memory')))?.[1])
    const before = await used()
    await store.subscribe(handle, [...filters, `0/+/${deep.slice(61)}`, `0/${deep}/#`].map(subscriptionTo))
    expect(await used()).toBeLessThan(before + 12 * filters.join('').length)
    expect(await store.publish(messageOf('one', `7/${deep}`))).toBe(1)
    expect(await store.publish(messageOf('none', `7/${deep}/more`))).toBe(0)
    expect(await store.publish(messageOf('two', `0/${deep}/more`))).toBe(1)
    const other = await store.openSession(requestOf(new Owner(), { clientId: 'other' }))
    await store.subscribe(other.handle, [subscriptionTo(`0/+/${deep.slice(61)}`)])
    expect(await store.publish(messageOf('both', `0/${deep}`))).toBe(2)
    for (const one of [handle, other.handle])
      await store.closeSession(one, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
    await expect.poll(keys).not.toContain('n')
  }, 60_000)

  test('drops retained messages that have expired, however many', async () => {
    fresh()
    const store = await opened({ commandTimeout: 5000 })
    const expiring = (index: number): Message => ({
      ...messageOf('x', `kept/${index}`),
      retain: true,
      expiresAt: Date.now() + 50,
    })
    await Promise.all(Array.from({ length: 1000 }, async (_, index) => store.publish(expiring(index))))
    await new Promise(resolve => void setTimeout(resolve, 100))
    expect(await store.claimDue(100)).toEqual([])
    expect(await store.counts()).toMatchObject({ retainedMessages: 0 })
  })

  test('says that an owner has no room, although that could not be said at first', async () => {
    fresh()
    const link = await linked()
    const store = await opened({ redis: link.url })
    const owner = new Owner()
    await session(store, 'client', owner)
    owner.deliver = () => {
      link.cut()
      return false
    }
    await store.publish(messageOf('one'))
    link.mend()
    await expect.poll(async () => stored('client', 'behind')).toBe('1')
    expect(await stored('client', 'taken')).toBe('0')
  })
})
