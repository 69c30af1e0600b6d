import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import type { BrokerPacket, Client } from '../../src/index.ts'
import { startBroker } from '../support/start-broker.ts'
import { disconnect } from '../support/wire.ts'

// Properties and methods of a broker that programs written for Aedes use, one test for each.

test('id, closed, connectedClients, version, counter', async () => {
  const server = await startBroker({ id: 'b' })
  const { broker } = server
  expect(broker).toMatchObject({ id: 'b', closed: false, connectedClients: 0 })
  expect(broker.version).toMatch(/^\d+\.\d+\.\d+/)
  const client = await server.connect({ clientId: 'c' })
  expect(broker.connectedClients).toBe(1)
  const before = broker.counter
  await broker.publish({ topic: 'a' })
  expect(broker.counter).toBe(before + 1)
  await server.drop(client)
  expect(broker.connectedClients).toBe(0)
  await broker.close()
  expect(broker.closed).toBe(true)
})

test('clients: by id, without prototype, whatever the id; only those that are connected', async () => {
  const server = await startBroker()
  const { clients } = server.broker
  expect(Object.getPrototypeOf(clients)).toBeNull()
  expect(clients['constructor']).toBeUndefined()
  for (const clientId of ['c', '__proto__', 'constructor']) await server.connect({ clientId })
  expect(Object.keys(clients)).toEqual(['c', '__proto__', 'constructor'])
  expect(clients['__proto__']?.id).toBe('__proto__')
  expect('c' in clients).toBe(true)
  const left = server.gone('c')
  clients['c']?.close()
  await left
  expect('c' in clients).toBe(false)
  expect(Object.entries(clients).map(([id]) => id)).toEqual(['__proto__', 'constructor'])
  expect(() => Object.assign(clients, { x: undefined })).toThrow(TypeError)
})

test('brokers: an object without prototype, empty while the broker is alone', async () => {
  const { broker } = await startBroker()
  expect(Object.getPrototypeOf(broker.brokers)).toBeNull()
  expect(Object.keys(broker.brokers)).toEqual([])
})

test('mq: on, removeListener, removeAllListeners, emit, close', async () => {
  const { broker } = await startBroker()
  const { mq } = broker
  const seen: string[] = []
  const note = (name: string) => (packet: BrokerPacket, done: () => void) => {
    seen.push(`${name} ${packet.topic} ${packet.payload.toString()}`)
    done()
  }
  const first = note('first')
  const second = note('second')
  const settled = (act: (done: (error?: Error | null) => void) => unknown): Promise<unknown> => new Promise(act)
  await settled(done => mq.on('a/+', first, done))
  await settled(done => mq.on('a/+', second, done))
  await settled(done => mq.emit({ topic: 'a/x', payload: '1' }, done))
  await settled(done => mq.removeListener('a/+', first, done))
  await settled(done => mq.emit({ topic: 'a/x', payload: '2' }, done))
  await settled(done => mq.removeAllListeners('a/+', done))
  await settled(done => mq.emit({ topic: 'a/x', payload: '3' }, done))
  expect(seen.toSorted()).toEqual(['first a/x 1', 'second a/x 1', 'second a/x 2'])
  await settled(done => mq.close(done))
  expect(mq.closed).toBe(false)
  await broker.close()
  expect(mq.closed).toBe(true)
  expect(await settled(done => mq.emit({ topic: 'a' }, done))).toMatchObject({ message: 'mqemitter is closed' })
})

test('handle: bound, for any Duplex; sets its client', async () => {
  const { broker } = await startBroker()
  const { handle } = broker
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const client = handle(stream, { headers: { cookie: 'x' } })
  expect((stream as Duplex & { client?: Client }).client).toBe(client)
  expect(client.req).toEqual({ headers: { cookie: 'x' } })
  stream.destroy()
})

test('handle: connDetails of the request are those of the client', async () => {
  const { broker } = await startBroker()
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const client = broker.handle(stream, { connDetails: { ipAddress: '192.0.2.1' } })
  expect(client.connDetails).toEqual({ ipAddress: '192.0.2.1' })
  stream.destroy()
})

