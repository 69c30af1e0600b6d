import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Broker, BrokerPacket, Client, PublishRequest } from '../src/index.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { publish } from './support/wire.ts'

/** A client of the broker, and who sits at its other end. */
async function pair(server: TestBroker, clientId = 'c') {
  const peer = await server.connect({ version: 4, clientId })
  const client = server.broker.client(clientId)
  if (client === undefined) throw new Error(`no client ${clientId}`)
  return { client, peer }
}

/** What a program without types passes on. */
function untyped(value: unknown): never {
  return value as never
}

function called(call: (done: (error?: Error | null) => void) => unknown): Promise<Error | null | undefined> {
  return new Promise(resolve => {
    call(resolve)
  })
}

// ── Subscriptions that the program gives a client ─────────────────────────────────────────────────────────────────────

test('client.subscribe without qos grants 0, in each form of the call', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  await client.subscribe({ topic: 'one' })
  await client.subscribe([{ topic: 'list' }])
  await client.subscribe({ subscriptions: [{ topic: 'packet' }] })
  expect(await called(done => client.subscribe({ topic: 'callback' }, done))).toBeFalsy()
  for (const topic of ['one', 'list', 'packet', 'callback']) {
    await server.broker.publish({ topic, qos: 1 })
    expect(await peer.nextPublish()).toMatchObject({ topic, qos: 0 })
  }
})

test('client.unsubscribe takes what subscribe took: with qos, in a list, as subscriptions', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  const topics = ['one', 'list', 'packet', 'callback']
  await peer.subscribe(...topics)
  await client.unsubscribe(untyped({ topic: 'one', qos: 1 }))
  await client.unsubscribe(untyped([{ topic: 'list', qos: 0 }]))
  await client.unsubscribe(untyped({ subscriptions: [{ topic: 'packet', qos: 2 }] }))
  expect(await called(done => client.unsubscribe({ subscriptions: [{ topic: 'callback' }] }, done))).toBeFalsy()
  for (const topic of topics) await server.broker.publish({ topic })
  await peer.expectNothing()
})

// ── broker.subscribe and mq.on ────────────────────────────────────────────────────────────────────────────────────────

const subscribers: Record<string, (broker: Broker, filter: string, see: (packet: BrokerPacket) => void) => void> = {
  'broker.subscribe with a callback': (broker, filter, see) =>
    broker.subscribe(
      filter,
      (packet, done) => {
        see(packet)
        done()
      },
      () => undefined,
    ),
  'broker.subscribe with a promise': (broker, filter, see) => {
    void broker.subscribe(filter, (packet, done) => {
      see(packet)
      done()
    })
  },
  'mq.on': (broker, filter, see) => {
    broker.mq.on(filter, (packet, done) => {
      see(packet)
      done()
    })
  },
}
for (const [name, subscribe] of Object.entries(subscribers)) {
  test(`${name} takes effect in the same turn`, async () => {
    const server = await startBroker()
    const { broker } = server
    const peer = await server.connect({ clientId: 'c' })
    const seen: string[] = []
    // The listener is called while a message is on its way: what it subscribes gets the next one of the same bytes.
    broker.once('publish', () => subscribe(broker, 'second/#', ({ topic }) => seen.push(topic)))
    peer.send(Buffer.concat([publish({ version: 5, topic: 'first' }), publish({ version: 5, topic: 'second/a' })]))
    subscribe(broker, 'last', ({ topic }) => seen.push(topic))
    await broker.publish({ topic: 'last' })
    expect(seen).toContain('last')
    await broker.publish({ topic: 'second/b' })
    await expect.poll(() => seen.filter(topic => topic.startsWith('second/'))).toContain('second/a')
  })
}

// ── authenticate ──────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [returnCode, sent, text] of [
  [1, 5, 'not authorized'],
  [2, 2, 'identifier rejected'],
  [3, 3, 'Server unavailable'],
  [4, 4, 'bad user name or password'],
  [5, 5, 'not authorized'],
  [6, 5, 'not authorized'],
] as const) {
  test(`authenticate: a plain object with returnCode ${returnCode} refuses with ${sent}`, async () => {
    const failure = untyped({ returnCode })
    const hooks = [
      (_client: Client, _name: unknown, _word: unknown, done: (error: Error | null) => void) => done(failure),
      () => Promise.reject(failure),
    ]
    for (const authenticate of hooks) {
      const server = await startBroker({ authenticate: untyped(authenticate) })
      const reported = once(server.broker, 'clientError')
      const raw = await server.open()
      expect((await raw.connect({ version: 4, clientId: 'c' })).reasonCode).toBe(sent)
      expect((await reported)[1]).toMatchObject({ message: text, returnCode, errorCode: sent })
    }
  })
}

