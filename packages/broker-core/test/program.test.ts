import { expect, test } from 'vitest'
import type { BrokerPacket, DeliverFunction } from '../src/index.ts'
import { PropertyId, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { publish } from './support/wire.ts'

// ── broker.publish ────────────────────────────────────────────────────────────────────────────────────────────────────

test('publish needs a topic only; text and bytes are payloads', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('#')
  await server.broker.publish({ topic: 'a' })
  await server.broker.publish({ topic: 'b', payload: 'text ☺' })
  await server.broker.publish({ topic: 'c', payload: Buffer.of(0, 255) })
  const deliveries = await client.nextPublishes(3)
  expect(deliveries.map(({ payloadBytes }) => payloadBytes)).toEqual([
    Buffer.alloc(0),
    Buffer.from('text ☺'),
    Buffer.of(0, 255),
  ])
})

test('publish leaves the packet it is given alone, and passes its properties on', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['#', 1])
  const packet = Object.freeze({
    topic: 'a',
    payload: 'x',
    qos: 1 as const,
    properties: Object.freeze({ contentType: 't', messageExpiryInterval: 60 }),
  })
  await server.broker.publish(packet)
  const { properties } = await client.nextPublish()
  expect(propertyValue(properties, PropertyId.contentType)).toBe('t')
  expect(propertyValue(properties, PropertyId.messageExpiryInterval)).toBe(60)
})

test('publish calls back later, in every form of the call', async () => {
  const server = await startBroker()
  const order: string[] = []
  await new Promise<void>(resolve => {
    server.broker.publish({ topic: 'a' }, () => order.push('two arguments'))
    server.broker.publish({ topic: 'a' }, null, () => {
      order.push('three arguments')
      resolve()
    })
    order.push('returned')
  })
  expect(order).toEqual(['returned', 'two arguments', 'three arguments'])
})

test('publish refuses what is no message', async () => {
  const server = await startBroker({ maxTopicLevels: 3 })
  await expect(server.broker.publish({ topic: 'a', qos: 3 as 2 })).rejects.toMatchObject({ code: 'PACKET_INVALID' })
  for (const messageExpiryInterval of [0.5, -1, 2 ** 32, Number.NaN]) {
    await expect(server.broker.publish({ topic: 'a', properties: { messageExpiryInterval } })).rejects.toMatchObject({
      code: 'PACKET_INVALID',
      message: expect.stringContaining(String(messageExpiryInterval)),
    })
  }
  await expect(server.broker.publish({ topic: '' })).rejects.toMatchObject({ code: 'TOPIC_EMPTY' })
  await expect(server.broker.publish({ topic: 'a/+' })).rejects.toMatchObject({ code: 'TOPIC_HAS_WILDCARD' })
  await expect(server.broker.publish({ topic: 'a/b/c/d' })).rejects.toMatchObject({ code: 'TOPIC_TOO_MANY_LEVELS' })
  const error = await new Promise<Error | undefined>(resolve => {
    server.broker.publish({ topic: '' }, resolve)
  })
  expect(error).toMatchObject({ code: 'TOPIC_EMPTY' })
})

test('publish is not asked for permission', async () => {
  const server = await startBroker({
    authorizePublish: () => {
      throw new Error('no')
    },
  })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a', '$SYS/x')
  for (const topic of ['a', '$SYS/x']) {
    await server.broker.publish({ topic })
    expect((await client.nextPublish()).topic).toBe(topic)
  }
})

test('counter numbers the messages, and brokerId names the broker', async () => {
  const server = await startBroker({ id: 'broker-7' })
  const seen: BrokerPacket[] = []
  server.broker.on('publish', (packet: BrokerPacket) => seen.push(packet))
  for (let index = 0; index < 3; index += 1) await server.broker.publish({ topic: 'a' })
  expect(seen.map(({ brokerId }) => brokerId)).toEqual(['broker-7', 'broker-7', 'broker-7'])
  const numbers = seen.map(({ brokerCounter }) => brokerCounter)
  expect(numbers).toEqual([1, 2, 3].map(step => (numbers[0] ?? 0) - 1 + step))
  expect(server.broker.counter).toBe(numbers[2])
})

// ── broker.subscribe ──────────────────────────────────────────────────────────────────────────────────────────────────

test('a function gets the messages of its filter, with the broker as this and RETAIN as published', async () => {
  const server = await startBroker()
  const seen: unknown[] = []
  await server.broker.subscribe('a/+', function deliver(packet) {
    expect(this).toBe(server.broker)
    seen.push([packet.topic, packet.payload.toString(), packet.qos, packet.retain, packet.clientId])
  })
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a/1', payload: 'x', qos: 1, retain: true })
  await client.publishDone({ topic: 'b', payload: 'x' })
  await client.publishDone({ topic: 'a/2', payload: 'y' })
  await server.broker.publish({ topic: 'a/3' })
  expect(seen).toEqual([
    ['a/1', 'x', 1, true, 'c'],
    ['a/2', 'y', 0, false, 'c'],
    ['a/3', '', 0, false, undefined],
  ])
})

