import { once } from 'node:events'
import { connectAsync } from 'mqtt'
import { MemoryPersistence } from '@x/persistence-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker, BrokerOptions, BrokerPacket } from '../src/index.ts'

function startBroker(options?: BrokerOptions): Broker {
  const broker = createBroker(options)
  onTestFinished(() => broker.close())
  return broker
}

async function topicsOf(packets: AsyncIterable<BrokerPacket>): Promise<string[]> {
  const topics: string[] = []
  for await (const { topic } of packets) topics.push(topic)
  return topics.toSorted()
}

test('the store that was given stays the same object, and shows nothing new', () => {
  const persistence = new MemoryPersistence()
  const before = JSON.stringify(Object.keys(persistence))
  expect(startBroker({ persistence }).persistence).toBe(persistence)
  expect(JSON.stringify(Object.keys(persistence))).toBe(before)
})

test('createRetainedStream, createRetainedStreamCombi: packets of what matches, each topic once', async () => {
  const broker = startBroker()
  for (const topic of ['a/1', 'a/2', 'b/1']) await broker.publish({ topic, payload: topic, qos: 1, retain: true })
  const { persistence } = broker
  const packets = await persistence.createRetainedStream('a/1').toArray()
  expect(packets).toMatchObject([
    { cmd: 'publish', topic: 'a/1', payload: Buffer.from('a/1'), qos: 1, retain: true, brokerId: broker.id },
  ])
  expect(await topicsOf(persistence.createRetainedStream('a/+'))).toEqual(['a/1', 'a/2'])
  expect(await topicsOf(persistence.createRetainedStream('c'))).toEqual([])
  expect(await topicsOf(persistence.createRetainedStreamCombi(['a/+', '+/1']))).toEqual(['a/1', 'a/2', 'b/1'])
  await expect(persistence.createRetainedStream('a/#/b').toArray()).rejects.toMatchObject({
    code: 'FILTER_WILDCARD_MISPLACED',
  })
})

test('storeRetained: at once, stored and not sent; an empty payload removes; what is no packet is refused', async () => {
  const broker = startBroker()
  const { persistence } = broker
  const seen: string[] = []
  broker.on('publish', ({ topic }) => seen.push(topic))
  const payload = Buffer.from('x')
  const stored = persistence.storeRetained({ topic: 'a', payload, qos: 1, retain: true })
  payload.fill('y')
  await stored
  expect(await persistence.createRetainedStream('#').toArray()).toMatchObject([{ payload: Buffer.from('x') }])
  await persistence.storeRetained({ topic: 'a', payload: '', retain: true })
  expect(await topicsOf(persistence.createRetainedStream('#'))).toEqual([])
  await expect(persistence.storeRetained({ topic: 'a', payload: 7 as never })).rejects.toMatchObject({
    code: 'PACKET_INVALID',
  })
  expect(seen).not.toContain('a')
})

test('subscriptionsByClient: of who is connected, an empty list for others', async () => {
  const broker = startBroker()
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const client = await connectAsync(url, { clientId: 'c' })
  await client.subscribeAsync('a/#', { qos: 1 })
  expect(await broker.persistence.subscriptionsByClient({ id: 'c' })).toEqual([
    { topic: 'a/#', qos: 1, rh: 0, rap: false, nl: false },
  ])
  expect(await broker.persistence.subscriptionsByClient({ id: 'other' })).toEqual([])
  await client.endAsync()
})

test('outgoingStream: what was sent to a lasting session and is not acknowledged; nothing of others', async () => {
  const broker = startBroker()
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const client = await connectAsync(url, { clientId: 'c', clean: false })
  await client.subscribeAsync('a/#', { qos: 1 })
  const { persistence } = broker
  const acknowledge: (() => void)[] = []
  const arrived = new Promise<void>(resolve => {
    client.handleMessage = (_packet, done) => {
      acknowledge.push(done)
      resolve()
    }
  })
  await broker.publish({ topic: 'a/1', payload: 'x', qos: 1 })
  await arrived
  const waiting = await persistence.outgoingStream({ id: 'c' }).toArray()
  expect(waiting).toMatchObject([
    { cmd: 'publish', topic: 'a/1', payload: Buffer.from('x'), qos: 1, messageId: expect.any(Number) },
  ])
  // It can be read again, and takes nothing away.
  expect(await persistence.outgoingStream({ id: 'c' }).toArray()).toEqual(waiting)
  expect(await persistence.outgoingStream({ id: 'other' }).toArray()).toEqual([])
  const acknowledged = once(broker, 'ack')
  for (const done of acknowledge) done()
  await acknowledged
  expect(await persistence.outgoingStream({ id: 'c' }).toArray()).toEqual([])
  await client.endAsync()
})
