import { Duplex } from 'node:stream'
import type { Message, QueueEntry, Receipt, SessionHandle } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { expect, test } from 'vitest'
import { Broker } from '../src/index.ts'
import type { BrokerOptions } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { connect, publish } from './support/wire.ts'

const styles = ['throws', 'rejects'] as const
type Style = (typeof styles)[number]

/** Fails in this style; what it returns is of any type. */
function fail(how: Style, message: string): never {
  if (how === 'throws') throw new Error(message)
  return Promise.reject(new Error(message)) as never
}

/** A store whose methods fail when the test says so. */
class FailingPersistence extends MemoryPersistence {
  how: Style = 'throws'
  readonly failing = new Set<string>()

  #check<T>(method: string, act: () => T): T {
    return this.failing.has(method) ? fail(this.how, `${method} down`) : act()
  }
  override closeSession(
    ...given: Parameters<MemoryPersistence['closeSession']>
  ): ReturnType<MemoryPersistence['closeSession']> {
    return this.#check('closeSession', () => super.closeSession(...given))
  }
  override read(session: SessionHandle, after: number, limit: number): readonly QueueEntry[] {
    return this.#check('read', () => super.read(session, after, limit))
  }
  override acknowledge(session: SessionHandle, sequence: number): void {
    return this.#check('acknowledge', () => super.acknowledge(session, sequence))
  }
  override claim(session: SessionHandle, group: string, limit: number): readonly QueueEntry[] {
    return this.#check('claim', () => super.claim(session, group, limit))
  }
  override claimDue(limit: number): ReturnType<MemoryPersistence['claimDue']> {
    return this.#check('claimDue', () => super.claimDue(limit))
  }
  override publish(message: Message, receipt?: Receipt): number {
    return this.#check(`publish ${message.topic}`, () => super.publish(message, receipt))
  }
}

for (const how of styles) {
  const lasting = { version: 4, clientId: 'c', cleanStart: false } as const

  test(`a store that ${how} when it is used for a session: clientError of that client with the step's own code`, async () => {
    const watched = watchProcess()
    const store = new FailingPersistence()
    store.how = how
    const server = await startBrokerWithClock({ persistence: store })
    const seen: unknown[] = []
    server.broker.on('clientError', (client, error) => seen.push([client.id, (error as { code?: string }).code]))
    const client = await server.connect(lasting)
    await client.subscribe(['a', 1])
    store.failing.add('acknowledge')
    await server.broker.publish({ topic: 'a', qos: 1 })
    const { id } = await client.nextPublish()
    client.send(Buffer.of(0x40, 2, 0, id))
    await client.ping()
    expect(seen.splice(0)).toEqual([['c', 'ACKNOWLEDGE_FAILED']])

    store.failing.add('closeSession')
    await server.drop(client)
    await new Promise(setImmediate)
    expect(seen.splice(0)).toContainEqual(['c', 'SESSION_CLOSE_FAILED'])
    expect(server.broker.connectedClients).toBe(0)

    store.failing.clear()
    store.failing.add('read')
    const again = await server.connect(lasting)
    await again.ping()
    expect(seen.splice(0)).toEqual([['c', 'QUEUE_READ_FAILED']])
    store.failing.clear()
    await server.pass(1000)
    expect((await again.nextPublish()).topic).toBe('a')
    await watched.expectCalm()
  })

  test(`a store that ${how} when it is asked for what is nobody's in particular: error with the step's own code`, async () => {
    const watched = watchProcess()
    const store = new FailingPersistence()
    store.how = how
    const server = await startBrokerWithClock({ persistence: store })
    const client = await server.connect(lasting)
    await client.subscribe(['$share/g/a', 1])
    store.failing.add('claim').add('claimDue')
    await server.broker.publish({ topic: 'a', qos: 1 })
    await server.pass(2000)
    const codes = new Set(server.errors.splice(0).map(error => 'code' in error && error.code))
    expect(codes).toEqual(new Set(['CLAIM_FAILED', 'SWEEP_FAILED']))
    store.failing.clear()
    await server.pass(2000)
    expect((await client.nextPublish()).topic).toBe('a')
    await watched.expectCalm()
    server.errors.length = 0
  })
}

