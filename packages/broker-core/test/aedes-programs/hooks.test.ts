import { expect, test } from 'vitest'
import type { Client } from '../../src/index.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { connect, subscribe } from '../support/wire.ts'

// Hooks as programs written for Aedes write them, one test for each row.

async function connackCode(server: TestBroker, version: 4 | 5 = 4, clientId = 'c'): Promise<number | 'closed'> {
  const client = await server.open()
  client.version = version
  client.send(connect({ version, clientId, username: 'u', password: 'p' }))
  const frame = await client.next().catch(() => undefined)
  return frame?.body[1] ?? 'closed'
}

test('preConnect: (client, packet, done), (client, done), (client, packet) that answers, and async', async () => {
  const seen: unknown[] = []
  type Any = (...values: never[]) => unknown
  const forms: readonly Any[] = [
    (_client: Client, packet: { clientId: string }, done: (error: null, ok: boolean) => void) => {
      seen.push(packet.clientId)
      done(null, true)
    },
    (client: Client, done: (error: null, ok: boolean) => void) => {
      seen.push(client.id)
      done(null, true)
    },
    (_client: Client, packet: { clientId: string }) => {
      seen.push(packet.clientId)
      return true
    },
    async (_client: Client, packet: { clientId: string }) => {
      seen.push(packet.clientId)
      return true
    },
  ]
  for (const preConnect of forms)
    expect(await connackCode(await startBroker({ preConnect: preConnect as never }))).toBe(0)
  expect(seen).toEqual(['c', null, 'c', 'c'])
})

test('preConnect: the packet may be edited', async () => {
  for (const preConnect of [
    (_client: Client, packet: { clientId: string }): boolean => {
      packet.clientId = 'edited'
      return true
    },
    (_client: Client, packet: { clientId: string }, done: (error: null, ok: boolean) => void): void => {
      packet.clientId = 'edited'
      done(null, true)
    },
  ]) {
    const server = await startBroker({ preConnect: preConnect })
    expect(await connackCode(server)).toBe(0)
    expect(Object.keys(server.broker.clients)).toEqual(['edited'])
  }
})

test('preConnect: only true goes on; false closes without CONNACK and without event, an error with connectionError', async () => {
  for (const [answer, events] of [
    [[null, false], []],
    [[null, undefined], []],
    [[new Error('no'), true], ['no']],
  ] as const) {
    const server = await startBroker({
      preConnect(_client, _packet, done) {
        done(answer[0], answer[1])
      },
    })
    const seen: string[] = []
    server.broker.on('connectionError', (_client, error) => seen.push(error.message))
    expect(await connackCode(server)).toBe('closed')
    expect(seen).toEqual(events)
  }
})

test('preConnect: a second CONNECT while it is pending is Invalid protocol', async () => {
  let letOn: (() => void) | undefined
  const server = await startBroker({
    preConnect(_client, _packet, done) {
      letOn = () => done(null, true)
    },
  })
  const errors: unknown[] = []
  server.broker.on('clientError', (_client, error) => errors.push(error))
  const client = await server.open()
  client.send(connect({ version: 4, clientId: 'c' }), connect({ version: 4, clientId: 'c' }))
  while (letOn === undefined) await new Promise(setImmediate)
  letOn()
  await client.closed()
  expect(errors).toMatchObject([{ message: 'Invalid protocol', info: { cmd: 'connect', clientId: 'c' } }])
})

test('authenticate: username, and password as a Buffer', async () => {
  const seen: unknown[] = []
  const server = await startBroker({
    authenticate(_client, username, password, done) {
      seen.push(username, password)
      done(null, true)
    },
  })
  await connackCode(server)
  expect(seen).toEqual(['u', Buffer.from('p')])
})

test('authenticate: returnCode 2 to 5 as given, anything else is 5; false is 5; an error wins over true', async () => {
  for (const [returnCode, sent] of [
    [1, 5],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [6, 5],
    ['4', 5],
    [undefined, 5],
  ] as const) {
    const server = await startBroker({
      authenticate(_client, _username, _password, done) {
        done(Object.assign(new Error('my own words'), { returnCode }), true)
      },
    })
    const errors: unknown[] = []
    server.broker.on('clientError', (_client, error) => errors.push(error))
    expect(await connackCode(server)).toBe(sent)
    expect(errors).toMatchObject([{ message: 'my own words', errorCode: sent }])
  }
  const refusing = await startBroker({ authenticate: () => false })
  expect(await connackCode(refusing)).toBe(5)
})

test('authenticate: an error without words gets those of its code', async () => {
  const texts = ['identifier rejected', 'Server unavailable', 'bad user name or password', 'not authorized']
  for (const [index, text] of texts.entries()) {
    const server = await startBroker({
      authenticate(_client, _username, _password, done) {
        done(Object.assign(new Error(''), { returnCode: index + 2 }))
      },
    })
    const words: string[] = []
    server.broker.on('clientError', (_client, error) => words.push(error.message))
    await connackCode(server)
    expect(words).toEqual([text])
  }
})

test('authenticate: a refused client neither evicts the holder of its id, nor counts, nor has a will', async () => {
  const server = await startBroker({ authenticate: (_client, username) => username !== 'u' })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('w')
  const holder = await server.connect({ version: 4, clientId: 'c' })
  const left: string[] = []
  server.broker.on('clientDisconnect', client => left.push(client.id))
  const thief = await server.open()
  thief.send(connect({ version: 4, clientId: 'c', username: 'u', will: { topic: 'w', payload: 'x' } }))
  expect((await thief.next('connack')).body[1]).toBe(5)
  await thief.closed()
  await holder.ping()
  await watcher.expectNothing()
  expect(left).toEqual([])
  expect(server.broker.connectedClients).toBe(2)
})

