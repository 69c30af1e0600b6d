import { keepMessage, PersistenceError } from '@x/contract'
import type { Message, Persistence, QueueEntry, Receipt } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { describe, expect, test, vi } from 'vitest'
import { DelayedPersistence } from './support/delayed-persistence.ts'
import { eachVersion } from './support/each-version.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { property } from './support/property.ts'
import { sessionSuite } from './support/session-suite.ts'
import type { Broker } from '../src/index.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import type { RawClient } from './support/raw-client.ts'
import { connect, pingreq, publish, puback, pubrec, pubrel, subscribe, unsubscribe } from './support/wire.ts'
import type { ConnectFields } from './support/wire.ts'

function delayed(seed: number): DelayedPersistence {
  return new DelayedPersistence(new MemoryPersistence(), seed)
}

for (const seed of [1, 2, 3]) {
  describe(`a store that answers later, seed ${seed}`, () => {
    sessionSuite(() => startBroker({ persistence: delayed(seed) }))
  })
}

async function held(): Promise<{ server: TestBroker; store: DelayedPersistence }> {
  const store = delayed(7)
  return { server: await startBroker({ persistence: store }), store }
}

/** Stores what is `slow` when it is told to, and never what is `lost`. */
class ByPayload extends MemoryPersistence {
  readonly stored: string[] = []
  letGo: () => void = () => undefined

  override publish(message: Message, receipt?: Receipt): number {
    const text = Buffer.from(message.payload).toString()
    if (text === 'lost') return Promise.reject(new Error('down')) as unknown as number
    const going = text === 'slow' ? new Promise<void>(resolve => void (this.letGo = resolve)) : undefined
    const kept = keepMessage(message)
    return Promise.resolve(going).then(() => {
      this.stored.push(text)
      return super.publish(kept, receipt)
    }) as unknown as number
  }
}

