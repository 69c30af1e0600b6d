import { expect, test } from 'vitest'
import { Broker } from '../src/index.ts'
import { DelayedPersistence } from './support/delayed-persistence.ts'
import { eachVersion } from './support/each-version.ts'
import { readConnack } from './support/frame.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { RawClient } from './support/raw-client.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, publish, puback, pubcomp, pubrec } from './support/wire.ts'
import type { ConnectFields, Version } from './support/wire.ts'

async function refusalOf(server: TestBroker, fields: ConnectFields & { version: Version }): Promise<number> {
  const client = await server.open()
  client.version = fields.version
  client.send(connect(fields))
  const { reasonCode } = readConnack(await client.next('connack'), fields.version)
  await client.closed()
  return reasonCode
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('a payload above maximumPayloadSize is dropped, acknowledged, and its publisher stays', async () => {
    const server = await startBroker({ maximumPayloadSize: 2 })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe(['#', 2])
    const client = await server.connect({ version, clientId: 'c' })
    client.send(...['1', '123', '12'].map(payload => publish({ version, topic: 'a', payload })))
    expect((await watcher.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['1', '12'])
    const first = client.publish({ topic: 'a', payload: '123', qos: 1, retain: true })
    expect(await client.nextAck('puback', first)).toMatchObject({ reasonCode: version === 5 ? 0x95 : 0 })
    const second = client.publish({ topic: 'a', payload: '123', qos: 2 })
    expect(await client.nextAck('pubrec', second)).toMatchObject({ reasonCode: version === 5 ? 0x95 : 0 })
    await client.publishDone({ topic: 'a', payload: 'ok', qos: 2 })
    expect(await watcher.nextPublish()).toMatchObject({ payload: 'ok' })
    await watcher.expectNothing()
    const late = await server.connect({ clientId: 'late' })
    await late.subscribe('a')
    await late.expectNothing()
  })

  versionTest('a will above maximumPayloadSize refuses its CONNECT', async () => {
    const server = await startBroker({ maximumPayloadSize: 2 })
    const will = { topic: 'w', payload: '123' }
    expect(await refusalOf(server, { version, clientId: 'c', will })).toBe(version === 5 ? 0x95 : 5)
    await (await server.connect({ version, clientId: 'c', will: { topic: 'w', payload: '12' } })).ping()
  })

  versionTest('messages beyond maximumInflightBytes wait until others are acknowledged', async () => {
    for (const session of [{ version }, lasting]) {
      const server = await startBroker({ maximumInflightBytes: 16 })
      const client = await server.connect({ ...session, clientId: 'c' })
      await client.subscribe(['a', 2])
      for (const count of [1, 2, 3, 4]) await server.broker.publish({ topic: 'a', payload: `message${count}`, qos: 2 })
      const [first, second] = await client.nextPublishes(2)
      await client.expectNothing()
      client.send(pubrec(first?.id ?? 0), pubcomp(first?.id ?? 0))
      await client.next('pubrel')
      const third = await client.nextPublish()
      expect(third.payload).toBe('message3')
      client.send(pubrec(second?.id ?? 0))
      await client.next('pubrel')
      await client.expectNothing()
      client.send(pubcomp(second?.id ?? 0))
      expect((await client.nextPublish()).payload).toBe('message4')
    }
  })

  versionTest('one message larger than maximumInflightBytes is sent', async () => {
    const server = await startBroker({ maximumInflightBytes: 1 })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['a', 1])
    for (const payload of ['large', 'next']) await server.broker.publish({ topic: 'a', payload, qos: 1 })
    const large = await client.nextPublish()
    await client.expectNothing()
    client.send(puback(large.id))
    expect((await client.nextPublish()).payload).toBe('next')
  })

  versionTest('a resumed session keeps to maximumInflightBytes', async () => {
    const server = await startBroker({ maximumInflightBytes: 4 })
    const client = await server.connect({ ...lasting, clientId: 'c' })
    await client.subscribe(['a', 1])
    await server.drop(client)
    for (const payload of ['one!', 'two!', 'six!']) await server.broker.publish({ topic: 'a', payload, qos: 1 })
    const back = await server.connect({ ...lasting, clientId: 'c' })
    const first = await back.nextPublish()
    expect(first.payload).toBe('one!')
    await back.expectNothing()
    back.send(puback(first.id))
    expect((await back.nextPublish()).payload).toBe('two!')
  })

  versionTest('one more client or session than maximumSessions is refused, and room comes back', async () => {
    for (const persistence of [new MemoryPersistence(), new DelayedPersistence(new MemoryPersistence(), 1)]) {
      const server = await startBroker({ maximumSessions: 2, persistence })
      const sleeper = await server.connect({ ...lasting, clientId: 'sleeper' })
      const passing = await server.connect({ version, clientId: 'passing' })
      const busy = version === 5 ? 0x89 : 3
      expect(await refusalOf(server, { version, clientId: 'more' })).toBe(busy)
      await server.drop(sleeper)
      expect(await refusalOf(server, { ...lasting, clientId: 'more' })).toBe(busy)
      const back = await server.connect({ ...lasting, clientId: 'sleeper' })
      expect(back.connack.sessionPresent).toBe(true)
      await server.connect({ ...lasting, clientId: 'sleeper' })
      await back.closed()
      const left = server.gone('passing')
      passing.socket.resetAndDestroy()
      await left
      await (await server.connect({ ...lasting, clientId: 'more' })).ping()
      expect(await refusalOf(server, { version, clientId: 'again' })).toBe(busy)
      expect((await server.broker.counts()).sessions).toBe(2)
    }
  })

  versionTest('a refused session takes nothing from the client that is there', async () => {
    const server = await startBroker({ maximumSessions: 1 })
    const watcher = await server.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('#')
    await refusalOf(server, { version, clientId: 'more', will: { topic: 'will' } })
    await watcher.expectNothing()
    const again = await server.connect({ version, clientId: 'watcher' })
    await watcher.closed()
    await again.ping()
  })

  versionTest('upgradeOutgoingQoS delivers with the QoS of the subscription', async () => {
    const published: number[] = []
    const server = await startBroker({ upgradeOutgoingQoS: true })
    server.broker.on('publish', packet => {
      if (packet.topic === 'a') published.push(packet.qos)
    })
    const sleeper = await server.connect({ ...lasting, clientId: 'sleeper' })
    await sleeper.subscribe(['a', 1])
    await server.drop(sleeper)
    const live = await server.connect({ ...lasting, clientId: 'live' })
    await live.subscribe(['a', 2])
    const passing = await server.connect({ version, clientId: 'passing' })
    await passing.subscribe(['$share/g/a', 1], ['b', 0])
    const client = await server.connect({ version, clientId: 'c' })
    client.publish({ topic: 'a', payload: 'x', retain: true })
    client.publish({ topic: 'b' })
    expect(await live.nextPublish()).toMatchObject({ topic: 'a', qos: 2 })
    const seen = await passing.nextPublishes(2)
    expect(Object.fromEntries(seen.map(({ topic, qos }) => [topic, qos]))).toEqual({ a: 1, b: 0 })
    const back = await server.connect({ ...lasting, clientId: 'sleeper' })
    expect(await back.nextPublish()).toMatchObject({ topic: 'a', qos: 1 })
    const late = await server.connect({ version, clientId: 'late' })
    await late.subscribe(['a', 1])
    expect(await late.nextPublish()).toMatchObject({ topic: 'a', qos: 1, retain: true })
    expect(published).toEqual([0])
  })
})

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('queueQoS0Messages keeps messages of QoS 0 for sessions whose client is away', async () => {
    for (const persistence of [new MemoryPersistence(), new DelayedPersistence(new MemoryPersistence(), 1)]) {
      const server = await startBroker({ queueQoS0Messages: true, persistence })
      const sleeper = await server.connect({ ...lasting, clientId: 'sleeper' })
      await sleeper.subscribe(['zero', 0], ['one', 1])
      await server.drop(sleeper)
      const live = await server.connect({ ...lasting, clientId: 'live' })
      await live.subscribe(['zero', 0], ['$share/g/zero', 1])
      const client = await server.connect({ version, clientId: 'c' })
      client.publish({ topic: 'zero', payload: '1' })
      client.publish({ topic: 'one', payload: '2' })
      await client.publishDone({ topic: 'zero', payload: '3', qos: 1 })
      await client.publishDone({ topic: 'one', payload: '4', qos: 1 })
      expect(await live.nextPublishes(4)).toHaveLength(4)
      await live.expectNothing()
      const back = await server.connect({ ...lasting, clientId: 'sleeper' })
      const got = await back.nextPublishes(4)
      expect(got.map(({ payload, qos }) => `${payload}:${qos}`)).toEqual(['1:0', '2:0', '3:0', '4:1'])
      back.send(puback(got[3]?.id ?? 0))
      client.publish({ topic: 'zero', payload: '5' })
      expect(await back.nextPublish()).toMatchObject({ payload: '5', qos: 0 })
      await server.drop(back)
      const again = await server.connect({ ...lasting, clientId: 'sleeper' })
      await again.expectNothing()
    }
  })

  versionTest('without queueQoS0Messages messages of QoS 0 are for clients that are there', async () => {
    const server = await startBroker()
    const sleeper = await server.connect({ ...lasting, clientId: 'sleeper' })
    await sleeper.subscribe(['a', 1])
    await server.drop(sleeper)
    const client = await server.connect({ version, clientId: 'c' })
    client.publish({ topic: 'a' })
    await client.ping()
    const back = await server.connect({ ...lasting, clientId: 'sleeper' })
    await back.expectNothing()
  })
})