test('authenticate: a truthy answer lets in, a falsy one does not', async () => {
  for (const [answer, sent] of [
    [{ name: 'user' }, 0],
    ['user', 0],
    [1, 0],
    [[], 0],
    [null, 5],
    [0, 5],
    ['', 5],
  ] as const) {
    const hooks = [
      (_client: Client, _name: unknown, _word: unknown, done: (error: null, answer: unknown) => void) =>
        done(null, answer),
      () => Promise.resolve(answer),
    ]
    for (const authenticate of hooks) {
      const server = await startBroker({ authenticate: untyped(authenticate) })
      const raw = await server.open()
      expect((await raw.connect({ version: 4, clientId: 'c' })).reasonCode).toBe(sent)
    }
  }
})

// ── Payloads ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const taken: readonly (readonly [string, unknown, Buffer])[] = [
  ['undefined', undefined, Buffer.alloc(0)],
  ['null', null, Buffer.alloc(0)],
  ['an empty text', '', Buffer.alloc(0)],
  ['a text', 'text', Buffer.from('text')],
  ['a Buffer', Buffer.of(1, 2), Buffer.of(1, 2)],
  ['a Uint8Array', new Uint8Array([0, 1, 2, 3]).subarray(1, 3), Buffer.of(1, 2)],
]
const refused: readonly (readonly [string, unknown])[] = [
  ['0', 0],
  ['a number', 7],
  ['NaN', Number.NaN],
  ['true', true],
  ['false', false],
  ['a bigint', 1n],
  ['an object', { a: 1 }],
  ['an object with a length', { length: 3 }],
  ['a list', [1, 2]],
  ['an ArrayBuffer', new ArrayBuffer(3)],
  ['a DataView', new DataView(new ArrayBuffer(3))],
  ['a Uint16Array', new Uint16Array(3)],
  ['a Date', new Date(0)],
  ['a function', () => 'payload'],
  ['a symbol', Symbol('payload')],
]

/** Each way on which a program publishes; they have the request as it is. */
const publishers: Record<string, (server: TestBroker, request: PublishRequest) => Promise<unknown>> = {
  'broker.publish': ({ broker }, request) => broker.publish(request).then(undefined, (error: unknown) => error),
  'broker.publish with a callback': ({ broker }, request) => called(done => broker.publish(request, done)),
  'client.publish': ({ broker }, request) =>
    broker
      .client('c')
      ?.publish(request)
      .then(undefined, (error: unknown) => error) ?? Promise.resolve(),
  'mq.emit': ({ broker }, request) => called(done => broker.mq.emit(request, done)),
}
for (const [name, send] of Object.entries(publishers)) {
  test(`${name}: texts, bytes and nothing are payloads`, async () => {
    const server = await startBroker()
    const { peer } = await pair(server)
    await peer.subscribe(['#', 1])
    for (const [, payload, bytes] of taken) {
      for (const qos of [0, 1] as const) {
        expect(await send(server, { topic: 'a', qos, payload: untyped(payload) })).toBeFalsy()
        expect((await peer.nextPublish()).payloadBytes).toEqual(bytes)
      }
    }
  })

  test(`${name}: whatever else is refused before it is stored or sent`, async () => {
    const server = await startBroker()
    const { peer } = await pair(server)
    await peer.subscribe(['#', 1])
    for (const [, payload] of refused) {
      for (const qos of [0, 1] as const) {
        const error = await send(server, { topic: 'a', qos, retain: true, payload: untyped(payload) })
        expect(error).toMatchObject({ code: 'PACKET_INVALID' })
      }
    }
    await peer.expectNothing()
    expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0, queuedMessages: 0 })
  })
}

test('a payload that authorizePublish puts in is checked likewise: neither stored nor sent', async () => {
  let given: unknown
  const server = await startBroker({
    authorizePublish(_client, packet, done) {
      packet.payload = untyped(given)
      done(null)
    },
  })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('#')
  for (const [name, payload] of refused) {
    given = payload
    const publisher = await server.connect({ version: 4, clientId: `publisher of ${name}` })
    publisher.send(publish({ version: 4, topic: 'a', payload: 'x', retain: true }))
    await publisher.ping()
  }
  await watcher.expectNothing()
  expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
})

test('retain: 1 retains, retain: 0 does not', async () => {
  const server = await startBroker()
  await server.broker.publish({ topic: 'kept', payload: 'x', retain: untyped(1) })
  await server.broker.publish({ topic: 'passed', payload: 'x', retain: untyped(0) })
  const { peer } = await pair(server)
  await peer.subscribe('#')
  expect(await peer.nextPublish()).toMatchObject({ topic: 'kept', retain: true })
  await peer.expectNothing()
})
