import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Broker } from '../../src/index.ts'
import type { BrokerOptions, Client } from '../../src/index.ts'
import { MemoryPersistence } from '../support/memory-persistence.ts'
import { RawClient } from '../support/raw-client.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { bytes, connect, pingreq, publish } from '../support/wire.ts'

// Options that programs written for Aedes give, one test for each.

/** What `connectionError` and `clientError` tell, as it comes. */
function errorsOf(broker: Broker): { name: string; client: Client; error: Error & { code?: string } }[] {
  const seen: { name: string; client: Client; error: Error }[] = []
  for (const name of ['connectionError', 'clientError'] as const) {
    broker.on(name, (client, error) => seen.push({ name, client, error }))
  }
  return seen
}

test('mq: another name of emitter; both at once are refused, and so is what is none', () => {
  const emitter = {
    open: () => undefined,
    close: () => undefined,
    addRoute: () => undefined,
    removeRoute: () => undefined,
    takesTurn: () => true,
    reaches: () => true,
    publish: () => undefined,
    announce: () => undefined,
  }
  const make = (options: Partial<BrokerOptions>): Broker =>
    new Broker({ persistence: new MemoryPersistence(), ...options })
  const broker = make({ mq: emitter })
  onTestFinished(() => broker.close())
  expect(() => make({ mq: emitter, emitter: { ...emitter } })).toThrow('only one of them may be given')
  expect(() => make({ mq: {} as never })).toThrow('option mq has no method addRoute')
  expect(() => make({ emitter: {} as never })).toThrow('option emitter has no method addRoute')
})

test('concurrency: so many messages are with in-process subscribers at once', async () => {
  const { broker } = await startBroker({ concurrency: 2 })
  const open: (() => void)[] = []
  await broker.subscribe('a', (_packet, done) => void open.push(done))
  const published = [1, 2, 3].map(() => broker.publish({ topic: 'a' }))
  await new Promise(setImmediate)
  expect(open).toHaveLength(2)
  expect(broker.mq).toMatchObject({ concurrency: 2, current: 2, length: 1 })
  while (open.length > 0) open.shift()?.()
  await new Promise(setImmediate)
  while (open.length > 0) open.shift()?.()
  await Promise.all(published)
  expect(broker.mq).toMatchObject({ current: 0, length: 0 })
})

test('queueLimit: 42 packets may stand behind a CONNECT that is being answered, one more ends the connection', async () => {
  for (const [packets, refused] of [
    [42, false],
    [43, true],
  ] as const) {
    let letIn: (() => void) | undefined
    const { broker, open } = await startBroker({
      authenticate: (_client, _username, _password, done) => {
        letIn = () => done(null, true)
      },
    })
    const errors = errorsOf(broker)
    const client = await open()
    client.send(bytes(connect({ version: 4, clientId: 'c' }), ...Array.from({ length: packets }, () => pingreq)))
    while (letIn === undefined) await new Promise(setImmediate)
    if (refused) {
      await client.closed()
      expect(errors.map(({ error }) => error)).toMatchObject([
        { message: 'Client queue limit reached', code: 'QUEUE_LIMIT' },
      ])
    } else {
      letIn()
      await client.next('connack')
      for (let count = 0; count < packets; count++) await client.next('pingresp')
      expect(errors).toEqual([])
    }
  }
})

test('heartbeatInterval: between two heartbeats', async () => {
  const { broker, pass } = await startBrokerWithClock({ heartbeatInterval: 5000, id: 'b' })
  const heard: string[] = []
  await broker.subscribe('$SYS/+/heartbeat', packet => void heard.push(`${packet.topic} ${packet.payload.toString()}`))
  await pass(4500)
  expect(heard).toEqual([])
  await pass(6500)
  expect(heard).toEqual(['$SYS/b/heartbeat b', '$SYS/b/heartbeat b'])
})

test('connectTimeout: no CONNECT in time', async () => {
  const { broker, open, pass } = await startBrokerWithClock({ connectTimeout: 1000 })
  const errors = errorsOf(broker)
  const client = await open()
  await pass(2000)
  await client.closed()
  expect(errors).toMatchObject([{ name: 'connectionError', error: { message: 'connect did not arrive in time' } }])
})

test('keepaliveLimit: a longer Keep Alive, or none, is refused', async () => {
  const { broker, open } = await startBroker({ keepaliveLimit: 10 })
  const errors = errorsOf(broker)
  for (const keepAlive of [0, 11]) {
    const client = await open()
    expect((await client.connect({ version: 4, keepAlive })).reasonCode).not.toBe(0)
  }
  expect(errors.map(({ error }) => error.message)).toEqual(['keep alive limit exceeded', 'keep alive limit exceeded'])
  const client = await open()
  expect((await client.connect({ version: 4, keepAlive: 10 })).reasonCode).toBe(0)
})

test('id: names the broker; a random one by default', async () => {
  const [first, second, named] = await Promise.all([startBroker(), startBroker(), startBroker({ id: 'mine' })])
  expect(first.broker.id).not.toBe(second.broker.id)
  expect(named.broker.id).toBe('mine')
})

test('maxClientsIdLength: 23 bytes in MQTT 3.1, and only there', async () => {
  const { open } = await startBroker()
  const long = 'x'.repeat(24)
  const codes = []
  for (const [version, clientId] of [
    [3, long],
    [3, long.slice(1)],
    [4, long],
  ] as const) {
    codes.push((await (await open()).connect({ version, clientId })).reasonCode)
  }
  expect(codes).toEqual([2, 0, 0])
})