eachVersion(({ version, test: versionTest }) => {
  for (const how of styles) {
    versionTest(
      `a function of the program that ${how}: the publisher is acknowledged, the others get the message`,
      async () => {
        const watched = watchProcess()
        const server = await startBroker()
        const other: string[] = []
        await server.broker.subscribe('a', () => fail(how, 'broken'))
        await server.broker.subscribe('a', packet => void other.push(packet.payload.toString()))
        const receiver = await server.connect({ version, clientId: 'r' })
        await receiver.subscribe(['a', 2])
        const publisher = await server.connect({ version, clientId: 'p' })
        for (const qos of [0, 1, 2] as const) {
          await publisher.publishDone({ topic: 'a', qos, payload: String(qos) })
          expect((await receiver.nextPublish()).payload).toBe(String(qos))
        }
        expect(other).toEqual(['0', '1', '2'])
        expect(server.errors.splice(0)).toMatchObject(Array.from({ length: 3 }, () => ({ code: 'SUBSCRIBER_FAILED' })))
        await watched.expectCalm()
      },
    )
  }

  versionTest(
    'what stands behind a PUBLISH that could not be stored is not delivered',
    { tags: ['MQTT5-4.6.0-6'] },
    async () => {
      for (const qos of [0, 1, 2] as const) {
        class SlowPersistence extends MemoryPersistence {
          override publish(message: Message, receipt?: Receipt): number {
            const stored = super.publish(message, receipt)
            const later = new Promise<number>((resolve, reject) => {
              setImmediate(() => (message.topic === 'a/bad' ? reject(new Error('full')) : resolve(stored)))
            })
            return later as unknown as number
          }
        }
        const server = await startBroker({ persistence: new SlowPersistence() })
        const receiver = await server.connect({ version, clientId: 'r' })
        await receiver.subscribe(['a/#', 2])
        const publisher = await server.connect({ version, clientId: 'p' })
        publisher.send(
          publish({ version, topic: 'a/good', qos: 1, id: 1 }),
          publish({ version, topic: 'a/bad', qos: 1, id: 2 }),
          publish({ version, topic: 'a/behind', qos, id: qos === 0 ? 0 : 3 }),
          publish({ version, topic: 'a/behind', qos: 0 }),
        )
        await publisher.closed()
        expect((await receiver.nextPublish()).topic).toBe('a/good')
        await receiver.expectNothing()
      }
    },
  )

  for (const how of styles) {
    versionTest(
      `what stands behind a PUBLISH whose hook refuses it later is delivered if the client stays; the hook ${how}`,
      async () => {
        const server = await startBroker({
          authorizePublish: async (_client, { topic }) => {
            await new Promise(setImmediate)
            if (topic === 'a/bad') return fail(how, 'no')
            return undefined
          },
        })
        const receiver = await server.connect({ version, clientId: 'r' })
        await receiver.subscribe(['a/#', 2])
        const publisher = await server.connect({ version, clientId: 'p' })
        publisher.send(
          publish({ version, topic: 'a/good', qos: 1, id: 1 }),
          publish({ version, topic: 'a/bad', qos: 0 }),
          publish({ version, topic: 'a/behind', qos: 0 }),
        )
        expect((await receiver.nextPublish()).topic).toBe('a/good')
        if (version === 5) expect((await receiver.nextPublish()).topic).toBe('a/behind')
        else await publisher.closed()
        await receiver.expectNothing()
      },
    )
  }

  versionTest('a broker that could not be opened refuses whoever connects, earlier or later', async () => {
    const watched = watchProcess()
    const openings: readonly Partial<BrokerOptions>[] = [
      { persistence: Object.assign(new MemoryPersistence(), { open: () => fail('rejects', 'no disk') }) },
      { plugins: [{ name: 'p', attach: () => fail('throws', 'no plugin') }] },
      { plugins: [{ name: 'p', attach: () => fail('rejects', 'no plugin') }] },
    ]
    for (const options of openings) {
      const broker = new Broker({ persistence: new MemoryPersistence(), ...options })
      const errors: unknown[] = []
      broker.on('error', error => errors.push((error as Error & { code?: string }).code))
      const [early, late] = [pair(), pair()]
      broker.handle(early.there)
      early.here.write(connect({ version, clientId: 'early' }))
      await expect(broker.ready).rejects.toThrow(/^no (disk|plugin)$/)
      broker.handle(late.there)
      late.here.write(connect({ version, clientId: 'late' }))
      for (const { here } of [early, late]) {
        const answer = await read(here)
        expect(answer.subarray(0, 1).toString('hex')).toBe('20')
        expect(answer[3]).toBe(version === 5 ? 0x88 : 3)
        expect(answer.toString()).not.toMatch(/no (disk|plugin)/)
      }
      expect(errors).toEqual([options.plugins === undefined ? 'STORE_FAILED' : 'PLUGIN_FAILED'])
      await broker.close()
    }
    await watched.expectCalm()
  })
})

/** Two ends of a connection in this process. `there` emits no 'close' when told so. */
function pair(emitClose = true): { here: Duplex; there: Duplex } {
  const here: Duplex = new Duplex({
    // Ends when the broker does, as a client's socket: nobody waits for the rest of `closeTimeout`.
    allowHalfOpen: false,
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      there.push(chunk)
      done()
    },
    final: done => {
      there.push(null)
      done()
    },
  })
  const there: Duplex = new Duplex({
    emitClose,
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      here.push(chunk)
      done()
    },
    final: done => {
      here.push(null)
      done()
    },
  })
  return { here, there }
}