test('queueQoS0Messages is refused with a store that can not do it', () => {
  const persistence = new MemoryPersistence()
  const without = Object.create(persistence, {
    supports: { value: { ...persistence.supports, queuesAtMostOnce: false } },
  }) as MemoryPersistence
  expect(() => new Broker({ persistence: without, queueQoS0Messages: true })).toThrow('queueQoS0Messages is true')
})

test('without reasonStrings clients get codes alone', async () => {
  const server = await startBroker({
    reasonStrings: false,
    topicAccess: { mayPublish: () => false, mayReceive: () => true },
  })
  const client = await server.connect({ clientId: 'c' })
  const id = client.publish({ topic: 'a', qos: 1 })
  const ack = await client.nextAck('puback', id)
  expect(ack.reasonCode).toBe(0x87)
  expect(propertyValue(ack.properties, PropertyId.reasonString)).toBeUndefined()
  const granted = await client.subscribe('a#')
  expect(granted.reasonCodes).toEqual([0x8f])
  expect(propertyValue(granted.properties, PropertyId.reasonString)).toBeUndefined()
  client.publish({ topic: '', properties: property.topicAlias(9) })
  const { reasonCode, properties } = await client.nextDisconnect()
  expect(reasonCode).toBe(0x82)
  expect(propertyValue(properties, PropertyId.reasonString)).toBeUndefined()
  const refused = await server.open()
  refused.send(connect({ clientId: 'x', will: { topic: 'a#' } }))
  const connack = readConnack(await refused.next('connack'), 5)
  expect(connack.reasonCode).toBe(0x90)
  expect(propertyValue(connack.properties, PropertyId.reasonString)).toBeUndefined()
})

test('a connection beyond maximumConnections is closed at once, and a part of the program is none', async () => {
  const server = await startBroker({ maximumConnections: 1 })
  const refused: Error[] = []
  server.broker.on('connectionRefused', error => refused.push(error))
  const first = await server.connect({ clientId: 'first' })
  const local = server.broker.openLocalStream('own')
  const second = await RawClient.open(server.port)
  expect(await second.closed()).toEqual([])
  expect(refused).toMatchObject([{ code: 'CONNECTIONS_EXCEEDED' }])
  await first.ping()
  expect(local.destroyed).toBe(false)
  local.destroy()
})
