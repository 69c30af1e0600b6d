import { expect, test } from 'vitest'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { bytes, connect, disconnect, packet, pubrel, text } from '../support/wire.ts'
import type { ConnectFields, Version } from '../support/wire.ts'
import { hex } from './wire-case.ts'

/** The frames that come back for this CONNECT; the connection ends after them. */
async function refusal(server: TestBroker, fields: ConnectFields): Promise<readonly string[]> {
  const client = await server.open()
  client.send(connect({ version: 3, ...fields }))
  return hex(await client.closed())
}

test('MQTT 3.1: CONNECT of MQIsdp level 3 is answered with 20 02 00 00', async () => {
  const server = await startBroker()
  const client = await server.open()
  // 'MQIsdp', level 3, clean session, no Keep Alive, ClientId 'c'
  client.send(bytes(0x10, 15, 0, 6, 0x4d, 0x51, 0x49, 0x73, 0x64, 0x70, 3, 2, 0, 0, 0, 1, 0x63))
  expect(hex([await client.next()])).toEqual(['20020000'])
  await client.ping()
})

test('MQTT 3.1: a session goes on, but CONNACK has no Session Present', async () => {
  const server = await startBroker()
  const fields = { version: 3, clientId: 's', cleanStart: false } as const
  const before = await server.connect(fields)
  await before.subscribe(['a', 2])
  await server.broker.publish({ topic: 'a', qos: 1, payload: 'open' })
  const { id } = await before.nextPublish()
  await server.drop(before)
  await server.broker.publish({ topic: 'a', qos: 2, payload: 'queued' })
  const after = await server.connect(fields)
  expect(after.connack.flags).toBe(0)
  expect(await after.nextPublish()).toMatchObject({ payload: 'open', id, dup: true, qos: 1 })
  expect(await after.nextPublish()).toMatchObject({ payload: 'queued', dup: false, qos: 2 })
})

test('MQTT 3.1: clean session throws the session away', async () => {
  const server = await startBroker()
  const before = await server.connect({ version: 3, clientId: 's', cleanStart: false })
  await before.subscribe(['a', 2])
  await server.drop(before)
  const after = await server.connect({ version: 3, clientId: 's' })
  await server.broker.publish({ topic: 'a' })
  await after.expectNothing()
})

test('MQTT 3.1: ClientIds of 1 to 23 characters are accepted, longer ones refused with 2', async () => {
  const server = await startBroker()
  for (const clientId of ['a', 'x'.repeat(23)]) {
    await (await server.connect({ version: 3, clientId })).ping()
  }
  for (const clientId of ['x'.repeat(24), 'x'.repeat(1000)]) {
    expect(await refusal(server, { clientId })).toEqual(['20020002'])
  }
})

test('MQTT 3.1: an empty ClientId is refused with 2, clean session or not', async () => {
  const server = await startBroker()
  for (const cleanStart of [true, false]) {
    expect(await refusal(server, { clientId: '', cleanStart })).toEqual(['20020002'])
  }
})

test('MQTT 3.1: a wrong login is refused with a return code, and the connection closed', async () => {
  const server = await startBroker({ authenticate: (_client, username) => username === 'ann' })
  await server.connect({ version: 3, clientId: 'a', username: 'ann', password: 'x' })
  expect(await refusal(server, { clientId: 'b', username: 'eve', password: 'x' })).toEqual(['20020005'])
})

test('messages pass at every QoS between MQTT 3.1, 3.1.1 and 5.0', async () => {
  const server = await startBroker()
  const versions: readonly Version[] = [3, 4, 5]
  const subscribers = await Promise.all(
    versions.map(async version => {
      const client = await server.connect({ version, clientId: `s${version}` })
      expect((await client.subscribe(['from/#', 2])).reasonCodes).toEqual([2])
      return client
    }),
  )
  for (const version of versions) {
    const publisher = await server.connect({ version, clientId: 'p' })
    for (const qos of [0, 1, 2] as const) {
      const topic = `from/${version}`
      await publisher.publishDone({ topic, qos, payload: `${qos}` })
      for (const client of subscribers) {
        expect(await client.nextPublish()).toMatchObject({ topic, qos, payload: `${qos}`, dup: false, properties: [] })
      }
    }
  }
})

test('MQTT 3.1: acknowledgements, SUBACK, UNSUBACK and PINGRESP have their short forms', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 3, clientId: 'c' })
  client.send(
    packet(0x82, 0, 1, text('x'), 2, text('y'), 0), // SUBSCRIBE 1
    packet(0x32, text('a'), 0, 2), // PUBLISH QoS 1, identifier 2
    packet(0x34, text('a'), 0, 3), // PUBLISH QoS 2, identifier 3
    pubrel(3),
    packet(0xa2, 0, 4, text('x')), // UNSUBSCRIBE 4
  )
  const frames = []
  while (frames.length < 5) frames.push(await client.next())
  expect(hex(frames)).toEqual(['900400010200', '40020002', '50020003', '70020003', 'b0020004'])
  await client.expectNothing()
})