/** All that comes until the other end closes. */
async function read(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

test('close ends although plugins fail to detach, or never do, and streams emit no close', async () => {
  const watched = watchProcess()
  const order: string[] = []
  const clock = new ManualClock()
  const detaching = [
    () => fail('throws', 'thrown'),
    () => fail('rejects', 'rejected'),
    () => new Promise<void>(() => undefined),
    () => void order.push('last'),
  ]
  const broker = new Broker({
    persistence: new MemoryPersistence(),
    clock,
    plugins: detaching.map((detach, index) => ({ name: `p${index}`, attach: () => detach })),
  })
  const errors: unknown[] = []
  broker.on('error', error => errors.push((error as Error & { code?: string }).code))
  await broker.ready
  const { here, there } = pair(false)
  broker.handle(there)
  here.write(connect({ clientId: 'c' }))
  await new Promise(setImmediate)
  expect(broker.connectedClients).toBe(1)
  let closed = false
  const closing = broker.close().then(() => (closed = true))
  for (let turns = 0; !closed && turns < 100; turns += 1) {
    await new Promise(setImmediate)
    clock.advance(250)
  }
  await closing
  expect(order).toEqual(['last'])
  expect(broker.connectedClients).toBe(0)
  expect(errors).toEqual(['PLUGIN_FAILED', 'PLUGIN_FAILED', 'PLUGIN_FAILED'])
  await watched.expectCalm()
})

test('close closes the emitter although the store fails to close, and says so', async () => {
  const watched = watchProcess()
  for (const how of styles) {
    const store = Object.assign(new MemoryPersistence(), { close: () => fail(how, 'no disk') })
    const broker = new Broker({ persistence: store })
    const seen: unknown[] = []
    broker.on('error', error => seen.push((error as Error & { code?: string }).code))
    broker.on('closed', () => seen.push('closed'))
    await broker.ready
    await broker.close()
    await new Promise(setImmediate)
    expect(seen.toSorted()).toEqual(['STORE_FAILED', 'closed'])
  }
  await watched.expectCalm()
})

test('a stream that throws when it is written to ends its own connection only', async () => {
  const watched = watchProcess()
  const server = await startBroker()
  const { here, there } = pair()
  server.broker.handle(there)
  here.write(connect({ clientId: 'broken' }))
  await new Promise(setImmediate)
  const client = await RawClient.connect(server.port, { clientId: 'c' })
  await client.subscribe('a')
  await server.broker.client('broken')?.subscribe({ topic: 'a', qos: 0 })
  there.write = () => {
    throw new Error('no stream')
  }
  const left = server.gone('broken')
  await server.broker.publish({ topic: 'a' })
  expect((await client.nextPublish()).topic).toBe('a')
  await left
  expect(server.broker.connectedClients).toBe(1)
  await watched.expectCalm()
})

test('an error of a hook that can’t be written to is told like any other', async () => {
  const frozen = Object.freeze(Object.assign(new Error(''), { returnCode: 4, serverReference: 'x\0'.repeat(100_000) }))
  const watched = watchProcess()
  const server = await startBroker({
    authenticate: () => {
      throw frozen
    },
  })
  for (const version of [4, 5] as const) {
    const client = await server.open()
    expect((await client.connect({ version, clientId: 'c' })).reasonCode).toBe(version === 5 ? 0x86 : 4)
    await client.closed()
  }
  await watched.expectCalm()
})

for (const how of styles) {
  for (const qos of [0, 1] as const) {
    test(`an emitter that ${how} at publish, QoS ${qos}, while subscribers of the program are at it: nothing is left without an owner`, async () => {
      const watched = watchProcess()
      const emitter = {
        open: () => undefined,
        close: () => undefined,
        addRoute: () => undefined,
        removeRoute: () => undefined,
        takesTurn: () => true,
        reaches: () => true,
        publish: ({ topic }: Message) => (topic === 't' ? fail(how, 'emitter down') : undefined),
        announce: () => undefined,
      }
      const server = await startBroker({ emitter })
      await server.broker.subscribe('t', async () => {
        await new Promise(resolve => {
          setImmediate(resolve)
        })
        throw new Error('subscriber down')
      })
      const client = await server.connect({ version: 4, clientId: 'c' })
      client.publish({ version: 4, topic: 't', qos })
      await client.closed()
      await expect(server.broker.publish({ topic: 't', qos })).rejects.toThrow('down')
      await watched.expectCalm()
      // Of the subscriber; what the emitter did is told to those who have published.
      for (const error of server.errors.splice(0)) expect(error).toMatchObject({ code: 'SUBSCRIBER_FAILED' })
    })
  }
}