test('publish: in the name of a client, whose own message it is then', async () => {
  const server = await startBroker()
  const { broker } = server
  const client = await server.connect({ clientId: 'c' })
  const events: unknown[] = []
  broker.on('publish', (packet, from) => events.push([packet.topic, packet.clientId, from?.id]))
  await client.subscribe(['a', 0x04])
  events.length = 0
  await new Promise<void>(resolve => {
    broker.publish({ topic: 'a', payload: 'own' }, broker.clients['c'] ?? null, () => resolve())
  })
  await broker.publish({ topic: 'a', payload: 'other' })
  expect(events).toEqual([
    ['a', 'c', 'c'],
    ['a', undefined, undefined],
  ])
  expect((await client.nextPublish()).payload).toBe('other')
})

test('subscribe, unsubscribe: (topic, function) is the identity; several functions for a topic', async () => {
  const { broker } = await startBroker()
  const seen: string[] = []
  const first = (): void => void seen.push('first')
  const second = (): void => void seen.push('second')
  for (const listener of [first, first, second]) await broker.subscribe('a', listener)
  await broker.publish({ topic: 'a' })
  expect(seen).toEqual(['first', 'second'])
  await broker.unsubscribe('a', first)
  await broker.unsubscribe('other', second)
  await broker.publish({ topic: 'a' })
  expect(seen).toEqual(['first', 'second', 'second'])
})

test('subscribe: functions see retain as it was published', async () => {
  const { broker } = await startBroker()
  const seen: boolean[] = []
  await broker.subscribe('a', packet => void seen.push(packet.retain))
  for (const retain of [true, false]) await broker.publish({ topic: 'a', payload: 'x', retain })
  expect(seen).toEqual([true, false])
})

test('close: in a hook, and twice, ends once', async () => {
  const server = await startBroker({
    authenticate() {
      void this.close()
      return true
    },
  })
  let closed = 0
  server.broker.on('closed', () => (closed += 1))
  const client = await server.open()
  client.send(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0x63]))
  await client.closed()
  await Promise.all([
    server.broker.close(),
    new Promise<void>(resolve => {
      server.broker.close(() => resolve())
    }),
  ])
  expect(closed).toBe(1)
})

test('the order of publishing: retained and queued, delivered, published hook, event publish', async () => {
  const order: string[] = []
  const server = await startBroker({ published: packet => void (packet.topic === 'a' && order.push('published')) })
  const { broker, persistence } = server
  const store = persistence.publish.bind(persistence)
  persistence.publish = (message, receipt) => {
    order.push('stored')
    return store(message, receipt)
  }
  await broker.subscribe('a', () => void order.push('delivered'))
  broker.on('publish', packet => void (packet.topic === 'a' && order.push('publish')))
  await broker.publish({ topic: 'a', payload: 'x', qos: 1, retain: true })
  expect(order).toEqual(['stored', 'delivered', 'published', 'publish'])
})

test('packets have the shape of aedes-packet', async () => {
  const server = await startBroker({ id: 'b' })
  const packets: BrokerPacket[] = []
  await server.broker.subscribe('a', packet => void packets.push(packet))
  const client = await server.connect({ version: 4, clientId: 'c' })
  await client.publishDone({ topic: 'a', qos: 1, payload: 'x' })
  client.send(disconnect())
  await server.broker.publish({ topic: 'a', brokerId: 'elsewhere', brokerCounter: 42 })
  expect(packets[0]).toMatchObject({
    cmd: 'publish',
    brokerId: 'b',
    topic: 'a',
    payload: Buffer.from('x'),
    qos: 1,
    retain: false,
    dup: false,
    clientId: 'c',
  })
  expect(packets[0]?.brokerCounter).toBeTypeOf('number')
  expect(packets[0]).toHaveProperty('messageId', undefined)
  expect(packets[1]).toMatchObject({ brokerId: 'elsewhere', brokerCounter: 42, payload: Buffer.alloc(0), qos: 0 })
  expect(packets[1]).not.toHaveProperty('messageId')
})
