import { expect, onTestFinished, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBrokerWithClock } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { bytes, puback } from './support/wire.ts'

// Whatever a listener of an event does, the engine's own state is complete, the clients are served, and the program hears of it.

const events = [
  'client',
  'clientReady',
  'clientDisconnect',
  'clientError',
  'connectionError',
  'connectionRefused',
  'connackSent',
  'keepaliveTimeout',
  'publish',
  'ack',
  'ping',
  'subscribe',
  'unsubscribe',
  'dropped',
  'closed',
] as const

const clientEvents = ['connected', 'error'] as const

/** The ways in which a listener fails. */
const failures = {
  throws: () => {
    throw new Error('listener')
  },
  'throws undefined': () => {
    throw undefined
  },
  rejects: () => Promise.reject(new Error('listener')),
  'rejects with undefined': () => Promise.reject(undefined),
} as const satisfies Record<string, () => unknown>

const session = { version: 4, clientId: 'away', cleanStart: false } as const

/** A client's life in which every event occurs, with a bystander who must not notice anything. */
async function live(server: TestBrokerWithClock): Promise<void> {
  const { broker } = server
  const bystander = await server.connect({ clientId: 'bystander' })
  await bystander.subscribe(['will', 1])

  const away = await server.connect(session)
  await away.subscribe(['queue', 1])
  await server.drop(away)
  for (const payload of ['one', 'two']) await broker.publish({ topic: 'queue', payload, qos: 1 })

  const client = await server.connect({ clientId: 'c', keepAlive: 10, will: { topic: 'will', payload: 'gone' } })
  await client.subscribe(['a', 1])
  client.publish({ topic: 'a', qos: 1 })
  const { id } = await client.nextPublish()
  await client.nextAck('puback')
  client.send(puback(id))
  await client.unsubscribe('a')
  await client.ping()
  await server.pass(16_000)
  await client.closed()
  expect((await bystander.nextPublish()).payload).toBe('gone')

  const stranger = await server.open()
  stranger.send(bytes(0x10, 2, 0xff, 0xff))
  await stranger.closed()
  broker.reportRefusal(new Error('refused'), { listener: 'l', remoteAddress: '::1', remotePort: 1 })

  await bystander.ping()
  expect(broker.connectedClients).toBe(1)
  expect(Object.keys(broker.clients)).toEqual(['bystander'])
  await broker.close()
  await bystander.closed()
  expect(broker.connectedClients).toBe(0)
}

for (const [how, fail] of Object.entries(failures)) {
  for (const event of events) {
    test(`a listener of '${event}' that ${how}`, async () => {
      const watched = watchProcess()
      const server = await startBrokerWithClock({ maximumQueuedMessages: 1 })
      let calls = 0
      let others = 0
      server.broker.on(event, (): never => {
        calls += 1
        return fail() as never
      })
      server.broker.on(event, () => void (others += 1))
      await live(server)
      await watched.expectCalm()
      expect(calls).toBeGreaterThan(0)
      expect(others).toBe(calls)
      const reported = server.errors.splice(0)
      expect(reported).toHaveLength(calls)
      for (const error of reported) {
        expect(error).toMatchObject({
          code: 'LISTENER_FAILED',
          message: expect.stringContaining(`'${event}'`) as string,
        })
      }
    })
  }

  for (const event of clientEvents) {
    test(`a listener of a client's '${event}' that ${how}`, async () => {
      const watched = watchProcess()
      const server = await startBrokerWithClock({ maximumQueuedMessages: 1 })
      server.broker.preConnect = (client: Client) => {
        client.on(event, (): never => fail() as never)
        return true
      }
      await live(server)
      await watched.expectCalm()
      const reported = server.errors.splice(0)
      expect(reported.length).toBeGreaterThan(0)
      for (const error of reported) expect(error).toMatchObject({ code: 'LISTENER_FAILED' })
    })
  }

  test(`a listener of 'error' that ${how} neither ends the process nor is told of itself`, async () => {
    const watched = watchProcess()
    const server = await startBroker()
    let calls = 0
    server.broker.on('error', (): never => {
      calls += 1
      return fail() as never
    })
    server.broker.on('ping', failures.throws)
    const client = await server.connect({ clientId: 'c' })
    await client.ping()
    await client.ping()
    await watched.expectCalm()
    expect(calls).toBe(2)
    expect(server.errors.splice(0)).toHaveLength(2)
    expect(watched.warnings).toEqual(['LISTENER_FAILED'])
  })
}

test('an error that nobody listens to is a warning, once for each code, without what could steer a terminal', async () => {
  const watched = watchProcess()
  const texts: string[] = []
  const onWarning = (warning: Error): void => void texts.push(warning.message)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  const server = await startBroker()
  server.broker.removeAllListeners('error')
  server.broker.on('ping', () => {
    throw new Error('a\u001B[31m\nb\u202Ec')
  })
  const client = await RawClient.connect(server.port, { clientId: 'c' })
  await client.ping()
  await client.ping()
  await watched.expectCalm()
  expect(watched.warnings).toEqual(['LISTENER_FAILED'])
  expect(texts).toEqual([String.raw`a listener of 'ping' failed: a\u{1b}[31m\u{a}b\u{202e}c`])
})

test('removeAllListeners takes the program’s listeners, not what the broker needs to hear of new ones', async () => {
  const server = await startBroker()
  const { broker } = server
  const seen: string[] = []
  broker.on('publish', packet => seen.push(`before ${packet.topic}`))
  broker.removeAllListeners()
  broker.on('error', error => server.errors.push(error))
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'nobody' })
  const listener = (packet: { topic: string }): void => void seen.push(`after ${packet.topic}`)
  for (const name of ['newListener', 'removeListener', 'publish'] as const) {
    broker.on('publish', listener)
    await client.publishDone({ topic: name })
    broker.removeAllListeners(name)
    broker.removeAllListeners('publish')
    await client.publishDone({ topic: 'nobody' })
  }
  expect(seen).toEqual(['after newListener', 'after removeListener', 'after publish'])
})

test('callbacks that throw or reject are reported and end nothing', async () => {
  const watched = watchProcess()
  const server = await startBroker()
  const { broker } = server
  const client = await server.connect({ clientId: 'c' })
  const inside = broker.client('c') as Client
  const done: (() => void)[] = [failures.throws, (): never => failures.rejects() as never]
  for (const callback of done) {
    broker.publish({ topic: 'a' }, callback)
    broker.subscribe('a', () => undefined, callback)
    broker.unsubscribe('a', () => undefined, callback)
    broker.mq.on('b', (_packet, called) => called(), callback)
    broker.mq.emit({ topic: 'b' }, callback)
    broker.mq.removeAllListeners('b', callback)
    broker.mq.close(callback)
    inside.publish({ topic: 'a' }, callback)
    inside.subscribe({ topic: 'a', qos: 0 }, callback)
    inside.unsubscribe('a', callback)
    inside.emptyOutgoingQueue(callback)
    inside.waitForDrain(callback)
  }
  // As many as come before the subscriptions are taken away again.
  await new Promise(setImmediate)
  inside.close(failures.throws)
  await client.closed()
  await watched.expectCalm()
  const reported = server.errors.splice(0)
  expect(reported).toHaveLength(25)
  for (const error of reported) expect(error).toMatchObject({ code: 'CALLBACK_FAILED' })
})
