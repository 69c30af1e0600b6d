import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { EmitterError } from '../src/index.ts'
import type { RedisEmitterOptions } from '../src/index.ts'
import { opened, pair as pairOn, redisServer } from './brokers-on-redis.ts'
import { DelayingLink } from './delaying-link.ts'
import { Broker } from './network.ts'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`)

describe.skipIf(!hasRedisServer())('on a real Redis (apt-get install redis-server)', () => {
  let redis: SpawnedRedis
  let admin: Redis
  let prefixes = 0
  let prefix = ''

  beforeAll(async () => {
    redis = await spawnRedis()
    admin = new Redis(redis.url)
  })
  afterAll(async () => {
    admin.disconnect()
    await redis.stop()
  })

  /** One that publishes, one that has a route of `a`. */
  async function pair(options: Partial<RedisEmitterOptions> = {}): Promise<readonly [one: Broker, other: Broker]> {
    prefix = `p${(prefixes += 1)}`
    return pairOn({ redis: redis.url, prefix, ...options })
  }

  /** Names of the lives of brokers in Redis, by id. */
  async function instanceOf(brokerId: string, client = admin): Promise<string> {
    const brokers = await client.hgetall(`{${prefix}1.rt}:here`)
    return Object.keys(brokers).find(instance => brokers[instance] === brokerId) ?? ''
  }

  const inboxKey = async (brokerId: string, name: string, client = admin): Promise<string> =>
    `{${prefix}1.b:${await instanceOf(brokerId, client)}}:${name}`

  const commandCalls = async (command: string): Promise<number> =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1] ?? 0)

  describe('costs', () => {
    test('a message that nobody subscribes to elsewhere costs no round trip', async () => {
      const [one] = await pair()
      expect(one.emitter.reaches('b')).toBe(false)
      for (const qos of [0, 1, 2] as const) expect(one.publish('x', qos, 'b')).toBeUndefined()
      expect(one.publish('x', 0)).toBeUndefined()
    })

    test('all messages of a turn go to a broker in one call, of QoS 0 in one PUBLISH', async () => {
      const [one, other] = await pair()
      const [calls, said] = [await commandCalls('fcall'), await commandCalls('publish')]
      await Promise.all(numbers(500).map(async text => one.publish(text)))
      await expect.poll(() => other.texts.length).toBe(500)
      // Renewals come in between, three calls for each broker.
      expect((await commandCalls('fcall')) - calls).toBeLessThan(10)
      for (const text of numbers(500)) void one.publish(text, 0)
      await expect.poll(() => other.texts.length).toBe(1000)
      expect((await commandCalls('publish')) - said).toBeLessThan(20)
      expect(other.texts).toEqual([...numbers(500), ...numbers(500)])
    })

    test('a filter is no PSUBSCRIBE, and 1000 of a turn are one call', async () => {
      const [one, other] = await pair()
      const calls = await commandCalls('fcall')
      await Promise.all(numbers(1000).map(async number => other.emitter.addRoute(`devices/${number}/+`)))
      expect((await commandCalls('fcall')) - calls).toBeLessThan(8)
      expect(one.emitter.reaches('devices/999/x')).toBe(true)
      expect(await admin.pubsub('NUMPAT')).toBe(0)
    })
  })

  describe('what is lost on the way', () => {
    test('QoS 1 messages whose news were not heard come within 1 s, in order, once', async () => {
      const [one, other] = await pair()
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await Promise.all(numbers(50).map(async text => one.publish(text)))
      await expect.poll(() => other.texts.length).toBe(50)
      await one.publish('50')
      await expect.poll(() => other.texts).toEqual(numbers(51))
      expect(other.emitter.counters.readBacks).toBeGreaterThan(0)
    })

    test('arrived: once everything is delivered that was in the inbox, heard of or not', async () => {
      const [one, other] = await pair()
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await one.publish('lost')
      await other.emitter.arrived()
      expect(other.texts).toEqual(['lost'])
      let release: () => void = () => undefined
      other.answer = () => new Promise<void>(resolve => void (release = resolve))
      await one.publish('slow')
      await expect.poll(() => other.texts.length).toBe(2)
      let hasArrived = false
      const arriving = other.emitter.arrived()?.then(() => (hasArrived = true))
      other.answer = () => undefined
      await one.publish('next')
      expect([hasArrived, other.texts]).toEqual([false, ['lost', 'slow']])
      release()
      await arriving
      expect(other.texts[1]).toBe('slow')
    })

    test('arrived: does not wait longer than routeTimeout', async () => {
      const [one, other] = await pair({ routeTimeout: 200 })
      other.answer = () => new Promise<void>(() => undefined)
      await one.publish('stuck')
      await other.emitter.arrived()
      expect(other.texts).toEqual(['stuck'])
    })

    test('a route whose news was not heard is known after the next renewal', async () => {
      const [one, other] = await pair()
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await other.emitter.addRoute('b')
      await expect.poll(() => one.emitter.reaches('b')).toBe(true)
    })

    test('a broker that does not confirm a route is waited for only while it may go by what it knows', async () => {
      const [, other] = await pair({ routeTimeout: 2000 })
      // A broker that is there and says nothing.
      await admin.hset(`{${prefix}1.rt}:here`, 'mute~1', 'mute')
      await admin.zadd(`{${prefix}1.rt}:leases`, Date.now() + 20_000, 'mute~1')
      await admin.zadd(`{${prefix}1.rt}:fo`, Date.now() + 3000, 'mute~1')
      const start = Date.now()
      await other.emitter.addRoute('b')
      expect(Date.now() - start).toBeGreaterThanOrEqual(1995)
      await expect.poll(() => Date.now() - start).toBeGreaterThan(3100)
      let later = 0
      const took = async (): Promise<number> => {
        const again = Date.now()
        await other.emitter.addRoute(`c/${(later += 1)}`)
        return Date.now() - again
      }
      // On a machine that has other work one of them may take long.
      await expect.poll(took).toBeLessThan(1900)
      expect(other.emitter.counters.unconfirmedRoutes).toBe(1)
    })

    test('QoS 0 messages keep their order when those of QoS 1 between them have to be read back', async () => {
      const [one, other] = await pair()
      const key = await inboxKey('other', 'n')
      for (let round = 0; round < 20; round += 1) {
        const before = other.texts.length
        // As if a number had been given to a frame whose news are lost: what comes next is read back.
        await admin.hincrby(key, 'last', 1)
        void one.publish(`${2 * round}`, 0)
        const published = one.publish('between')
        await nextTurn()
        void one.publish(`${2 * round + 1}`, 0)
        await published
        await expect.poll(() => other.texts.length).toBe(before + 3)
      }
      expect(other.texts.filter(text => text !== 'between')).toEqual(numbers(40))
      expect(other.emitter.counters.readBacks).toBeGreaterThan(0)
    })

    test('a QoS 0 message that comes after its publisher has connected elsewhere is dropped, the will it left is not', async () => {
      const [one, other] = await pair()
      const third = await opened('third', { redis: redis.url, prefix })
      const channel = await inboxKey('other', 'c')
      const listener = new Redis(redis.url)
      onTestFinished(() => listener.disconnect())
      const frames: Buffer[] = []
      listener.on('messageBuffer', (_channel, frame: Buffer) => void frames.push(frame))
      await listener.subscribe(channel)
      void one.publish('older', 0)
      await expect.poll(() => other.texts).toEqual(['older'])
      await third.emitter.announce('publisher')
      await expect.poll(() => [one, other].every(broker => broker.takenOverClients.length === 1)).toBe(true)
      // As if it had been on its way until now.
      await expect.poll(() => frames.length).toBe(1)
      await admin.publish(channel, frames[0] ?? '')
      void one.publish('late', 0)
      void third.publish('newer', 0)
      void one.publishWill('will')
      await expect.poll(() => other.texts.length).toBe(3)
      expect(new Set(other.texts)).toEqual(new Set(['older', 'newer', 'will']))
      expect(other.emitter.counters.droppedLate).toBe(2)
    })

    test('what another program says on the channels does no harm, and is counted', async () => {
      const [one, other] = await pair()
      const channel = await inboxKey('other', 'c')
      for (const text of ['', 'k', 'k{', 's', 's1', 's9 x y', 'q', 'q\0\0\0\u0001', 'q\xff\xff\xff\xffx', 'z'])
        await admin.publish(channel, Buffer.from(text, 'latin1'))
      for (const text of ['', '{', '[]', '["r",99999,["r","nobody~1","+2x"]]', '["r",1,null]', 'null', '["x"]'])
        await admin.publish(`{${prefix}1.rt}:c`, text)
      await one.publish('x')
      await expect.poll(() => other.texts).toEqual(['x'])
      expect(other.emitter.counters.invalid).toBeGreaterThan(0)
      expect([one.errors, other.errors]).toEqual([[], []])
    })
  })

  describe('brokers that die', () => {
    test('one that does not renew is gone for the others, with its routes and its inbox', async () => {
      const [one] = await pair()
      const instance = await instanceOf('other')
      await one.publish('x')
      expect(one.emitter.reaches('a')).toBe(true)
      const lease = Number(await admin.zscore(`{${prefix}1.rt}:leases`, instance)) - Date.now()
      expect(lease).toBeGreaterThan(6000)
      expect(lease).toBeLessThanOrEqual(10_000)
      for (const name of ['n', 'in'])
        expect(await admin.pttl(`{${prefix}1.b:${instance}}:${name}`)).toBeGreaterThan(lease)
      // A broker that is dead: nobody renews, and its lease ends.
      await admin.hset(`{${prefix}1.rt}:here`, 'dead~1', 'dead')
      await admin.zadd(`{${prefix}1.rt}:leases`, Date.now() - 1, 'dead~1')
      await admin.sadd(`{${prefix}1.rt}:r:dead~1`, '2dead/#')
      await expect.poll(() => admin.hexists(`{${prefix}1.rt}:here`, 'dead~1')).toBe(0)
      await expect.poll(() => admin.exists(`{${prefix}1.rt}:r:dead~1`)).toBe(0)
    })

    test('what is published to one that has no inbox any more is answered once it is known to be gone', async () => {
      const [one, other] = await pair()
      const instance = await instanceOf('other')
      // As Redis does it when nobody renews.
      await admin.del(`{${prefix}1.b:${instance}}:n`, `{${prefix}1.b:${instance}}:in`)
      const publishing = one.publish('x')
      await other.emitter.close()
      await publishing
      expect(one.presences.at(-1)).toEqual(['other', false])
      expect(one.publish('y')).toBeUndefined()
    })

    test('one whose lease was lost says so once, and is there again with all its routes', async () => {
      const [one, other] = await pair()
      const instance = await instanceOf('other')
      await admin.zrem(`{${prefix}1.rt}:leases`, instance)
      await admin.del(`{${prefix}1.b:${instance}}:n`)
      await expect.poll(() => other.errors).toEqual(['LEASE_LOST'])
      await expect.poll(() => one.emitter.reaches('a')).toBe(true)
      await one.publish('x')
      await expect.poll(() => other.texts).toEqual(['x'])
      expect(other.emitter.counters.leasesLost).toBe(1)
      expect(one.errors).toEqual([])
    })
  })

  test('a broker that stood still longer than its lease says that its routes stand once the others have them again', async () => {
    const [one, other] = await pair()
    expect(other.emitter.routesStand()).toBeUndefined()
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_500)
    onTestFinished(() => clock.mockRestore())
    // What the others have done meanwhile.
    await admin.zadd(`{${prefix}1.rt}:leases`, 1, await instanceOf('other'))
    const standing = other.emitter.routesStand()
    expect(standing).toBeInstanceOf(Promise)
    await standing
    expect(one.emitter.reaches('a')).toBe(true)
    expect(other.errors).toEqual(['LEASE_LOST'])
    expect(other.emitter.routesStand()).toBeUndefined()
  })

  describe('when Redis fails', () => {
    test('a wrong password is said when it opens', async () => {
      const own = await redisServer('--requirepass', 'right')
      const broker = new Broker('one', { redis: own.url.replace('//', '//:wrong@') })
      await expect(broker.emitter.open(broker)).rejects.toMatchObject({ code: 'REDIS_AUTH_FAILED' })
    })

    test('killed and started again empty: brokers find each other again, and say what they lost', async () => {
      let again: SpawnedRedis | undefined
      // Registered first, so that it runs last.
      onTestFinished(async () => again?.stop())
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url })
      await one.publish('before')
      await expect.poll(() => other.texts).toEqual(['before'])
      await own.stop()
      expect(one.publish('x', 0)).toBeUndefined()
      again = await spawnRedis([], own.port)
      const adding = async (): Promise<boolean> => answered(other.emitter.addRoute('b'))
      await expect.poll(adding).toBe(true)
      await expect.poll(() => ['a', 'b'].every(topic => one.emitter.reaches(topic))).toBe(true)
      // Until then it may have been for nobody: what Redis has lost is not promised.
      await one.publish('after')
      await expect.poll(() => other.texts).toContain('after')
      expect(new Set(other.errors)).toEqual(new Set(['REDIS_UNREACHABLE', 'LEASE_LOST']))
    })

    test('frozen: QoS 0 is dropped, QoS 1 is refused after the timeout, and both go on by themselves', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url, commandTimeout: 1500, connectTimeout: 1500 })
      own.process.kill('SIGSTOP')
      onTestFinished(() => void own.process.kill('SIGCONT'))
      expect(one.publish('lost', 0)).toBeUndefined()
      // In a turn of its own, so that it does not travel with the other one.
      await nextTurn()
      await expect(one.publish('refused')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(one.errors).toEqual(['REDIS_TIMEOUT'])
      expect(one.emitter.counters).toMatchObject({ refused: 1, droppedOutgoing: 1 })
      own.process.kill('SIGCONT')
      await expect.poll(async () => answered(one.publish('again'))).toBe(true)
      await expect.poll(() => other.texts.at(-1)).toBe('again')
      expect([...one.errors, ...other.errors].every(code => code.startsWith('REDIS_'))).toBe(true)
    })

    test('frozen for less than the timeout: nothing is refused, lost or said twice', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url, commandTimeout: 2000 })
      own.process.kill('SIGSTOP')
      const publishing = Promise.all(numbers(20).map(async text => one.publish(text)))
      setTimeout(() => own.process.kill('SIGCONT'), 300)
      await publishing
      await expect.poll(() => other.texts).toEqual(numbers(20))
    })

    test('connections cut again and again: what was answered has arrived, once and in order', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url })
      const killer = new Redis(own.url)
      onTestFinished(() => killer.disconnect())
      const sent: string[] = []
      for (let round = 0; round < 10; round += 1) {
        const texts = numbers(20).map(text => `${round}.${text}`)
        const publishing = texts.map(async text => one.publish(text))
        await killer.call('CLIENT', 'KILL', 'TYPE', round % 2 === 0 ? 'normal' : 'pubsub', 'SKIPME', 'yes')
        await Promise.all(publishing)
        sent.push(...texts)
      }
      await expect.poll(() => other.texts.length).toBe(sent.length)
      expect(other.texts).toEqual(sent)
      expect(one.emitter.counters.refused).toBe(0)
    })

    test('full: messages and new routes are refused with QUOTA_EXCEEDED, leaving goes on', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url })
      const client = new Redis(own.url)
      onTestFinished(() => client.disconnect())
      await client.config('SET', 'maxmemory', '1')
      await expect(one.publish('x')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
      await expect(one.emitter.addRoute('b')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
      await other.emitter.removeRoute('a')
      await expect.poll(() => one.emitter.reaches('a')).toBe(false)
      expect(one.errors).toEqual(['REDIS_OUT_OF_MEMORY'])
      await client.config('SET', 'maxmemory', '0')
      await other.emitter.addRoute('a')
      await one.publish('y')
      await expect.poll(() => other.texts).toEqual(['y'])
    })

    test('a key of another type: refused with its code, and on again when the key is gone', async () => {
      const [one, other] = await pair()
      const key = await inboxKey('other', 'in')
      await admin.set(key, 'text')
      await expect(one.publish('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: { code: 'REDIS_KEY_TYPE' } })
      expect(one.errors).toEqual(['REDIS_KEY_TYPE'])
      await admin.del(key)
      await expect.poll(async () => answered(one.publish('y'))).toBe(true)
      await expect.poll(() => other.texts.at(-1)).toBe('y')
    })

    test('a primary that has become a replica: refused after the timeout', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url, commandTimeout: 1500 })
      const client = new Redis(own.url)
      onTestFinished(() => client.disconnect())
      await client.call('REPLICAOF', '127.0.0.1', '1')
      await expect(one.publish('x')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(one.errors).toContain('REDIS_READ_ONLY')
      await client.call('REPLICAOF', 'NO', 'ONE')
      await expect.poll(async () => answered(one.publish('y'))).toBe(true)
      await expect.poll(() => other.texts.at(-1)).toBe('y')
    })
  })

  describe('limits', () => {
    const payload = Buffer.alloc(400_000, 0x78)

    test('a full inbox refuses after the timeout, and takes more when its owner has delivered', async () => {
      const [one, other] = await pair({ maximumInboxBytes: 1_048_576, commandTimeout: 1500 })
      let release: () => void = () => undefined
      other.answer = () => new Promise<void>(resolve => void (release = resolve))
      const outcomes = await Promise.all([1, 2, 3, 4].map(async () => answered(one.publish(payload))))
      expect(outcomes.filter(Boolean).length).toBeLessThan(4)
      expect(outcomes[0]).toBe(true)
      expect(one.emitter.counters.refused).toBeGreaterThan(0)
      other.answer = () => undefined
      release()
      await expect.poll(async () => answered(one.publish('y'))).toBe(true)
      await expect.poll(() => other.texts.at(-1)).toBe('y')
    })

    test('what was published behind a refused message is refused too, though there is room by then', async () => {
      const [one, other] = await pair({ maximumInboxBytes: 1_048_576, commandTimeout: 1500 })
      let release: () => void = () => undefined
      other.answer = () => new Promise<void>(resolve => void (release = resolve))
      await Promise.all([1, 2].map(async () => one.publish(payload)))
      const first = answered(one.publish(payload))
      await delay(100)
      const second = answered(one.publish('second'))
      expect(await first).toBe(false)
      other.answer = () => undefined
      release()
      expect(await second).toBe(false)
      await expect.poll(async () => answered(one.publish('third'))).toBe(true)
      await expect.poll(() => other.texts.at(-1)).toBe('third')
      expect(other.texts).not.toContain('second')
    })

    test('a full inbox holds QoS 2 back until there is room, and it is delivered once', async () => {
      const [one, other] = await pair({ maximumInboxBytes: 1_048_576, commandTimeout: 1500 })
      let release: () => void = () => undefined
      other.answer = () => new Promise<void>(resolve => void (release = resolve))
      const texts = numbers(5).map(number => `${number}${payload.toString()}`)
      const outcomes = texts.map(async (text, index) => answered(one.publish(text, index === 3 ? 1 : 2)))
      await expect.poll(() => one.emitter.counters.refused).toBe(1)
      other.answer = () => undefined
      release()
      // The one of QoS 1 is refused, and may arrive.
      expect(await Promise.all(outcomes)).toEqual([true, true, true, false, true])
      const arrived = (): string[] => other.texts.map(text => text.slice(0, 1)).filter(number => number !== '3')
      await expect.poll(arrived).toEqual(['0', '1', '2', '4'])
    })

    test('while memory is full, QoS 2 waits and QoS 1 is refused', async () => {
      const own = await redisServer()
      const [one, other] = await pair({ redis: own.url, commandTimeout: 1500 })
      const client = new Redis(own.url)
      onTestFinished(() => client.disconnect())
      await client.config('SET', 'maxmemory', '1')
      let isDone = false
      const exactlyOnce = answered(one.publish('2', 2)).then(done => {
        isDone = true
        return done
      })
      for (let count = 0; count < 5; count += 1) expect(await answered(one.publish('1', 1))).toBe(false)
      await expect.poll(() => one.emitter.counters.refused).toBe(5)
      expect(isDone).toBe(false)
      await client.config('SET', 'maxmemory', '0')
      expect(await exactlyOnce).toBe(true)
      expect(await answered(one.publish('later', 1))).toBe(true)
      await expect.poll(() => other.texts.filter(text => text !== '1')).toEqual(['2', 'later'])
    })

    test('beyond maximumIncomingBytes QoS 1 stays in the inbox and QoS 0 is dropped', async () => {
      const [one, other] = await pair({ maximumIncomingBytes: 500_000 })
      let release: () => void = () => undefined
      other.answer = () => new Promise<void>(resolve => void (release = resolve))
      for (let count = 0; count < 5; count += 1) await one.publish(payload)
      await expect.poll(() => other.texts.length).toBe(1)
      void one.publish('dropped', 0)
      await expect.poll(() => other.emitter.counters.droppedIncoming).toBe(1)
      other.answer = () => undefined
      release()
      await expect.poll(() => other.texts.length).toBe(5)
      expect(await admin.xlen(await inboxKey('other', 'in'))).toBeLessThanOrEqual(5)
      await expect.poll(async () => admin.xlen(await inboxKey('other', 'in'))).toBe(0)
    })

    test('beyond maximumOutgoingBytes QoS 0 is dropped and counted', async () => {
      const own = await redisServer()
      const [one] = await pair({ redis: own.url, maximumOutgoingBytes: 500_000 })
      own.process.kill('SIGSTOP')
      for (let count = 0; count < 4; count += 1) void one.publish(payload, 0)
      await expect.poll(() => one.emitter.counters.droppedOutgoing).toBeGreaterThan(0)
      own.process.kill('SIGCONT')
    })

    test.each([
      { prefix: '{x}' },
      { prefix: '' },
      { routeTimeout: -1 },
      { maximumInboxBytes: 5 },
      { maximumIncomingBytes: Number.NaN },
    ])('refuses the option %o', options => {
      expect(() => new Broker('one', { redis: 'redis://h', ...options })).toThrow(EmitterError)
    })
  })

  test('an announcement that comes late closes no newer connection, and holds back nothing of it', async () => {
    const delayed = await DelayingLink.to(redis)
    onTestFinished(() => delayed.close())
    prefix = `p${(prefixes += 1)}`
    const one = await opened('one', { redis: delayed.url, prefix })
    const other = await opened('other', { redis: redis.url, prefix })
    const third = await opened('third', { redis: redis.url, prefix })
    await third.emitter.addRoute('a')
    delayed.hold()
    const late = one.emitter.announce('publisher')
    const announcedAt = performance.now()
    // Longer than brokers may be wrong about the time of Redis.
    await expect.poll(() => performance.now() - announcedAt).toBeGreaterThan(400)
    await other.emitter.announce('publisher')
    delayed.release()
    await late
    await expect.poll(() => one.takenOverClients).toEqual(['publisher'])
    await one.emitter.announce('done')
    await expect.poll(() => other.takenOverClients).toEqual(['done'])
    void other.publish('of the newer connection', 0)
    await expect.poll(() => third.texts).toEqual(['of the newer connection'])
  })

  test('two announcements that cross each other leave the client with one broker', async () => {
    const [one, other] = await pair()
    for (let count = 0; count < 20; count += 1) {
      await Promise.all([one.emitter.announce(`c${count}`), other.emitter.announce(`c${count}`)])
    }
    await expect.poll(() => one.takenOverClients.length + other.takenOverClients.length).toBe(20)
    expect([...one.takenOverClients, ...other.takenOverClients].toSorted()).toEqual(
      numbers(20)
        .map(text => `c${text}`)
        .toSorted(),
    )
  })

  test('is refused before it is open and after it is closed', async () => {
    const [one] = await pair()
    await expect(one.emitter.open(one)).rejects.toMatchObject({ code: 'ALREADY_OPEN' })
    await one.emitter.close()
    for (const call of [() => one.publish('x'), () => one.emitter.addRoute('b'), () => one.emitter.announce('c')]) {
      await expect(call()).rejects.toMatchObject({ code: 'NOT_OPEN' })
    }
  })
})

async function answered(publishing: unknown): Promise<boolean> {
  try {
    await publishing
    return true
  } catch {
    return false
  }
}