/** Until so many answers of a method are kept back. */
async function untilHeld(
  store: DelayedPersistence,
  count: number,
  method: 'publish' | 'release' | 'complete' | 'openSession' = 'publish',
): Promise<void> {
  while (store.held(method) < count) await new Promise(setImmediate)
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('no acknowledgement before the store has answered, then in order', async () => {
    const { server, store } = await held()
    const client = await server.connect({ version, clientId: 'c' })
    store.hold('publish')
    for (let id = 1; id <= 20; id += 1) client.publish({ topic: 'a', qos: id % 2 === 0 ? 1 : 2, id, payload: `${id}` })
    await untilHeld(store, 20)
    await client.expectNothing()
    store.letGo('publish')
    for (let id = 1; id <= 20; id += 1) await client.nextAck(id % 2 === 0 ? 'puback' : 'pubrec', id)
    await client.expectNothing()
  })

  versionTest(
    'a QoS 2 message that is repeated while it is being stored is acknowledged no sooner for that',
    async () => {
      const { server, store } = await held()
      const client = await server.connect({ ...lasting, clientId: 'p' })
      store.hold('publish')
      client.publish({ topic: 'a', qos: 2, id: 7, payload: 'once' })
      client.publish({ topic: 'a', qos: 2, id: 7, payload: 'once', dup: true })
      await untilHeld(store, 1)
      await client.expectNothing()
      store.letGo('publish')
      await client.nextAck('pubrec', 7)
      await client.nextAck('pubrec', 7)
    },
  )

  for (const wasThere of [false, true]) {
    const title = wasThere ? 'a session that was there is there' : 'no session has begun with it'
    versionTest(`a CONNECT whose client leaves before it is answered: ${title}`, async () => {
      const { server, store } = await held()
      if (wasThere) await server.connect({ ...lasting, clientId: 'c' })
      store.hold('openSession')
      const leaving = await server.open()
      leaving.send(connect({ ...lasting, clientId: 'c' }))
      await untilHeld(store, 1, 'openSession')
      leaving.socket.end()
      await leaving.closed()
      store.letGo('openSession')
      const client = await server.open()
      expect(await client.connect({ ...lasting, clientId: 'c' })).toMatchObject({ sessionPresent: wasThere })
    })
  }

  versionTest(
    'what comes behind a message that could not be stored is not stored, though one before it waits',
    async () => {
      const store = new ByPayload()
      const server = await startBroker({ persistence: store })
      const publisher = await server.connect({ ...lasting, clientId: 'p' })
      const bystander = await server.connect({ version, clientId: 'b' })
      for (const [id, payload] of [
        [1, 'slow'],
        [2, 'lost'],
        [3, 'behind'],
      ] as const) {
        publisher.publish({ topic: 'a', qos: 1, id, payload })
        await bystander.ping()
        await bystander.ping()
      }
      store.letGo()
      await publisher.closed()
      expect(store.stored).toEqual(['slow'])
    },
  )

  versionTest('PUBREL and PUBCOMP wait until the store knows; PUBRELs keep their order (MQTT 5.0 §4.6)', async () => {
    const { server, store } = await held()
    const client = await server.connect({ ...lasting, clientId: 'c' })
    await client.subscribe(['a', 2])
    store.hold('release')
    store.hold('complete')
    client.publish({ topic: 'b', qos: 2, id: 1, payload: 'x' })
    await client.nextAck('pubrec', 1)
    const ids: number[] = []
    for (const payload of ['1', '2', '3']) {
      await server.broker.publish({ topic: 'a', qos: 2, payload })
      ids.push((await client.nextPublish()).id)
    }
    client.send(...ids.map(id => pubrec(id)), pubrel(1))
    await untilHeld(store, 3, 'release')
    await untilHeld(store, 1, 'complete')
    await client.expectNothing()
    store.letGo('complete')
    await client.nextAck('pubcomp', 1)
    store.letGo('release')
    for (const id of ids) await client.nextAck('pubrel', id)
  })

  versionTest('a store that cannot note PUBREC or PUBREL: the connection ends unanswered', async () => {
    for (const method of ['release', 'complete'] as const) {
      const { server, store } = await held()
      const client = await server.connect({ ...lasting, clientId: 'c' })
      await client.subscribe(['a', 2])
      client.publish({ topic: 'b', qos: 2, id: 9, payload: 'x' })
      await client.nextAck('pubrec', 9)
      await server.broker.publish({ topic: 'a', qos: 2, payload: 'x' })
      const { id } = await client.nextPublish()
      store.fail(method, new Error('disk full'))
      client.send(method === 'release' ? pubrec(id) : pubrel(9))
      const frames = await client.closed()
      expect(frames.some(({ type }) => type === 'pubrel' || type === 'pubcomp')).toBe(false)
    }
  })

  versionTest('QoS 0 messages do not wait for a store that need not know them', async () => {
    const { server, store } = await held()
    const subscriber = await server.connect({ version, clientId: 's' })
    await subscriber.subscribe('a')
    store.hold('publish')
    await server.broker.publish({ topic: 'a', payload: 'at once' })
    expect((await subscriber.nextPublish()).payload).toBe('at once')
  })

  versionTest(
    'a store that refuses: no acknowledgement, and the connection ends',
    { tags: ['MQTT3-4.8.0-2'] },
    async () => {
      const { server, store } = await held()
      const bystander = await server.connect({ version, clientId: 'b' })
      for (const fields of [{ version }, lasting]) {
        for (const qos of [1, 2] as const) {
          const client = await server.connect({ ...fields, clientId: 'c' })
          store.fail('publish', new Error('disk full'))
          client.publish({ topic: 'a', qos, id: 3, payload: 'x' })
          const frames = await client.closed()
          expect(frames.some(({ type }) => type === 'puback' || type === 'pubrec')).toBe(false)
          store.fail('publish', undefined)
        }
      }
      await bystander.ping()
    },
  )

  versionTest('a QoS 2 message that could not be stored is a new one when it comes again', async () => {
    const { server, store } = await held()
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('a')
    const client = await server.connect({ ...lasting, clientId: 'c' })
    store.fail('publish', new Error('disk full'))
    client.publish({ topic: 'a', qos: 2, id: 3, payload: 'x' })
    await client.closed()
    store.fail('publish', undefined)
    await watcher.expectNothing()
    const again = await server.connect({ ...lasting, clientId: 'c' })
    again.publish({ topic: 'a', qos: 2, id: 3, dup: true, payload: 'x' })
    await again.nextAck('pubrec', 3)
    await watcher.nextPublish()
    await watcher.expectNothing()
  })

  versionTest('a subscription that the store refuses gets no SUBACK, and the connection ends', async () => {
    const { server, store } = await held()
    const client = await server.connect({ ...lasting, clientId: 'c' })
    store.fail('subscribe', new Error('disk full'))
    client.send(subscribe({ version, filters: [['a', 1]] }))
    const frames = await client.closed()
    expect(frames.some(({ type }) => type === 'suback')).toBe(false)
  })

  versionTest('a retained message that the store refuses to queue is not left out: the connection ends', async () => {
    const { server, store } = await held()
    for (const payload of ['1', '2'])
      await server.broker.publish({ topic: `a/${payload}`, payload, qos: 1, retain: true })
    const client = await server.connect({ ...lasting, clientId: 'c' })
    store.fail('enqueue', new Error('disk full'))
    await client.subscribe(['a/+', 1])
    const frames = await client.closed()
    expect(frames.some(({ type }) => type === 'publish')).toBe(false)
  })

  versionTest('a store that cannot open a session refuses the CONNECT', async () => {
    const { server, store } = await held()
    store.fail('openSession', new Error('unreachable'))
    const client = await server.open()
    const connack = await client.connect({ version, clientId: 'c' })
    expect(connack.reasonCode).not.toBe(0)
    await client.closed()
    store.fail('openSession', undefined)
    expect(server.broker.connectedClients).toBe(0)
    await server.connect({ version, clientId: 'c' })
  })

  versionTest('packets sent right behind CONNECT wait for the session', async () => {
    const { server, store } = await held()
    store.hold('openSession')
    const client = await server.open()
    client.send(connect({ version, clientId: 'c' }), publish({ version, topic: 'a', qos: 1, id: 1 }), pingreq)
    while (store.held('openSession') === 0) await new Promise(setImmediate)
    store.letGo('openSession')
    expect((await client.next()).type).toBe('connack')
    const types = [(await client.next()).type, (await client.next()).type]
    expect(types.toSorted()).toEqual(['pingresp', 'puback'])
  })

  versionTest('a client that leaves while its session is opened leaves no trace', async () => {
    const { server, store } = await held()
    store.hold('openSession')
    const client = await server.open()
    client.send(connect({ version, clientId: 'c', will: { topic: 'w' } }))
    while (store.held('openSession') === 0) await new Promise(setImmediate)
    client.socket.destroy()
    store.letGo('openSession')
    const again = await server.connect({ version, clientId: 'c' })
    await again.ping()
    expect(server.broker.connectedClients).toBe(1)
  })

  versionTest('connections that come while the store opens are served when it is open', async () => {
    const store = delayed(3)
    store.hold('open')
    const starting = startBroker({ persistence: store })
    await new Promise(setImmediate)
    store.letGo('open')
    const server = await starting
    await (await server.connect({ version, clientId: 'c' })).ping()
  })

  versionTest('take-overs in a row leave one owner, and nothing is lost', async () => {
    const { server } = await held()
    const first = await server.connect({ ...lasting, clientId: 's' })
    await first.subscribe(['a', 1])
    const clients = await Promise.all(Array.from({ length: 5 }, () => server.open()))
    for (const client of clients) client.send(connect({ ...lasting, clientId: 's' }))
    for (let index = 0; index < 10; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    await first.closed()
    while (server.broker.client('s') === undefined) await new Promise(setImmediate)
    const last = await server.connect({ ...lasting, clientId: 's' })
    expect(last.connack.sessionPresent).toBe(true)
    const deliveries = await last.nextPublishes(10)
    expect(deliveries.map(({ payload }) => payload)).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`))
    last.send(...deliveries.map(({ id }) => puback(id)))
    await last.expectNothing()
    server.errors.length = 0
  })
})

test('shared messages reach the members, each once, over a store that answers later', async () => {
  for (const seed of [4, 5]) {
    const server = await startBroker({ persistence: delayed(seed) })
    const members = await Promise.all(
      ['x', 'y'].map(clientId => server.connect({ clientId, properties: property.receiveMaximum(3) })),
    )
    for (const member of members) await member.subscribe(['$share/g/a', 1])
    for (let index = 0; index < 30; index += 1) void server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    const seen: string[] = []
    await Promise.all(
      members.map(async member => {
        while (seen.length < 30) {
          const frame = await Promise.race([member.nextPublish(), allSeen()])
          if (frame === undefined) return
          seen.push(frame.payload)
          member.send(puback(frame.id))
        }
      }),
    )
    expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, index) => index))

    async function allSeen(): Promise<undefined> {
      while (seen.length < 30) await new Promise(setImmediate)
      return undefined
    }
  }
})

test(
  'QoS 0 messages of one topic keep their order although the way they go changes',
  { tags: ['MQTT5-4.6.0-6'] },
  async () => {
    const { server, store } = await held()
    const subscriber = await server.connect({ clientId: 's' })
    await subscriber.subscribe('a')
    const other = await server.connect({ clientId: 'o' })
    await other.subscribe(['$share/g/a', 0])
    const publisher = await server.connect({ clientId: 'p' })
    store.hold('publish')
    publisher.publish({ topic: 'b', qos: 1, id: 1 })
    await untilHeld(store, 1)
    // The group keeps it from the short way.
    publisher.publish({ topic: 'a', payload: 'one' })
    await publisher.ping()
    await server.drop(other)
    publisher.publish({ topic: 'a', payload: 'two' })
    await publisher.ping()
    store.letGo('publish')
    expect([(await subscriber.nextPublish()).payload, (await subscriber.nextPublish()).payload]).toEqual(['one', 'two'])
  },
)

test(
  'a QoS 0 message that waits on a connection which was taken over does not come after newer ones',
  { tags: ['MQTT5-4.6.0-6'] },
  async () => {
    const { server, store } = await held()
    const subscriber = await server.connect({ clientId: 's' })
    await subscriber.subscribe('a')
    const former = await server.connect({ clientId: 'p' })
    store.hold('publish')
    former.publish({ topic: 'b', qos: 1, id: 1 })
    await untilHeld(store, 1)
    former.publish({ topic: 'a', payload: 'older' })
    await former.ping()
    const publisher = await server.connect({ clientId: 'p' })
    publisher.publish({ topic: 'a', payload: 'newer' })
    expect((await subscriber.nextPublish()).payload).toBe('newer')
    store.letGo('publish')
    publisher.publish({ topic: 'a', payload: 'newest' })
    expect((await subscriber.nextPublish()).payload).toBe('newest')
  },
)

test('a client that another broker has taken over publishes nothing more, and is told so', async () => {
  let refuse: (error: Error) => void = () => undefined
  const store: Persistence = new MemoryPersistence()
  store.publish = () => new Promise<number>((_, reject) => void (refuse = reject))
  const server = await startBroker({ persistence: store })
  const subscriber = await server.connect({ clientId: 's' })
  await subscriber.subscribe('a')
  const publisher = await server.connect({ clientId: 'p', version: 5 })
  publisher.publish({ topic: 'b', qos: 1, id: 1 })
  publisher.publish({ topic: 'a', payload: 'older' })
  await publisher.ping()
  refuse(new PersistenceError('FENCED', { message: 'the session is open elsewhere' }))
  await publisher.closedWith(0x8e)
  await server.broker.publish({ topic: 'a', payload: 'newer' })
  expect((await subscriber.nextPublish()).payload).toBe('newer')
})

test('a shared message that comes while the answer "nothing" is on its way is claimed all the same', async () => {
  const store = delayed(7)
  const server = await startBroker({ persistence: store })
  const member = await server.connect({ clientId: 'm' })
  store.hold('claim')
  // A new member looks whether anything waits; nothing does.
  await member.subscribe(['$share/g/a', 1])
  while (store.held('claim') < 1) await new Promise(setImmediate)
  await server.broker.publish({ topic: 'a', qos: 1, payload: 'one' })
  store.letGo('claim')
  expect((await member.nextPublish()).payload).toBe('one')
})

test('an entry that comes while a page without it is on its way is read all the same', async () => {
  const store = delayed(7)
  const server = await startBroker({ persistence: store })
  const lasting = { clientId: 'c', properties: property.sessionExpiryInterval(1000) }
  const first = await server.connect(lasting)
  await first.subscribe(['a', 1])
  await server.broker.publish({ topic: 'a', qos: 1, payload: 'one' })
  first.send(puback((await first.nextPublish()).id))
  await first.ping()
  await server.drop(first)
  store.hold('read')
  const second = await server.connect({ ...lasting, cleanStart: false })
  while (store.held('read') < 1) await new Promise(setImmediate)
  await server.broker.publish({ topic: 'a', qos: 1, payload: 'two' })
  store.letGo('read')
  expect((await second.nextPublish()).payload).toBe('two')
})

/** What comes with the event `clientError`. */
function clientErrorsOf(broker: Broker): Error[] {
  const errors: Error[] = []
  broker.on('clientError', (_client, error) => errors.push(error))
  return errors
}

for (const method of ['read', 'claim'] as const) {
  test(`a ${method} that failed is made again`, async () => {
    const store = delayed(7)
    const clock = new ManualClock(Date.now())
    const server = await startBroker({ persistence: store, clock })
    const lasting = { clientId: 'c', properties: property.sessionExpiryInterval(1000) }
    const first = await server.connect(lasting)
    await first.subscribe([method === 'read' ? 'a' : '$share/g/a', 1])
    await server.drop(first)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'one' })
    store.fail(method, new Error('out of reach'))
    // A queue is one client's, a group nobody's in particular.
    const errors = method === 'read' ? clientErrorsOf(server.broker) : server.errors
    const second = await server.connect({ ...lasting, cleanStart: false })
    while (errors.length === 0) await new Promise(setImmediate)
    expect(errors).toMatchObject([{ code: method === 'read' ? 'QUEUE_READ_FAILED' : 'CLAIM_FAILED' }])
    store.fail(method, undefined)
    await second.expectNothing()
    clock.advance(1000)
    expect((await second.nextPublish()).payload).toBe('one')
    server.errors.length = 0
  })
}

describe('claims of shared messages that are on their way', () => {
  /** A client of both `a`, by a group, and `b`. */
  async function member(server: TestBroker, fields: ConnectFields): Promise<RawClient> {
    const client = await server.connect({ ...fields, clientId: 'm' })
    await client.subscribe(['$share/g/a', 1], ['b', 1])
    return client
  }
  const kinds = [
    { title: 'a stored session', properties: property.sessionExpiryInterval(60) },
    { title: 'a session that ends with its connection', properties: [] },
  ]

  for (const { title, properties } of kinds) {
    const narrow = { properties: [...properties, ...property.receiveMaximum(1)] }

    test(`count for Receive Maximum, for ${title}`, { tags: ['MQTT5-3.3.4-9'] }, async () => {
      const { server, store } = await held()
      const client = await member(server, narrow)
      store.hold('claim')
      await server.broker.publish({ topic: 'a', qos: 1, payload: 'shared' })
      while (store.held('claim') < 1) await new Promise(setImmediate)
      await server.broker.publish({ topic: 'b', qos: 1, payload: 'plain' })
      store.letGo('claim')
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      const seen: string[] = []
      for (const _ of [1, 2]) {
        const { id, payload } = await client.nextPublish()
        await client.expectNothing()
        seen.push(payload)
        client.send(puback(id))
      }
      expect(seen.toSorted()).toEqual(['plain', 'shared'])
    })

    test.each([1, 2, 3, 4, 5, 6])(`lose nothing that came before them, for ${title}, seed %i`, async seed => {
      const store = delayed(seed)
      const server = await startBroker({ persistence: store })
      const client = await member(server, narrow)
      for (const topic of ['a', 'b', 'b', 'a', 'b']) void server.broker.publish({ topic, qos: 1 })
      for (let count = 0; count < 5; count += 1) {
        const { id } = await client.nextPublish()
        await client.expectNothing()
        client.send(puback(id))
      }
    })

    test(`are acknowledged like others although later messages overtake them, for ${title}`, async () => {
      const { server, store } = await held()
      const client = await member(server, { properties: [...properties, ...property.receiveMaximum(2)] })
      for (let round = 0; round < 3; round += 1) {
        store.hold('claim')
        await server.broker.publish({ topic: 'a', qos: 1 })
        while (store.held('claim') < 1) await new Promise(setImmediate)
        await server.broker.publish({ topic: 'b', qos: 1 })
        const first = await client.nextPublish()
        store.letGo('claim')
        client.send(puback(first.id), puback((await client.nextPublish()).id))
        await client.ping()
      }
    })
  }

  test('by a member that leaves meanwhile leave the message to the others', async () => {
    const { server, store } = await held()
    const leaving = await server.connect({ clientId: 'x' })
    await leaving.subscribe(['$share/g/a', 1])
    const staying = await server.connect({ clientId: 'y' })
    await staying.subscribe(['$share/g/a', 1])
    for (const order of [['unsubscribe', 'claim'] as const, ['claim', 'unsubscribe'] as const]) {
      store.hold('unsubscribe')
      store.hold('claim')
      leaving.send(unsubscribe({ filters: ['$share/g/a'] }))
      while (store.held('unsubscribe') < 1) await new Promise(setImmediate)
      await server.broker.publish({ topic: 'a', qos: 1 })
      while (store.held('claim') < 1) await new Promise(setImmediate)
      for (const method of order) {
        store.letGo(method)
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      }
      staying.send(puback((await staying.nextPublish()).id))
      expect((await leaving.next()).type).toBe('unsuback')
      await leaving.subscribe(['$share/g/a', 1])
    }
  })
})

test(
  'while the store is at it, QoS 0 and 2 messages count towards Receive Maximum as they do otherwise',
  { tags: ['MQTT5-3.3.4-7'] },
  async () => {
    const store = delayed(7)
    const server = await startBroker({ persistence: store, maxInflightInbound: 10 })
    const client = await server.connect({ clientId: 'c' })
    store.hold('publish')
    for (let id = 1; id <= 9; id += 1) client.publish({ topic: 'a', qos: 2, id })
    client.publish({ topic: 'a', qos: 1, id: 10 })
    await untilHeld(store, 10)
    store.letGo('publish')
    for (let id = 1; id <= 9; id += 1) await client.nextAck('pubrec', id)
    await client.nextAck('puback', 10)
    store.hold('publish')
    client.publish({ topic: 'a', qos: 1, id: 10 })
    for (let count = 0; count < 5; count += 1) client.publish({ topic: 'a', qos: 0, retain: true })
    await untilHeld(store, 6)
    store.letGo('publish')
    await client.nextAck('puback', 10)
    store.hold('publish')
    client.publish({ topic: 'a', qos: 1, id: 10 })
    client.publish({ topic: 'a', qos: 1, id: 11 })
    await client.closedWith(0x93)
  },
)

test('PUBRELs keep the order of their PUBRECs although only some of them wait for the store (MQTT 5.0 §4.6)', async () => {
  const { server, store } = await held()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['$share/g/a', 2], ['b', 2])
  await server.broker.publish({ topic: 'a', qos: 2, payload: 'claimed' })
  const claimed = await client.nextPublish()
  await server.broker.publish({ topic: 'b', qos: 2, payload: 'plain' })
  const plain = await client.nextPublish()
  store.hold('release')
  client.send(pubrec(claimed.id), pubrec(plain.id))
  await untilHeld(store, 1, 'release')
  await client.expectNothing()
  store.letGo('release')
  await client.nextAck('pubrel', claimed.id)
  await client.nextAck('pubrel', plain.id)
})

test('a queue that cannot go on for want of packet identifiers is not read again and again', async () => {
  const memory = new MemoryPersistence()
  const store = new DelayedPersistence(memory, 7)
  const server = await startBroker({ persistence: store })
  const entry = (sequence: number): QueueEntry => ({
    sequence,
    message: keepMessage({
      topic: 'a',
      payload: Buffer.from(`${sequence}`),
      qos: 1,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: undefined,
      brokerId: 'b',
      brokerCounter: sequence,
    }),
    qos: 1,
    retain: false,
    subscriptionIdentifiers: undefined,
    released: false,
  })
  // Both have the same identifier.
  const entries = [entry(1), entry(65_536)]
  await memory.restoreSession({ clientId: 'c', subscriptions: [], entries, sentThrough: 0 })
  const reads = vi.spyOn(memory, 'read')
  const client = await server.connect({ clientId: 'c', cleanStart: false })
  const first = await client.nextPublish()
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
  expect(reads.mock.calls.length).toBeLessThan(5)
  client.send(puback(first.id))
  expect(await client.nextPublish()).toMatchObject({ payload: '65536', id: first.id })
})
