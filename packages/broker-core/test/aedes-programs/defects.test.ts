import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { bytes, connect, publish, pubrel } from '../support/wire.ts'

// Faults that Aedes had, some of them for years, one test for each.

test('names of Object.prototype: topics, client ids and broker ids are names like others', async () => {
  const server = await startBroker({ id: '__proto__' })
  const watcher = await server.connect({ clientId: 'constructor' })
  await watcher.subscribe(['#', 1])
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty/valueOf']
  for (const topic of names) await server.broker.publish({ topic, qos: 1, retain: true, payload: 'x' })
  expect((await watcher.nextPublishes(4)).map(({ topic }) => topic)).toEqual(names)
  const mortal = await server.connect({
    version: 4,
    clientId: '__proto__',
    will: { topic: '__proto__', payload: 'gone' },
  })
  await server.drop(mortal)
  expect((await watcher.nextPublish()).payload).toBe('gone')
})

test('a clean session begins without inbound QoS 2 identifiers', async () => {
  const server = await startBroker()
  const heard: string[] = []
  await server.broker.subscribe('a', packet => void heard.push(packet.payload.toString()))
  for (const payload of ['first', 'second']) {
    const client = await server.connect({ version: 4, clientId: 'c', cleanStart: true })
    client.publish({ topic: 'a', qos: 2, id: 7, payload })
    await client.nextAck('pubrec', 7)
    await server.drop(client)
  }
  expect(heard).toEqual(['first', 'second'])
})

test('a deeply nested topic ends at most its own connection', async () => {
  const server = await startBroker()
  const topic = '/'.repeat(65_535)
  const client = await server.connect({ version: 4, clientId: 'c' })
  client.send(publish({ version: 4, topic, qos: 1, id: 1 }))
  await client.closed()
  const other = await server
    .connect({ version: 4, clientId: 'o', will: { topic: 'a/'.repeat(200), payload: 'x' } })
    .catch(() => undefined)
  expect(other).toBeUndefined()
  await (await server.connect({ clientId: 'fine' })).ping()
})

test('PUBREL is always answered, also twice at once and for an unknown identifier', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  client.publish({ topic: 'a', qos: 2, id: 3 })
  await client.nextAck('pubrec', 3)
  client.send(bytes(pubrel(3), pubrel(3), pubrel(9)))
  for (const id of [3, 3, 9]) await client.nextAck('pubcomp', id)
})

test('connectedClients is right after take-overs', async () => {
  const server = await startBroker()
  for (let time = 0; time < 5; time++) await server.connect({ clientId: 'c' })
  expect(server.broker.connectedClients).toBe(1)
})

test('no will is left after DISCONNECT', async () => {
  const server = await startBroker()
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('w')
  const client = await server.connect({ version: 4, clientId: 'c', will: { topic: 'w', payload: 'x' } })
  const left = server.gone('c')
  client.send(Buffer.of(0xe0, 0))
  await left
  await server.drop(await server.connect({ version: 4, clientId: 'c' }))
  await watcher.expectNothing()
})

test('a topic that is null is refused', async () => {
  const { broker } = await startBroker()
  await expect(broker.publish({ topic: null as unknown as string })).rejects.toThrow(
    'empty topic not allowed in PUBLISH',
  )
})

test('a denied subscription gets no retained message, is not stored, and is told as 128', async () => {
  const server = await startBroker({ authorizeSubscribe: () => null })
  await server.broker.publish({ topic: 'a', payload: 'x', retain: true })
  const told: unknown[] = []
  server.broker.on('subscribe', subscriptions => told.push(subscriptions.map(({ qos }) => qos)))
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect((await client.subscribe(['a', 1])).reasonCodes).toEqual([128])
  await client.expectNothing()
  expect(told).toEqual([[128]])
  expect(await server.persistence.counts()).toMatchObject({ subscriptions: 0 })
})

test('a bridge does not get its own messages back', async () => {
  const server = await startBroker()
  const bridge = await server.open()
  bridge.version = 4
  bridge.send(connect({ version: 4, level: 0x84, clientId: 'bridge' }))
  await bridge.next('connack')
  await bridge.subscribe(['#', 1])
  await bridge.publishDone({ topic: 'a', qos: 1 })
  await bridge.expectNothing()
})

test('a message for two overlapping subscriptions of a lasting session is queued once, at the higher QoS', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  await client.subscribe(['a/+', 1], ['a/b', 2])
  await server.drop(client)
  await server.broker.publish({ topic: 'a/b', qos: 2, payload: 'x' })
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect(await again.nextPublish()).toMatchObject({ qos: 2, payload: 'x' })
  await again.expectNothing()
})

test('a wildcard subscription lowers the QoS, offline too', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  await client.subscribe(['+', 1])
  await server.broker.publish({ topic: 'a', qos: 2 })
  expect((await client.nextPublish()).qos).toBe(1)
  await server.drop(client)
  await server.broker.publish({ topic: 'b', qos: 2 })
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect((await again.nextPublishes(2)).map(({ qos }) => qos)).toEqual([1, 1])
})

test('+ matches an empty level, of retained messages and offline', async () => {
  const server = await startBroker()
  await server.broker.publish({ topic: '/a', retain: true, payload: 'retained' })
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  await client.subscribe(['+/a', 1])
  expect((await client.nextPublish()).payload).toBe('retained')
  await server.drop(client)
  await server.broker.publish({ topic: '/a', qos: 1, payload: 'queued' })
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect((await again.nextPublish()).payload).toBe('queued')
})

test('an empty identifier with clean session 0 is refused with 2', async () => {
  const server = await startBroker()
  const client = await server.open()
  expect((await client.connect({ version: 4, clientId: '', cleanStart: false })).reasonCode).toBe(2)
})

test('U+0000 in a topic ends the connection', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 4, clientId: 'c' })
  client.publish({ topic: 'a\0b', qos: 1 })
  expect(await client.closed()).toEqual([])
})

test('PUBACK comes when the message is stored, not before', async () => {
  const server = await startBroker()
  const { persistence } = server
  const store = persistence.publish.bind(persistence)
  let finish: (() => void) | undefined
  persistence.publish = async (message, receipt) => {
    await new Promise<void>(resolve => {
      finish = resolve
    })
    return store(message, receipt)
  }
  const client = await server.connect({ version: 4, clientId: 'c' })
  const id = client.publish({ topic: 'a', qos: 1 })
  while (finish === undefined) await new Promise(setImmediate)
  await client.expectNothing()
  finish()
  await client.nextAck('puback', id)
})
