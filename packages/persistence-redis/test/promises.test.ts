import { readFile, readdir } from 'node:fs/promises'
import type { Message, Persistence, SessionHandle } from '@x/contract'
import { PersistenceError } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import type { RedisPersistenceOptions } from '../src/index.ts'
import { Owner, allRetained, host, messageOf, session } from './support/owner.ts'

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
    for (const close of closing.splice(0)) await close()
  })
  afterAll(async () => {
    admin.close()
    await redis.stop()
  })

  const fresh = (): void => void (prefix = `p${(prefixes += 1)}`)
  async function opened(options: Partial<RedisPersistenceOptions> = {}): Promise<RedisPersistence> {
    const store = new RedisPersistence({ redis: redis.url, prefix, ...options })
    await store.open(host())
    closing.push(async () => store.close())
    return store
  }
  const key = (name: string): string => `{${prefix}1.p0}:${name}`
  const calls = async (): Promise<number> =>
    Number(/cmdstat_fcall:calls=(\d+)/.exec(String(await admin.command('', 'INFO', 'commandstats')))?.[1] ?? 0)

  test('offers an entry whose news were lost, within 2 s', async () => {
    fresh()
    const [here, there] = [await opened(), await opened()]
    const [, owner] = await session(here, 'client')
    await admin.command('', 'CLIENT', 'KILL', 'TYPE', 'pubsub')
    await there.publish(messageOf('one'))
    await expect.poll(() => owner.texts).toEqual(['one'])
    await there.publish(messageOf('two'))
    await expect.poll(() => owner.texts).toEqual(['one', 'two'])
  })

  test('a client publishes nothing by a broker that has it no more', async () => {
    fresh()
    const [here, there] = [await opened(), await opened()]
    const [, owner] = await session(here, 'client')
    await session(here, 'publisher')
    const messages = [messageOf('by the former owner'), { ...messageOf(''), retain: true, topic: 'kept' }]
    // The former owner hears of it later.
    await admin.command('', 'CLIENT', 'KILL', 'TYPE', 'pubsub')
    await session(there, 'publisher')
    const outcomes = await Promise.allSettled(messages.map(async message => here.publish(message)))
    expect(outcomes).toMatchObject(messages.map(() => ({ reason: { code: 'FENCED' } })))
    await there.publish(messageOf('by the owner'))
    await here.publish({ ...messageOf('by another'), publisher: 'another' })
    await expect.poll(() => owner.texts).toEqual(['by the owner', 'by another'])
  })

  // Whoever gives up a CONNECT may know nothing of what was sent before.
  test.each([
    ['is taken over', 1000, false],
    ['is taken over by a CONNECT that is given up', 1000, true],
    ['ends', 0, true],
  ])(
    'a shared QoS 2 message that a member may have been sent goes to no other when that member %s',
    async (_, sessionExpiryInterval, isGivenUp) => {
      fresh()
      const [here, there] = [await opened(), await opened()]
      const group = '$share/g/shared'
      const options = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
      const reading = new Owner()
      // Behind: what it claims is not what it takes.
      reading.deliver = () => false
      const [member] = await session(here, 'member', reading)
      const [other] = await session(here, 'other')
      for (const one of [member, other])
        await here.subscribe(one, [{ filter: group, ...options, subscriptionIdentifier: undefined }])
      await here.publish(messageOf('one'))
      await expect.poll(async () => String(await admin.command(key('s'), 'HGET', key('s:member'), 'behind'))).toBe('1')
      await here.publish(messageOf('two', 'shared'))
      await expect(here.claim(member, group, 1)).resolves.toHaveLength(1)
      const { handle, sentThrough } = await there.openSession({
        clientId: 'member',
        cleanStart: false,
        sessionExpiryInterval: 1000,
        will: undefined,
        owner: new Owner(),
      })
      const ended = { sessionExpiryInterval, will: 'discard', sentThrough: isGivenUp ? 0 : sentThrough } as const
      await there.closeSession(handle, ended)
      await expect(here.claim(other, group, 1)).resolves.toEqual([])
    },
  )

  test('messages of one turn with different heads are told apart', async () => {
    fresh()
    const here = await opened()
    const [, owner] = await session(here, 'client')
    const messages = Array.from({ length: 100 }, (_, index): Message => ({
      ...messageOf('ü,'.repeat(index % 5) + index),
      publisher: [undefined, '', 'ü,1', 'publisher'][index % 4],
      qos: ((index % 2) + 1) as 1 | 2,
      retain: index % 3 === 0,
      properties: index % 7 === 0 ? Buffer.from([1, 2, 3]) : undefined,
      expiresAt: index % 6 === 0 ? Date.now() + 100_000 : undefined,
      brokerCounter: 2 ** 40 + index,
    }))
    await Promise.all(messages.map(async message => here.publish(message)))
    // What the owner had no time for comes from Redis, in bytes of another kind.
    const taken = owner.taken.map(({ message }) => ({
      ...message,
      properties: message.properties && Buffer.from(message.properties),
    }))
    expect(taken).toEqual(messages)
    expect(owner.taken.map(({ qos }) => qos)).toEqual(messages.map(({ qos }) => qos))
  })

  describe('a topic that nobody takes', () => {
    /** A broker that answers for itself that nobody takes this topic, and one where somebody subscribes. */
    async function pair(topic: string): Promise<[here: RedisPersistence, there: RedisPersistence]> {
      fresh()
      const [here, there] = [await opened(), await opened()]
      await session(there, 'somebody')
      await expect.poll(() => here.publish(messageOf('nobody', topic))).toBe(0)
      await expect.poll(() => typeof here.publish(messageOf('nobody', topic))).toBe('number')
      return [here, there]
    }
    async function subscribed(store: Persistence, filter: string): Promise<Owner> {
      const owner = new Owner()
      const [handle] = await session(store, filter, owner)
      const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
      await store.subscribe(handle, [{ filter, ...options, subscriptionIdentifier: undefined }])
      return owner
    }

    test('is answered without Redis, in its order with others', async () => {
      const [here] = await pair('b/c')
      const before = await calls()
      for (let count = 0; count < 1000; count += 1) expect(here.publish(messageOf('x', 'b/c'))).toBe(0)
      expect((await calls()) - before).toBeLessThan(5)
      expect(here.publish({ ...messageOf('x', 'b/c'), retain: true })).toBeInstanceOf(Promise)
    })

    test.for(['b/c', 'b/+', '#', '$share/group/b/#'])(
      'is taken from the moment that SUBACK to %s may be sent',
      async filter => {
        const [here, there] = await pair('b/c')
        const owner = await subscribed(there, filter)
        await expect(here.publish(messageOf('taken', 'b/c'))).resolves.toBe(1)
        if (!filter.startsWith('$share')) await expect.poll(() => owner.texts).toEqual(['taken'])
      },
    )

    test('is still answered without Redis when filters are new that do not match', async () => {
      const [here, there] = await pair('b/c')
      for (const filter of ['d', 'e/+', 'b/c/d', 'b/+/+']) await subscribed(there, filter)
      expect(here.publish(messageOf('x', 'b/c'))).toBe(0)
      await expect(here.publish(messageOf('x', 'b/c/d'))).resolves.toBe(2)
    })

    test('is asked for again when news of filters were lost', async () => {
      const [here, there] = await pair('b/c')
      await admin.command('', 'CLIENT', 'KILL', 'TYPE', 'pubsub')
      await subscribed(there, 'b/c')
      await expect(here.publish(messageOf('taken', 'b/c'))).resolves.toBe(1)
    })

    test('keeps a subscriber waiting for a broker that says nothing, no longer than that broker may go by what it knows', async () => {
      const [, there] = await pair('b/c')
      const start = Date.now()
      await admin.command(key('fo'), 'ZADD', key('fo'), (start + 1000) * 1000, 'mute')
      await subscribed(there, 'd')
      expect(Date.now() - start).toBeGreaterThanOrEqual(990)
      expect(Date.now() - start).toBeLessThan(4500)
      let later = 0
      const took = async (): Promise<number> => {
        const again = Date.now()
        await subscribed(there, `e/${(later += 1)}`)
        return Date.now() - again
      }
      // On a machine that has other work one of them may take long.
      await expect.poll(took).toBeLessThan(950)
    })
  })

  test('knows that an entry was taken which a read has brought while its owner had no room for it', async () => {
    fresh()
    const [here, there] = [await opened(), await opened()]
    const reading = new Owner()
    reading.deliver = () => false
    const [handle] = await session(here, 'client', reading)
    const published = here.publish(messageOf('one'))
    expect(await here.read(handle, 0, 10)).toHaveLength(1)
    await published
    // Answered after what the refusal has told Redis.
    await here.read(handle, 1, 10)
    const owner = new Owner()
    const opening = { clientId: 'client', cleanStart: false, sessionExpiryInterval: 1000, will: undefined, owner }
    expect(await there.openSession(opening)).toMatchObject({ sentThrough: 1, lastSequence: 1 })
  })

  test('fences what a broker had whose lease was lost, and lets another one go on', async () => {
    fresh()
    const here = await opened()
    const [handle, owner] = await session(here, 'client')
    await here.publish(messageOf('one'))
    const holder = String(await admin.command('', 'HGET', key('s:client'), 'owner'))
    // As if it had been silent for as long as a lease lasts.
    await admin.command('', 'ZADD', key('leases'), 1, holder)
    const there = await opened()
    await there.publish(messageOf('two'))
    await expect.poll(() => owner.fencedCount).toBe(1)
    await expect(here.read(handle, 0, 10)).rejects.toMatchObject({ code: 'FENCED' })
    const [resumed] = await session(there, 'client')
    expect((await there.read(resumed, 0, 10)).map(({ message: found }) => found.payload.toString())).toEqual([
      'one',
      'two',
    ])
  })

  test('tells Redis later what was acknowledged while it did not answer', async () => {
    fresh()
    const own = await spawnRedis()
    closing.push(async () => own.stop())
    const store = new RedisPersistence({ redis: own.url, commandTimeout: 1500, connectTimeout: 1500 })
    await store.open(host())
    closing.unshift(async () => store.close())
    const [handle] = await session(store, 'client')
    for (const text of ['one', 'two']) await store.publish(messageOf(text))
    own.process.kill('SIGSTOP')
    const settled = Promise.all([store.acknowledge(handle, 1), store.release(handle, 2)])
    await expect(store.publish(messageOf('three'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    own.process.kill('SIGCONT')
    await settled
    const entries = await store.read(handle, 0, 1)
    expect(entries.map(({ sequence, released }) => [sequence, released])).toEqual([[2, true]])
  })

  test('waits for a replica at durability replicated, and refuses without one', async () => {
    fresh()
    const lonely = new RedisPersistence({ redis: redis.url, prefix, durability: 'replicated', commandTimeout: 1500 })
    await expect(lonely.open(host())).rejects.toBeInstanceOf(PersistenceError)
    const replica = await spawnRedis(['--replicaof', '127.0.0.1', String(redis.port)])
    closing.push(async () => replica.stop())
    await expect.poll(async () => String(await admin.command('', 'INFO', 'replication'))).toMatch(/state=online/)
    const store = await opened({ durability: 'replicated' })
    await session(store, 'client')
    expect(await store.publish(messageOf('one'))).toBe(1)
  })

  test('takes the repetition of a QoS 2 message that could not be stored for a new one', async () => {
    fresh()
    const store = await opened()
    const [handle, owner] = await session(store, 'client')
    const publish = async (): Promise<number> =>
      store.publish({ ...messageOf('one'), retain: true }, { session: handle, packetId: 7 })
    // In the way of retained messages.
    await admin.command('', 'SET', key('rv'), 'text')
    await expect(publish()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await admin.command('', 'DEL', key('rv'))
    expect(await publish()).toBe(1)
    expect(await publish()).toBe(0)
    expect(owner.texts).toEqual(['one'])
  })

  test('needs no more of an ACL user than the README of the connection says', async () => {
    fresh()
    const readme = await readFile(new URL('../../redis-connection/README.md', import.meta.url), 'utf8')
    const rules = [...readme.matchAll(/ACL user needs `(.*?)` \(x: the prefix\) and `(.*?)`/gs)].flatMap(found =>
      found.slice(1).flatMap(text => text.split(/\s+/)),
    )
    expect(rules.length).toBeGreaterThan(5)
    await admin.command(
      '',
      'ACL',
      'SETUSER',
      prefix,
      'on',
      '>pass',
      ...rules.map(rule => rule.replace('x1', `${prefix}1`)),
    )
    const store = await opened({ redis: redis.url.replace('//', `//${prefix}:pass@`) })
    const [handle, owner] = await session(store, 'client')
    await store.subscribe(handle, [
      {
        filter: '$share/g/a',
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
        subscriptionIdentifier: 1,
      },
    ])
    await store.publish({ ...messageOf('one'), retain: true }, { session: handle, packetId: 1 })
    expect(owner.texts).toEqual(['one'])
    expect(await store.claim(handle, '$share/g/a', 10)).toHaveLength(1)
    expect(await allRetained(store, '#')).toHaveLength(1)
    await Promise.all([store.acknowledge(handle, 1), store.complete(handle, 1), store.claimDue(10), store.counts()])
    await store.closeSession(handle, { sessionExpiryInterval: 0, will: 'publish', sentThrough: 0 })
  })

  test.each([{ prefix: '{x}' }, { prefix: '' }, { durability: 'always' as 'redis' }])(
    'refuses the option %o',
    options => {
      expect(() => new RedisPersistence({ redis: redis.url, ...options })).toThrow(PersistenceError)
    },
  )

  test('asks Redis once for each step', async () => {
    fresh()
    const store = await opened()
    const counted = async (step: () => Promise<unknown>): Promise<number> => {
      const before = await calls()
      await step()
      return (await calls()) - before
    }
    const owner = new Owner()
    let handle: SessionHandle = { clientId: '', epoch: '' }
    const steps: Record<string, () => Promise<unknown>> = {
      'connect and subscribe': async () => {
        ;[handle] = await session(store, 'client', owner)
      },
      publish: async () => store.publish({ ...messageOf('one'), retain: true }),
      'publish QoS 2': async () => store.publish(messageOf('two'), { session: handle, packetId: 1 }),
      '64 acknowledgements': async () =>
        Promise.all(Array.from({ length: 64 }, async (_, index) => store.acknowledge(handle, index + 1))),
      'take over': async () =>
        store.openSession({ clientId: 'client', cleanStart: false, sessionExpiryInterval: 9, will: undefined, owner }),
    }
    const found: Record<string, number> = {}
    for (const [name, step] of Object.entries(steps)) found[name] = await counted(step)
    // The lease is renewed every second, beside what is counted here.
    const expected = {
      'connect and subscribe': 2,
      publish: 1,
      'publish QoS 2': 1,
      '64 acknowledgements': 1,
      'take over': 1,
    }
    for (const [name, count] of Object.entries(expected)) {
      expect(found[name], name).toBeGreaterThanOrEqual(count)
      expect(found[name], name).toBeLessThanOrEqual(count + 1)
    }
    expect(owner.texts).toEqual(['one', 'two'])
  })

  test('looks for retained messages in calls that hold nobody up', async () => {
    fresh()
    const store = await opened()
    const topics = Array.from({ length: 1000 }, (_, index) => `kept/${index}`)
    await Promise.all(topics.map(async topic => store.publish({ ...messageOf(topic, topic), retain: true })))
    const before = await calls()
    const found = (await allRetained(store, 'kept/+')).map(({ payload }) => payload.toString())
    expect(found.sort()).toEqual(topics.sort())
    expect((await calls()) - before).toBeGreaterThanOrEqual(4)
    const large = Array.from({ length: 20 }, (_, index) => `large/${index}`)
    const payload = Buffer.alloc(100_000)
    await Promise.all(large.map(async topic => store.publish({ ...messageOf('', topic), payload, retain: true })))
    expect(await allRetained(store, 'large/#')).toHaveLength(20)
  })

  test('reads on through expired messages in calls that hold nobody up', async () => {
    fresh()
    const store = await opened()
    const [handle] = await session(store, 'client')
    await store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'publish', sentThrough: 0 })
    const expiring = { ...messageOf('old'), expiresAt: Date.now() + 100 }
    await Promise.all(Array.from({ length: 900 }, async () => store.publish(expiring)))
    await store.publish(messageOf('new'))
    await new Promise(resolve => void setTimeout(resolve, 110))
    const [resumed] = await session(store, 'client')
    const before = await calls()
    expect((await store.read(resumed, 0, 10)).map(({ sequence }) => sequence)).toEqual([901])
    expect((await calls()) - before).toBeGreaterThanOrEqual(2)
    expect((await store.counts()).queuedMessages).toBe(1)
  })

  test('closes a session with a long queue without a look at all of it', async () => {
    fresh()
    const store = await opened()
    const [handle] = await session(store, 'client')
    await store.closeSession(handle, { sessionExpiryInterval: 1000, will: 'publish', sentThrough: 0 })
    await Promise.all(Array.from({ length: 900 }, async () => store.publish(messageOf('one'))))
    const [resumed] = await session(store, 'client')
    await store.read(resumed, 0, 10)
    const looks = async (): Promise<number> =>
      Number(/cmdstat_xrange:calls=(\d+)/.exec(String(await admin.command('', 'INFO', 'commandstats')))?.[1])
    const waiting = async (): Promise<string> => String(await admin.command('', 'HGET', key('s:client'), 'waiting'))
    expect(await waiting()).toBe('890')
    const before = await looks()
    // A page was on its way, and half of it was sent.
    await store.closeSession(resumed, { sessionExpiryInterval: 1000, will: 'publish', sentThrough: 5 })
    expect((await looks()) - before).toBe(1)
    expect(await waiting()).toBe('895')
  })

  test('subscribes to many filters in calls that hold nobody up', async () => {
    fresh()
    const store = await opened()
    const [handle] = await session(store, 'client')
    const filters = Array.from({ length: 2000 }, (_, index) => `${index}`)
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    const subscriptions = ['a', ...filters].map(filter => ({ filter, ...options, subscriptionIdentifier: undefined }))
    const before = await calls()
    expect(await store.subscribe(handle, subscriptions)).toEqual([true, ...filters.map(() => false)])
    expect((await store.counts()).subscriptions).toBe(2001)
    expect(await store.unsubscribe(handle, [...filters, 'b'])).toEqual([...filters.map(() => true), false])
    expect((await calls()) - before).toBeGreaterThanOrEqual(10)
    expect(await store.publish(messageOf('one'))).toBe(1)
  })

  test('passes on to every session of a topic with many subscriptions, whatever was matched before', async () => {
    fresh()
    const store = await opened()
    const owners: Owner[] = []
    for (let index = 0; index < 50; index += 1) {
      expect(await store.publish(messageOf(`${index}`))).toBe(index)
      owners.push((await session(store, `client ${index}`))[1])
    }
    await expect.poll(() => owners.map(({ taken }) => taken.length)).toEqual(owners.map((_, index) => 49 - index))
  })
})

test('KEYS.md names the keys that the functions write', async () => {
  const page = await readFile(new URL('../KEYS.md', import.meta.url), 'utf8')
  const names = new Set<string>()
  for (const file of await readdir(new URL('../src/functions', import.meta.url))) {
    const source = await readFile(new URL(`../src/functions/${file}`, import.meta.url), 'utf8')
    for (const [, name = ''] of source.matchAll(/(?:base|keys\[1\]) \.\. '([a-z-]+:?)'/g)) names.add(name)
  }
  expect(names.size).toBeGreaterThan(15)
  expect([...names].filter(name => !page.includes(`\`${name}`))).toEqual([])
})