test('maxTopicLevels: deeper topics of clients and of the program', async () => {
  const { broker, connect: connectClient } = await startBroker({ maxTopicLevels: 2 })
  const errors = errorsOf(broker)
  await expect(broker.publish({ topic: 'a/b/c' })).rejects.toThrow('topic has too many levels')
  const client = await connectClient({ version: 4, clientId: 'c' })
  client.publish({ topic: 'a/b/c', qos: 1 })
  expect(await client.closed()).toEqual([])
  expect(errors).toMatchObject([{ name: 'clientError', error: { message: 'topic has too many levels' } }])
})

test('maxInflightInbound: QoS 2 messages that await PUBREL; a repeated one counts once; 0 is off', async () => {
  const { broker, connect: connectClient } = await startBroker({ maxInflightInbound: 2 })
  const errors = errorsOf(broker)
  const client = await connectClient({ version: 4, clientId: 'c' })
  const message = (id: number, dup = false): Uint8Array => publish({ version: 4, topic: 'a', qos: 2, id, dup })
  client.send(bytes(message(1), message(1, true), message(2), message(3)))
  await client.closed()
  expect(errors.map(({ error }) => error.message)).toEqual([
    'maxInflightInbound exceeded: 2 inbound QoS 2 messages already awaiting PUBREL',
  ])
  const off = await startBroker({ maxInflightInbound: 0 })
  const sender = await off.connect({ version: 5, clientId: 's' })
  for (let id = 1; id <= 1500; id++) sender.publish({ topic: 'a', qos: 2, id })
  for (let id = 1; id <= 1500; id++) await sender.nextAck('pubrec', id)
})

test('drainTimeout: default 60 s, 0 is off', async () => {
  const { broker } = await startBroker()
  expect(broker.drainTimeout).toBe(60_000)
  const off = await startBroker({ drainTimeout: 0 })
  expect(off.broker.drainTimeout).toBe(0)
})

test('decodeProtocol, trustProxy, trustedProxies: asked before CONNECT; its data takes the place of the bytes', async () => {
  const header = Buffer.from('FROM 192.0.2.7\n')
  const asked: { id: string | null; text: string; trusted: readonly string[] }[] = []
  const server = await startBroker({
    trustProxy: true,
    trustedProxies: ['127.0.0.1'],
    decodeProtocol(client, chunk) {
      asked.push({ id: client.id, text: chunk.subarray(0, 4).toString(), trusted: this.trustedProxies })
      const end = chunk.indexOf('\n') + 1
      return { ipAddress: chunk.subarray(5, end - 1).toString(), data: chunk.subarray(end) }
    },
  })
  const arrived = new Promise<Client>(resolve => {
    server.broker.once('client', resolve)
  })
  const client = await server.open()
  client.send(bytes(header, connect({ version: 4, clientId: 'c' }), publish({ version: 4, topic: 'FROM x\n' })))
  await client.next('connack')
  expect((await arrived).connDetails?.ipAddress).toBe('192.0.2.7')
  client.publish({ topic: 'FROM y\n' })
  await client.ping()
  expect(asked).toEqual([{ id: null, text: 'FROM', trusted: ['127.0.0.1'] }])
})

test('decodeProtocol: not asked without trustProxy; what it throws ends that connection', async () => {
  const decodeProtocol = (): never => {
    throw new Error('not a proxy I know')
  }
  const plain = await startBroker({ decodeProtocol })
  await plain.connect({ clientId: 'c' })
  const server = await startBroker({ decodeProtocol, trustProxy: true })
  const errors = errorsOf(server.broker)
  const client = await server.open()
  client.send(connect({ clientId: 'c' }))
  expect(await client.closed()).toEqual([])
  expect(errors).toMatchObject([{ name: 'connectionError', error: { message: 'not a proxy I know' } }])
})

test('hooks as options, or set on the broker at any time; this is the broker', async () => {
  const seen: unknown[] = []
  const server = await startBroker({
    authenticate(_client, _username, _password, done) {
      seen.push(this)
      done(null, true)
    },
  })
  const client = await server.connect({ clientId: 'c' })
  expect(seen).toEqual([server.broker])
  server.broker.authorizePublish = function authorizePublish() {
    seen.push(this)
  }
  await client.publishDone({ topic: 'a', qos: 1 })
  expect(seen).toEqual([server.broker, server.broker])
  server.broker.authorizePublish = null
  await client.publishDone({ topic: 'a', qos: 1 })
  expect(seen).toHaveLength(2)
})

test('the limits are properties of the broker, and opts is what it was given', () => {
  const options = {
    persistence: new MemoryPersistence(),
    concurrency: 7,
    queueLimit: 1,
    connectTimeout: 2,
    keepaliveLimit: 3,
    maxClientsIdLength: 4,
    maxTopicLevels: 5,
    maxInflightInbound: 6,
    heartbeatInterval: 1000,
  }
  const broker = new Broker(options)
  onTestFinished(() => broker.close())
  const { persistence, ...limits } = options
  expect(broker).toMatchObject(limits)
  expect(broker.opts).toBe(options)
  expect(broker.persistence).toBe(persistence)
})

test('a broker is usable at once: what connects before it is open is served', async () => {
  const broker = new Broker({ persistence: new MemoryPersistence() })
  const server = createServer(broker.handle)
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(async () => {
    await broker.close()
    server.close()
  })
  const client = await RawClient.connect((server.address() as AddressInfo).port, { clientId: 'c' })
  await client.ping()
})
