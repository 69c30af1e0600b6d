import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import mqtt from 'mqtt'
import type { MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { createBroker } from '../src/index.ts'

/** What brokers ask for by themselves, now and then. */
const timed = new Set(['lease', 'due', 'counts', 'follow'])

describe.skipIf(!hasRedisServer())('with Redis (apt-get install redis-server)', () => {
  test('asks the store no more often than each step needs', async () => {
    const redis = await spawnRedis()
    onTestFinished(async () => redis.stop())
    const broker = createBroker({ redis: redis.url })
    onTestFinished(async () => broker.close())
    const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
    await broker.ready
    const admin = new Redis(redis.url)
    const monitor = await admin.monitor()
    onTestFinished(async () => {
      admin.disconnect()
      monitor.disconnect()
    })
    const asked: string[] = []
    monitor.on('monitor', (_time: string, [name = '', called = '']: string[], source: string) => {
      const method = /^x_persistence_\w+?_(\w+)$/.exec(called)?.[1]
      if (/^fcall/i.test(name) && source !== 'lua' && method !== undefined && !timed.has(method)) asked.push(method)
    })
    /** The step asks for these and for nothing else, also not later: nothing is forgotten between two steps. */
    const expected: string[] = []
    const asks = async (calls: readonly string[], step: () => Promise<unknown>): Promise<void> => {
      await step()
      expected.push(...calls)
      await expect.poll(() => asked).toEqual(expected)
    }
    const connect = async (clientId: string, clean: boolean): Promise<MqttClient> => {
      const client = mqtt.connect(url, {
        clientId,
        clean,
        protocolVersion: 5,
        reconnectPeriod: 0,
        properties: { sessionExpiryInterval: clean ? 0 : 1000 },
      })
      client.on('error', () => undefined)
      onTestFinished(async () => client.endAsync(true))
      await clientEvent(client, 'connect')
      return client
    }
    const publish = async (qos: 0 | 1 | 2, topic = 'a', receiver = subscriber): Promise<void> => {
      const message = clientEvent(receiver, 'message')
      await publisher.publishAsync(topic, 'x', { qos })
      await message
    }

    await asks(['open'], async () => connect('stored', false))
    let subscriber = await connect('other', false)
    expected.push('open')
    // The old connection's session is the new one's then: there is nothing to close.
    await asks(['open'], async () => (subscriber = await connect('stored', false)))
    const publisher = await connect('publisher', false)
    expected.push('open')
    // SUBACK waits for the first alone; Retain Handling wants the second.
    await asks(['subscribe', 'retained'], async () => subscriber.subscribeAsync('a', { qos: 2 }))
    await asks([], async () => publish(0))
    await asks(['publish', 'settle'], async () => publish(1))
    await asks(['publish'], async () => publisher.publishAsync('kept', 'x', { qos: 1, retain: true }))
    // PUBREC waits for the first, PUBCOMP for the second.
    await asks(['publish', 'settle'], async () => publisher.publishAsync('nobody', 'x', { qos: 2 }))
    // PUBREL waits for the second; nobody waits for the third.
    await asks(['publish', 'settle', 'settle'], async () => {
      const message = clientEvent(subscriber, 'message')
      await broker.publish({ topic: 'a', payload: 'x', qos: 2 })
      await message
    })
    // Of a session that ends with its connection the store knows nothing: it is asked until the broker knows that for certain.
    const local = await connect('local', true)
    expected.push('open')
    await asks(['retained'], async () => local.subscribeAsync('clean', { qos: 1 }))
    await asks(['publish'], async () => publish(1, 'clean', local))
    await asks(['publish'], async () => publish(1, 'clean', local))
    for (let count = 0; count < 100; count += 1) await asks([], async () => publish(1, 'clean', local))
    const before = asked.length
    const hundred = new Promise<void>(resolve => {
      let count = 0
      subscriber.on('message', () => {
        count += 1
        if (count === 100) resolve()
      })
    })
    await Promise.all(Array.from({ length: 100 }, async () => publisher.publishAsync('a', 'x', { qos: 1 })))
    await hundred
    await expect.poll(async () => (await admin.xlen('{x1.p0}:q:stored')).toString()).toBe('0')
    // As many as turns of the event loop and batches of acknowledgements.
    expect(asked.slice(before).filter(method => method === 'publish').length).toBeLessThan(10)
    expect(asked.slice(before).filter(method => method === 'settle').length).toBeLessThan(10)
  })
})