test('MQTT 3.1: SUBSCRIBE, UNSUBSCRIBE and PUBREL may come again with DUP', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 3, clientId: 'c' })
  client.send(
    packet(0x8a, 0, 1, text('a'), 0), // SUBSCRIBE 1
    packet(0xaa, 0, 2, text('a')), // UNSUBSCRIBE 2
    packet(0x34, text('a'), 0, 3), // PUBLISH QoS 2, identifier 3
    packet(0x6a, 0, 3), // PUBREL 3
    packet(0x6a, 0, 3), // and again
  )
  const frames = []
  while (frames.length < 5) frames.push(await client.next())
  expect(hex(frames)).toEqual(['9003000100', 'b0020002', '50020003', '70020003', '70020003'])
})

test('MQTT 3.1: flags and bits that mean nothing are ignored', async () => {
  const server = await startBroker()
  const client = await server.open()
  client.version = 3
  client.send(
    packet(0x18, text('MQIsdp'), 3, 0x3b, 0, 0, text('c')), // CONNECT with DUP, the reserved bit, QoS and retain of no will
    packet(0x82, 0, 1, text('a'), 0xfd), // SUBSCRIBE 1, QoS 1 beside six unused bits
    bytes(0xc2, 0), // PINGREQ with QoS 1
  )
  expect(hex([await client.next(), await client.next(), await client.next()])).toEqual([
    '20020000',
    '9003000101',
    'd000',
  ])
  await server.broker.publish({ topic: 'a', qos: 1 })
  const { id } = await client.nextPublish()
  client.send(packet(0x4a, 0, id)) // PUBACK with DUP and QoS 1
  await server.broker.publish({ topic: 'a', qos: 1 })
  expect((await client.nextPublish()).dup).toBe(false)
  client.send(bytes(0xe1, 0)) // DISCONNECT with RETAIN
  expect(await client.closed()).toEqual([])
})

test('MQTT 3.1: user name and password may be missing although their flags are set', async () => {
  const asked: unknown[] = []
  const server = await startBroker({
    authenticate: (_client, username, password) => {
      asked.push([username, password?.toString()])
      return true
    },
  })
  const start = [text('MQIsdp'), 3] as const
  for (const [flags, rest] of [
    [0x82, []],
    [0xc2, []],
    [0xc2, text('ann')],
    [0xc2, [...text('ann'), ...text('')]],
  ] as const) {
    const client = await server.open()
    client.send(packet(0x10, ...start, flags, 0, 0, text('c'), rest))
    expect(hex([await client.next()])).toEqual(['20020000'])
  }
  expect(asked).toEqual([
    [undefined, undefined],
    [undefined, undefined],
    ['ann', undefined],
    ['ann', ''],
  ])
})

test('MQTT 3.1: a PUBLISH of QoS 0 with DUP is delivered, to nobody with DUP', async () => {
  const server = await startBroker()
  const versions: readonly Version[] = [3, 4, 5]
  const subscribers = await Promise.all(
    versions.map(async version => {
      const client = await server.connect({ version, clientId: `s${version}` })
      await client.subscribe('a')
      return client
    }),
  )
  const publisher = await server.connect({ version: 3, clientId: 'p' })
  const plain = packet(0x30, text('a'), 0x31)
  const repeated = packet(0x38, text('a'), 0x32)
  publisher.send(plain, repeated, plain, repeated, repeated)
  for (const client of subscribers) {
    const received = await client.nextPublishes(5)
    expect(received.map(({ payload, dup }) => `${payload} ${dup}`)).toEqual(
      [1, 2, 1, 2, 2].map(payload => `${payload} false`),
    )
  }
})

test('MQTT 3.1: SUBACK has no code for a denied filter, so it is answered as if it were granted', async () => {
  const server = await startBroker({
    authorizeSubscribe: (_client, subscription) => (subscription.topic === 'secret' ? null : subscription),
  })
  for (const [version, codes] of [
    [3, [1, 2]],
    [4, [1, 0x80]],
    [5, [1, 0x87]],
  ] as const) {
    const client = await server.connect({ version, clientId: 'c' })
    expect((await client.subscribe(['open', 1], ['secret', 2])).reasonCodes).toEqual(codes)
    await server.broker.publish({ topic: 'secret' })
    await client.expectNothing()
  }
})

test('MQTT 3.1: retained messages, and wills after a loss and after silence', async () => {
  const server = await startBrokerWithClock()
  const watcher = await server.connect({ version: 3, clientId: 'watcher' })
  await watcher.subscribe(['will/#', 1])
  const will = { payload: 'gone', qos: 1, retain: true }
  await server.drop(await server.connect({ version: 3, clientId: 'c', will: { ...will, topic: 'will/loss' } }))
  expect(await watcher.nextPublish()).toMatchObject({ topic: 'will/loss', payload: 'gone', qos: 1, retain: false })
  const silent = await server.connect({
    version: 3,
    clientId: 'c',
    keepAlive: 2,
    will: { ...will, topic: 'will/silence' },
  })
  await server.pass(2999)
  await watcher.expectNothing()
  await server.pass(1 + 750)
  expect(await silent.closed()).toEqual([])
  expect((await watcher.nextPublish()).topic).toBe('will/silence')
  const polite = await server.connect({ version: 3, clientId: 'c', will: { ...will, topic: 'will/none' } })
  polite.send(disconnect())
  expect(await polite.closed()).toEqual([])
  await watcher.expectNothing()
  const later = await server.connect({ version: 3, clientId: 'later' })
  await later.subscribe(['will/+', 1])
  expect((await later.nextPublishes(2)).map(({ topic, retain }) => `${topic} ${retain}`).toSorted()).toEqual([
    'will/loss true',
    'will/silence true',
  ])
})
