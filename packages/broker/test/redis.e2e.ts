import { Redis } from 'ioredis'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import type { MqttClient } from 'mqtt'
import mqtt from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { createBroker } from '../src/index.ts'
import { client, collect, command, connected, dies, persistent, redisServer, serve } from './brokers-on-redis.ts'
import { anyPort, startCommand } from './started-command.ts'

describe.skipIf(!hasRedisServer())('with Redis (apt-get install redis-server)', () => {
  test('keeps a session, its queue and its unacknowledged messages when a broker is killed', async () => {
    const redis = await redisServer()
    const first = await command(redis)
    const subscriber = await connected(first.url, { ...persistent, clientId: 'sub' })
    await subscriber.subscribeAsync('a/#', { qos: 2 })
    await dies(subscriber)
    const publisher = await connected(first.url)
    for (const text of ['one', 'two']) await publisher.publishAsync('a/b', text, { qos: 1 })
    await publisher.publishAsync('kept', 'retained', { qos: 1, retain: true })
    await first.process.stop('SIGKILL')
    const second = await command(redis)
    const resumed = client(second.url, { ...persistent, clientId: 'sub' })
    const payloads = collect(resumed)
    const [connack] = (await clientEvent(resumed, 'connect')) as [{ sessionPresent: boolean }]
    expect(connack.sessionPresent).toBe(true)
    await expect.poll(() => payloads).toEqual(['one', 'two'])
    await resumed.subscribeAsync('kept', { qos: 1 })
    await expect.poll(() => payloads).toEqual(['one', 'two', 'retained'])
  })

  test('lets another broker take a client over, and closes the old connection', async () => {
    const redis = await redisServer()
    const [one, two] = [await serve(redis.url), await serve(redis.url)]
    const first = await connected(one.url, { ...persistent, clientId: 'same' })
    const ended = clientEvent(first, 'disconnect') as Promise<[{ reasonCode: number }]>
    await first.subscribeAsync('a', { qos: 1 })
    const second = await connected(two.url, { ...persistent, clientId: 'same' })
    expect((await ended)[0].reasonCode).toBe(0x8e)
    const payloads = collect(second)
    const publisher = await connected(one.url)
    await publisher.publishAsync('a', 'text', { qos: 1 })
    await expect.poll(() => payloads).toEqual(['text'])
  })

  test('brings QoS 1 and 2 across brokers in order, once', async () => {
    const redis = await redisServer()
    const [one, two] = [await serve(redis.url), await serve(redis.url)]
    const subscriber = await connected(two.url, { ...persistent, clientId: 'sub' })
    await subscriber.subscribeAsync('a', { qos: 2 })
    const payloads = collect(subscriber)
    const publisher = await connected(one.url, { ...persistent, clientId: 'pub' })
    const order = Array.from({ length: 200 }, (_, index) => `${index}`)
    await Promise.all(order.map(async text => publisher.publishAsync('a', text, { qos: 2 })))
    await expect.poll(() => payloads.length).toBe(200)
    expect(payloads).toEqual(order)
  })

  test('shares a group over brokers', async () => {
    const redis = await redisServer()
    const [one, two] = [await serve(redis.url), await serve(redis.url)]
    const members = [
      await connected(one.url, { ...persistent, clientId: 'm1' }),
      await connected(two.url, { ...persistent, clientId: 'm2' }),
    ]
    for (const member of members) await member.subscribeAsync('$share/g/a', { qos: 1 })
    const received = members.map(collect)
    const publisher = await connected(one.url)
    const order = Array.from({ length: 50 }, (_, index) => `${index}`)
    await Promise.all(order.map(async text => publisher.publishAsync('a', text, { qos: 1 })))
    await expect.poll(() => received.flat().length).toBe(50)
    expect(received.flat().sort()).toEqual([...order].sort())
    expect(received.every(({ length }) => length > 0)).toBe(true)
  })

  test('publishes the will of a killed broker’s client at another broker within 12 s', async () => {
    const redis = await redisServer()
    const first = await command(redis)
    const other = await serve(redis.url)
    const watcher = await connected(other.url, { ...persistent, clientId: 'watcher' })
    await watcher.subscribeAsync('will', { qos: 1 })
    const payloads = collect(watcher)
    await connected(first.url, {
      clientId: 'dying',
      will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false },
    })
    await first.process.stop('SIGKILL')
    await expect.poll(() => payloads).toEqual(['gone'])
  })

  test('publishes a will again that could not be published, and keeps nothing of it afterwards', async () => {
    const redis = await redisServer()
    const [first, other] = [await command(redis), await serve(redis.url)]
    const watcher = await connected(other.url, { ...persistent, clientId: 'watcher' })
    await watcher.subscribeAsync('will', { qos: 1 })
    const payloads = collect(watcher)
    const admin = new Redis(redis.url)
    onTestFinished(async () => admin.disconnect())
    // In the way of retained messages.
    await admin.set('{x1.p0}:rv', 'text')
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: true } as const
    await dies(await connected(first.url, { clientId: 'dying', will }))
    await expect.poll(async () => admin.hlen('{x1.p0}:w')).toBe(1)
    await expect.poll(() => first.process.stderr + first.process.lines.join()).toMatch(/REDIS_KEY_TYPE/)
    await first.process.stop('SIGKILL')
    await admin.del('{x1.p0}:rv')
    expect(payloads).toEqual([])
    // As if its 30 s were over.
    const [epoch = ''] = await admin.hkeys('{x1.p0}:w')
    await admin.zadd('{x1.p0}:t', 0, `3${epoch}`)
    await expect.poll(() => payloads).toEqual(['gone'])
    await expect.poll(async () => admin.exists('{x1.p0}:w')).toBe(0)
    await expect.poll(async () => admin.zscore('{x1.p0}:t', `3${epoch}`)).toBe(null)
  })

  test('delivers a QoS 2 message once, although its broker dies while Redis does not answer', async () => {
    const redis = await redisServer()
    const [first, second] = [await command(redis), await command(redis)]
    const options = { ...persistent, clientId: 'sub', incomingStore: new mqtt.Store({ clean: false }) }
    const subscriber = await connected(first.url, options)
    await subscriber.subscribeAsync('a', { qos: 2 })
    const payloads = collect(subscriber)
    const publisher = await connected(second.url)
    subscriber.on('packetreceive', ({ cmd }) => {
      if (cmd === 'publish') redis.process.kill('SIGSTOP')
    })
    const recorded = new Promise<void>(resolve => {
      subscriber.on('packetsend', ({ cmd }) => {
        if (cmd === 'pubrec') resolve()
      })
    })
    publisher.publish('a', 'x', { qos: 2 })
    await recorded
    // What the broker answers to PUBREC comes before what it answers to this.
    const ponged = new Promise<void>(resolve => {
      subscriber.on('packetreceive', ({ cmd }) => {
        if (cmd === 'pingresp') resolve()
      })
    })
    subscriber.sendPing()
    await ponged
    expect(payloads).toEqual([])
    await first.process.stop('SIGKILL')
    redis.process.kill('SIGCONT')
    const resumed = client(second.url, options)
    const later = collect(resumed)
    await clientEvent(resumed, 'connect')
    const admin = new Redis(redis.url)
    onTestFinished(async () => admin.disconnect())
    await expect.poll(async () => admin.exists('{x1.p0}:q:sub')).toBe(0)
    expect([...payloads, ...later]).toEqual(['x'])
  })

  test('leaves no key that no session, retained message or broker explains', async () => {
    const redis = await redisServer()
    const { broker, url } = await serve(redis.url)
    const subscriber = await connected(url, { ...persistent, clientId: 'sub' })
    await subscriber.subscribeAsync(['a/+', '$share/g/a/#'], { qos: 2 })
    const payloads = collect(subscriber)
    for (const qos of [1, 2] as const) await subscriber.publishAsync('a/b', `${qos}`, { qos })
    await expect.poll(() => payloads.length).toBe(4)
    await subscriber.publishAsync('kept', 'x', { qos: 1, retain: true })
    await subscriber.publishAsync('kept', '', { qos: 1, retain: true })
    await subscriber.endAsync(false, { properties: { sessionExpiryInterval: 0 } })
    await broker.close()
    const reader = new Redis(redis.url)
    await expect
      .poll(async () => (await reader.keys('*')).sort())
      .toEqual(['{x1.p0}:births', '{x1.p0}:generation', '{x1.p0}:schema'])
    reader.disconnect()
  })

  test('ends with the reason when the password is wrong', async () => {
    const redis = await redisServer('--requirepass', 'right')
    const started = startCommand([...anyPort, '--redis', redis.url.replace('//', '//:wrong@')])
    expect((await started.exited).code).toBe(1)
    expect(started.stderr).toMatch(/^x-broker: .*WRONGPASS/)
    expect(started.stderr).not.toContain('wrong@')
  })

  test('refuses a URL that is none, naming the option', async () => {
    expect(() => createBroker({ redis: 'http://x' })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('redis') }),
    )
    const started = startCommand([...anyPort, '--redis', 'http://x'])
    expect((await started.exited).code).toBe(2)
  })

  test('refuses with 0x97 when maxmemory is reached, reports it once, and goes on when there is room', async () => {
    const redis = await redisServer()
    const { url, errors } = await serve(redis.url)
    const subscriber = await connected(url, { ...persistent, clientId: 'sub' })
    await subscriber.subscribeAsync('a', { qos: 1 })
    await dies(subscriber)
    const publisher = await connected(url, { clientId: 'pub' })
    const admin = new Redis(redis.url)
    await admin.config('SET', 'maxmemory', '1mb')
    for (let time = 0; time < 2; time += 1) {
      await expect(publisher.publishAsync('a', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x97 })
    }
    expect(errors).toEqual(['REDIS_OUT_OF_MEMORY'])
    await admin.config('SET', 'maxmemory', '0')
    await publisher.publishAsync('a', 'y', { qos: 1 })
    admin.disconnect()
    const resumed = client(url, { ...persistent, clientId: 'sub' })
    const payloads = collect(resumed)
    await expect.poll(() => payloads).toEqual(['y'])
  })

  for (const [title, hurt, heal, code] of [
    ['a key of another type', ['SET', '{x1.p0}:f:a', 'text'], ['DEL', '{x1.p0}:f:a'], 'REDIS_KEY_TYPE'],
    [
      'a primary that has become a replica',
      ['REPLICAOF', '127.0.0.1', '1'],
      ['REPLICAOF', 'NO', 'ONE'],
      'REDIS_READ_ONLY',
    ],
  ] as const) {
    test(`acknowledges nothing with ${title}, says so, and recovers`, async () => {
      const redis = await redisServer()
      const { url, errors } = await serve(redis.url)
      const publisher = await connected(url)
      const admin = new Redis(redis.url)
      onTestFinished(async () => admin.disconnect())
      // An empty path leads to the key that is in the way.
      await admin.hset('{x1.p0}:n', '/a', 1)
      await admin.hset('{x1.p0}:nv', 'version', 1)
      await admin.call(hurt[0], hurt.slice(1))
      await expect(answered(publisher)).resolves.toBe('closed')
      await expect.poll(() => errors).toContain(code)
      await admin.call(heal[0], heal.slice(1))
      await expect.poll(async () => answered(client(url))).toBe('acknowledged')
    })
  }

  test('acknowledges nothing while Redis does not answer, refuses clients, and recovers without a restart', async () => {
    const redis = await redisServer()
    const { url, errors } = await serve({ redis: redis.url, commandTimeout: 1500, connectTimeout: 1500 })
    const publisher = await connected(url)
    redis.process.kill('SIGSTOP')
    await expect(answered(publisher)).resolves.toBe('closed')
    await expect.poll(async () => refusal(url)).toBe(0x88)
    expect(errors.filter(code => code.startsWith('REDIS_'))).toEqual(['REDIS_TIMEOUT'])
    redis.process.kill('SIGCONT')
    await expect.poll(async () => answered(client(url))).toBe('acknowledged')
  })

  test('finds its functions again in a Redis that was restarted empty', async () => {
    const redis = await redisServer()
    const { url } = await serve(redis.url)
    await redis.stop()
    const again = await spawnRedis([], redis.port)
    onTestFinished(async () => again.stop())
    await expect.poll(async () => answered(client(url))).toBe('acknowledged')
  })
})

/** What becomes of a QoS 1 message. */
async function answered(publisher: MqttClient): Promise<'acknowledged' | 'closed'> {
  return new Promise(resolve => {
    publisher.once('close', () => resolve('closed'))
    publisher.publish('a', 'x', { qos: 1 }, error => {
      if (error === undefined || error === null) resolve('acknowledged')
    })
  })
}

/** Reason code of a refused connection; 0: taken. */
async function refusal(url: string): Promise<number> {
  const refused = client(url)
  return new Promise(resolve => {
    refused.once('connect', () => resolve(0))
    refused.once('error', error => resolve('code' in error && typeof error.code === 'number' ? error.code : -1))
    refused.once('close', () => resolve(-1))
  })
}