test('the acknowledgement waits for functions in either style', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  const held: (() => void)[] = []
  const styles: DeliverFunction[] = [
    (_packet, done) => held.push(done),
    packet =>
      new Promise<void>(resolve => {
        void packet
        held.push(resolve)
      }),
  ]
  for (const deliver of styles) {
    await server.broker.subscribe('a', deliver)
    client.publish({ topic: 'a', qos: 1 })
    while (held.length === 0) await new Promise(setImmediate)
    await client.expectNothing()
    held.pop()?.()
    await client.nextAck('puback')
    await server.broker.unsubscribe('a', deliver)
  }
})

test('at most concurrency functions run at once, and all get their messages in order', async () => {
  const server = await startBroker({ concurrency: 2 })
  let running = 0
  let most = 0
  const seen: string[] = []
  await server.broker.subscribe('a', async packet => {
    running += 1
    most = Math.max(most, running)
    await new Promise(setImmediate)
    seen.push(packet.payload.toString())
    running -= 1
  })
  await Promise.all(
    Array.from({ length: 20 }, (_, index) => server.broker.publish({ topic: 'a', payload: `${index}` })),
  )
  expect(most).toBe(2)
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`))
})

test('a publisher is held back while a function is slow, and nothing is lost', async () => {
  const server = await startBroker({ concurrency: 1, maxInflightInbound: 10 })
  const seen: string[] = []
  await server.broker.subscribe('a', async packet => {
    await new Promise(setImmediate)
    seen.push(packet.payload.toString())
  })
  const client = await server.connect({ version: 4, clientId: 'c' })
  const count = 500
  client.send(
    ...Array.from({ length: count }, (_, index) =>
      publish({ version: 4, topic: 'a', qos: 1, id: index + 1, payload: `${index}` }),
    ),
  )
  for (let index = 0; index < count; index += 1) await client.nextAck('puback', index + 1)
  expect(seen).toEqual(Array.from({ length: count }, (_, index) => `${index}`))
})

test('the same function may have several filters; unsubscribe takes one pair', async () => {
  const server = await startBroker()
  const seen: string[] = []
  const deliver: DeliverFunction = packet => void seen.push(packet.topic)
  await server.broker.subscribe('a', deliver)
  await server.broker.subscribe('a', deliver)
  await server.broker.subscribe('b', deliver)
  await server.broker.publish({ topic: 'a' })
  await server.broker.unsubscribe('a', deliver)
  await server.broker.unsubscribe('a', deliver)
  await server.broker.unsubscribe('never', deliver)
  await server.broker.publish({ topic: 'a' })
  await server.broker.publish({ topic: 'b' })
  expect(seen).toEqual(['a', 'b'])
})

const ignore: DeliverFunction = () => undefined

test('subscribe calls back, and refuses what is no filter', async () => {
  const server = await startBroker()
  expect(
    await new Promise<Error | undefined>(resolve => {
      server.broker.subscribe('a', ignore, resolve)
    }),
  ).toBeUndefined()
  expect(
    await new Promise<Error | undefined>(resolve => {
      server.broker.unsubscribe('a', ignore, resolve)
    }),
  ).toBeUndefined()
  await expect(server.broker.subscribe('a#', ignore)).rejects.toMatchObject({ code: 'FILTER_WILDCARD_MISPLACED' })
})

test('functions see $SYS topics by a wildcard at the beginning too, each once, unlike clients', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('#')
  const seen: string[] = []
  const note = (filter: string) => (packet: BrokerPacket) => void seen.push(`${filter} ${packet.topic}`)
  const all = note('#')
  await server.broker.subscribe('#', all)
  await server.broker.subscribe('+/x', note('+/x'))
  await server.broker.subscribe('$SYS/#', note('$SYS/#'))
  await server.broker.publish({ topic: '$SYS/x' })
  expect(seen.toSorted()).toEqual(['# $SYS/x', '$SYS/# $SYS/x', '+/x $SYS/x'])
  seen.length = 0
  await server.broker.unsubscribe('#', all)
  await server.broker.publish({ topic: '$SYS/y' })
  await server.broker.publish({ topic: 'x' })
  expect(seen).toEqual(['$SYS/# $SYS/y'])
  expect((await client.nextPublish()).topic).toBe('x')
})

test('a function that fails: who publishes learns it, and others get the message', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a')
  const failing: DeliverFunction[] = [
    () => {
      throw new Error('broken')
    },
    () => Promise.reject(new Error('broken')),
  ]
  for (const deliver of failing) {
    await server.broker.subscribe('a', deliver)
    await expect(server.broker.publish({ topic: 'a' })).rejects.toThrow('broken')
    await client.nextPublish()
    await server.broker.unsubscribe('a', deliver)
  }
})