test('authorizePublish: may change the packet; an error disconnects 3.1.1 clients', async () => {
  const server = await startBroker({
    authorizePublish(_client, packet, done) {
      if (packet.topic === 'no') return done(new Error('not here'))
      packet.payload = Buffer.from('changed')
      packet.topic = 'b'
      done(null)
    },
  })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('#')
  const client = await server.connect({ version: 4, clientId: 'c' })
  await client.publishDone({ topic: 'a', qos: 1 })
  expect(await watcher.nextPublish()).toMatchObject({ topic: 'b', payload: 'changed' })
  client.publish({ topic: 'no', qos: 1 })
  expect(await client.closed()).toEqual([])
})

test('authorizePublish: is asked about wills, and may refuse or change them', async () => {
  const asked: unknown[] = []
  const server = await startBroker({
    authorizePublish(client, packet) {
      asked.push([client?.id, packet.topic])
      if (packet.payload.toString() === 'no') throw new Error('no')
      packet.payload = Buffer.from('changed')
    },
  })
  const errors: unknown[] = []
  server.broker.on('clientError', (client, error) => errors.push([client.id, error.message]))
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('w')
  for (const payload of ['no', 'yes']) {
    await server.drop(await server.connect({ version: 4, clientId: payload, will: { topic: 'w', payload } }))
  }
  expect((await watcher.nextPublish()).payload).toBe('changed')
  await watcher.expectNothing()
  expect(asked).toEqual([
    ['no', 'w'],
    ['yes', 'w'],
  ])
  expect(errors).toContainEqual(['no', 'no'])
})

test('authorizeSubscribe: may change a subscription, or negate one and keep the others, offline too', async () => {
  const server = await startBroker({
    authorizeSubscribe(_client, subscription, done) {
      if (subscription.topic === 'no') return done(null, null)
      if (subscription.topic === 'less') subscription.qos = 0
      done(null, subscription)
    },
  })
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect((await client.subscribe(['no', 1], ['less', 2], ['yes', 1])).reasonCodes).toEqual([128, 0, 1])
  await server.drop(client)
  for (const topic of ['no', 'yes']) await server.broker.publish({ topic, payload: topic, qos: 1 })
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect((await again.nextPublish()).topic).toBe('yes')
  await again.expectNothing()
})

test('authorizeSubscribe: an error ends the connection', async () => {
  const server = await startBroker({
    authorizeSubscribe(_client, _subscription, done) {
      done(new Error('no'))
    },
  })
  const client = await server.connect({ version: 4, clientId: 'c' })
  client.send(subscribe({ version: 4, filters: [['a', 0]] }))
  expect(await client.closed()).toEqual([])
})

test('authorizeForward: may change or drop what one client gets', async () => {
  const server = await startBroker({
    authorizeForward(client, packet) {
      if (client.id === 'none') return null
      if (client.id === 'other') packet.payload = Buffer.from('changed')
      return packet
    },
  })
  const clients = await Promise.all(['none', 'other', 'same'].map(clientId => server.connect({ clientId })))
  for (const client of clients) await client.subscribe(['a', 1])
  await server.broker.publish({ topic: 'a', payload: 'x', qos: 1 })
  const [none, other, same] = clients
  expect((await other?.nextPublish())?.payload).toBe('changed')
  expect((await same?.nextPublish())?.payload).toBe('x')
  await none?.expectNothing()
})

test('published: (packet, client, done) after delivery; the acknowledgement waits for it', async () => {
  let finish: (() => void) | undefined
  const server = await startBroker({
    published(packet, client, done) {
      if (client === null) return done()
      expect(packet.topic).toBe('a')
      finish = () => done()
    },
  })
  const client = await server.connect({ version: 4, clientId: 'c' })
  const id = client.publish({ topic: 'a', qos: 1 })
  while (finish === undefined) await new Promise(setImmediate)
  await client.expectNothing()
  finish()
  await client.nextAck('puback', id)
})

test('topics and filters that are none: Aedes wrote these texts, and programs compare them', async () => {
  const topics = [
    ['a#', '# is not allowed in PUBLISH'],
    ['a/+', '+ is not allowed in PUBLISH'],
    ['', 'empty topic not allowed in PUBLISH'],
  ] as const
  const filters = [
    ['', 'impossible to SUBSCRIBE to an empty topic'],
    ['a/#/b', '# is only allowed in SUBSCRIBE in the last position'],
    ['a#', '# is only allowed in SUBSCRIBE in the last position'],
    ['a+', '+ is only allowed in SUBSCRIBE between /'],
    ['+a', '+ is only allowed in SUBSCRIBE between /'],
  ] as const
  const server = await startBroker()
  const errors: string[] = []
  server.broker.on('clientError', (_client, error) => errors.push(error.message))
  for (const [topic] of topics) {
    const client = await server.connect({ version: 4, clientId: 'c' })
    client.publish({ topic, qos: 1 })
    expect(await client.closed()).toEqual([])
  }
  for (const [filter] of filters) {
    const client = await server.connect({ version: 4, clientId: 'c' })
    client.send(subscribe({ version: 4, filters: [[filter, 0]] }))
    expect(await client.closed()).toEqual([])
  }
  expect(errors).toEqual([...topics, ...filters].map(([, text]) => text))
})
