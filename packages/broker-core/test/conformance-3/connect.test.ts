import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { bytes, connect, pingreq, publish, subscribe } from '../support/wire.ts'
import { acceptedCases, brokenCases, refusedCases } from './connect.cases.ts'
import { connectClient, connectLasting, connectWatcher, hex, testFirst } from './wire-case.ts'

testFirst(acceptedCases)
testFirst(refusedCases)
testFirst(brokenCases)

test(
  'a second CONNECT closes the connection, and neither it nor what follows is answered',
  { tags: ['MQTT3-3.1.0-2'] },
  async () => {
    const server = await startBroker()
    const bystander = await connectClient(server, 'bystander')
    for (const clientId of ['c', 'other', 'bystander']) {
      const client = await connectClient(server, 'c')
      client.send(connect({ version: 4, clientId }), pingreq)
      expect(await client.closed()).toEqual([])
      expect(server.broker.connectedClients).toBe(1)
    }
    await bystander.ping()
  },
)

test(
  'a CONNECT that comes byte by byte, and one that comes together with other packets, are accepted',
  { tags: ['MQTT3-7.1.1-1'] },
  async () => {
    const server = await startBroker()
    const dripping = await server.open()
    for (const byte of connect({ version: 4, clientId: 'drip' })) {
      dripping.send(bytes(byte))
      await new Promise(setImmediate)
    }
    expect(hex([await dripping.next()])).toEqual(['20020000'])
    const pouring = await server.open()
    pouring.send(connect({ version: 4, clientId: 'pour' }), subscribe({ version: 4, filters: [['a', 0]] }), pingreq)
    expect(hex([await pouring.next(), await pouring.next(), await pouring.next()])).toEqual([
      '20020000',
      '9003000100',
      'd000',
    ])
  },
)

test('clients with an empty ClientId are different clients', { tags: ['MQTT3-3.1.3-6'] }, async () => {
  const server = await startBroker()
  const one = await connectClient(server, '')
  const two = await connectClient(server, '')
  await one.subscribe('one')
  await two.subscribe('two')
  for (const topic of ['one', 'two']) await server.broker.publish({ topic })
  expect((await one.nextPublish()).topic).toBe('one')
  expect((await two.nextPublish()).topic).toBe('two')
  await one.expectNothing()
  await two.expectNothing()
})

test('a client with a ClientId that is connected already takes its place', { tags: ['MQTT3-3.1.4-2'] }, async () => {
  const server = await startBroker()
  for (const clientId of ['x', 'a longer one that has more than 23 bytes']) {
    const older = await connectClient(server, clientId)
    const newer = await server.open()
    newer.send(connect({ version: 4, clientId }))
    expect(hex([await newer.next()])).toEqual(['20020000'])
    expect(await older.closed()).toEqual([])
    await newer.ping()
  }
})

test(
  'login and will come from their fields, in the order ClientId, Will Topic, Will Message, User Name, Password',
  { tags: ['MQTT3-3.1.3-1'] },
  async () => {
    const logins: unknown[] = []
    const server = await startBroker({
      authenticate: (client, username, password) => {
        logins.push([client.id, username, password?.toString()])
        return true
      },
    })
    const watcher = await connectWatcher(server)
    const client = await connectClient(server, 'first', {
      will: { topic: 'second', payload: 'third' },
      username: 'fourth',
      password: 'fifth',
    })
    await server.drop(client)
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'second', payload: 'third' })
    expect(logins.slice(1)).toEqual([['first', 'fourth', 'fifth']])
  },
)

test(
  'a wrong password gets a return code with Session Present 0, although a session is stored, and then the connection is closed',
  { tags: ['MQTT3-3.2.2-4', 'MQTT3-3.2.2-5'] },
  async () => {
    const server = await startBroker({
      authenticate: (_client, _username, password) => password?.toString() === 'right',
    })
    const login = { version: 4, clientId: 's', cleanStart: false, username: 'u' } as const
    await server.drop(await server.connect({ ...login, password: 'right' }))
    const refused = await server.open()
    refused.send(connect({ ...login, password: 'wrong' }))
    expect(hex(await refused.closed())).toEqual(['20020005'])
    expect((await server.connect({ ...login, password: 'right' })).connack.flags).toBe(1)
  },
)

test(
  'a client identifier that the program refuses gets return code 2, and the connection is closed',
  { tags: ['MQTT3-3.1.3-9', 'MQTT3-3.2.2-5'] },
  async () => {
    const server = await startBroker({
      authenticate: () => {
        throw Object.assign(new Error('no such device'), { returnCode: 2 })
      },
    })
    const client = await server.open()
    client.send(connect({ version: 4, clientId: 'unknown' }))
    expect(hex(await client.closed())).toEqual(['20020002'])
  },
)

test('no refusal has a return code above 5', { tags: ['MQTT3-3.2.2-6'] }, async () => {
  const wishes: readonly object[] = [
    ...[1, 2, 3, 4, 5, 6, 0x80, 255, -1].map(returnCode => ({ returnCode })),
    ...[0x80, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x97, 0x9f].map(reasonCode => ({ reasonCode })),
    {},
  ]
  const server = await startBroker({
    keepaliveLimit: 60,
    authenticate: client => {
      throw Object.assign(new Error('refused'), wishes[Number(client.id)])
    },
  })
  const attempts = wishes.map((_, index) => ({ clientId: `${index}`, keepAlive: 10 }))
  for (const fields of [...attempts, { clientId: '0', keepAlive: 61 }]) {
    const client = await server.open()
    client.send(connect({ version: 4, ...fields }))
    const frames = await client.closed()
    expect(frames.length).toBeLessThanOrEqual(1)
    for (const { type, body } of frames) {
      expect(type).toBe('connack')
      expect(body[0]).toBe(0)
      expect([1, 2, 3, 4, 5]).toContain(body[1])
    }
  }
})

test('what comes behind a refused CONNECT in the same write has no effect', { tags: ['MQTT3-3.1.4-5'] }, async () => {
  const server = await startBroker({ authenticate: client => client.id === 'watcher' })
  const watcher = await connectWatcher(server)
  const intruder = await server.open()
  intruder.send(
    connect({ version: 4, clientId: 'intruder', will: { topic: 'will' } }),
    subscribe({ version: 4, filters: [['#', 0]] }),
    publish({ version: 4, topic: 'a', qos: 1, retain: true, payload: 'no' }),
  )
  expect(hex(await intruder.closed())).toEqual(['20020005'])
  await watcher.expectNothing()
  await watcher.subscribe('a')
  await watcher.expectNothing()
})

test(
  'CONNACK is the first packet, before anything that waited for the session',
  { tags: ['MQTT3-3.2.0-1'] },
  async () => {
    const server = await startBroker()
    const before = await connectLasting(server, 's')
    await before.subscribe(['a', 2])
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'begun' })
    await before.nextPublish()
    await server.drop(before)
    await server.broker.publish({ topic: 'a', qos: 2, payload: 'queued' })
    const after = await server.open()
    after.version = 4
    after.send(connect({ version: 4, clientId: 's', cleanStart: false }))
    expect(hex([await after.next()])).toEqual(['20020100'])
    expect((await after.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['begun', 'queued'])
  },
)
