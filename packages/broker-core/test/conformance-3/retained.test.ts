import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { disconnect } from '../support/wire.ts'
import { connectClient, connectWatcher } from './wire-case.ts'

test(
  'a retained message comes to later subscribers with its QoS and RETAIN 1',
  { tags: ['MQTT3-3.3.1-5', 'MQTT3-3.3.1-8'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    for (const qos of [0, 1, 2] as const)
      await publisher.publishDone({ topic: `a/${qos}`, qos, retain: true, payload: 'x' })
    for (const clientId of ['c', 'd']) {
      const client = await connectClient(server, clientId)
      for (const qos of [0, 1, 2]) {
        await client.subscribe([`a/${qos}`, 2])
        expect((await client.next()).bytes[0]).toBe(0x31 | (qos << 1))
      }
    }
  },
)

test(
  'a new subscription gets the last retained message of each topic it matches, and of no other',
  { tags: ['MQTT3-3.3.1-6'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    for (const [topic, payload] of [
      ['a/1', 'old'],
      ['a/1', 'new'],
      ['a/2', 'two'],
      ['b/1', 'other'],
      ['a/2/3', 'deeper'],
    ] as const) {
      await publisher.publishDone({ topic, payload, qos: 1, retain: true })
    }
    const client = await connectClient(server, 'c')
    await client.subscribe(['a/+', 1])
    const deliveries = await client.nextPublishes(2)
    expect(deliveries.map(({ topic, payload }) => `${topic} ${payload}`).toSorted()).toEqual(['a/1 new', 'a/2 two'])
    await client.expectNothing()
  },
)

test('a retained message of QoS 0 takes the place of one of QoS 1 or 2', { tags: ['MQTT3-3.3.1-7'] }, async () => {
  const server = await startBroker()
  const publisher = await connectClient(server, 'p')
  for (const earlier of [1, 2] as const) {
    const topic = `a/${earlier}`
    await publisher.publishDone({ topic, qos: earlier, retain: true, payload: 'A' })
    await publisher.publishDone({ topic, qos: 0, retain: true, payload: 'B' })
    const client = await connectClient(server, 'c')
    await client.subscribe([topic, 2])
    expect(await client.nextPublish()).toMatchObject({ payload: 'B', qos: 0 })
    await client.expectNothing()
  }
})

test('an established subscription gets the message with RETAIN 0', { tags: ['MQTT3-3.3.1-9'] }, async () => {
  const server = await startBroker()
  const watcher = await connectWatcher(server)
  const publisher = await connectClient(server, 'p')
  for (const qos of [0, 1, 2] as const) {
    await publisher.publishDone({ topic: 'a', qos, retain: true, payload: 'x' })
    expect((await watcher.next()).bytes[0]).toBe(0x30 | (qos << 1))
  }
})

test('an empty retained message is delivered, and removes the retained one', { tags: ['MQTT3-3.3.1-10'] }, async () => {
  const server = await startBroker()
  const publisher = await connectClient(server, 'p')
  for (const qos of [0, 1, 2] as const) {
    await publisher.publishDone({ topic: 'a', qos: 1, retain: true, payload: 'A' })
    const established = await connectClient(server, 'c')
    await established.subscribe(['a', 2])
    expect((await established.nextPublish()).payload).toBe('A')
    await publisher.publishDone({ topic: 'a', qos, retain: true, payload: '' })
    expect(await established.nextPublish()).toMatchObject({ payload: '', retain: false, qos })
    const later = await connectClient(server, 'later')
    await later.subscribe(['a', 2])
    await later.expectNothing()
  }
})

test('an empty message is never kept', { tags: ['MQTT3-3.3.1-11'] }, async () => {
  const server = await startBroker()
  const publisher = await connectClient(server, 'p')
  for (const qos of [0, 1, 2] as const)
    await publisher.publishDone({ topic: `a/${qos}`, qos, retain: true, payload: '' })
  await publisher.publishDone({ topic: 'a/kept', retain: true, payload: 'x' })
  const client = await connectClient(server, 'c')
  await client.subscribe(['a/#', 2])
  expect((await client.nextPublish()).topic).toBe('a/kept')
  await client.expectNothing()
})

test(
  'a message with RETAIN 0 neither keeps, nor replaces, nor removes anything',
  { tags: ['MQTT3-3.3.1-12'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    await publisher.publishDone({ topic: 'a/1', retain: true, payload: 'A' })
    for (const qos of [0, 1, 2] as const) {
      await publisher.publishDone({ topic: 'a/1', qos, payload: 'B' })
      await publisher.publishDone({ topic: 'a/1', qos, payload: '' })
      await publisher.publishDone({ topic: 'a/2', qos, payload: 'B' })
    }
    const client = await connectClient(server, 'c')
    await client.subscribe(['a/+', 2])
    expect(await client.nextPublish()).toMatchObject({ topic: 'a/1', payload: 'A' })
    await client.expectNothing()
  },
)

test('retained messages outlive the clean session of their publisher', { tags: ['MQTT3-3.1.2-7'] }, async () => {
  const server = await startBroker()
  for (const [topic, leave] of [
    ['a/gone', true],
    ['a/lost', false],
  ] as const) {
    const publisher = await connectClient(server, 'p')
    await publisher.publishDone({ topic, qos: 1, retain: true, payload: 'kept' })
    if (leave) {
      const gone = server.gone('p')
      publisher.send(disconnect())
      await gone
    } else await server.drop(publisher)
  }
  // The same ClientId with a clean session once more: no session state of it is left.
  await connectClient(server, 'p')
  const client = await connectClient(server, 'c')
  await client.subscribe('a/+')
  const deliveries = await client.nextPublishes(2)
  expect(deliveries.map(({ topic, payload, retain }) => `${topic} ${payload} ${retain}`).toSorted()).toEqual([
    'a/gone kept true',
    'a/lost kept true',
  ])
})
