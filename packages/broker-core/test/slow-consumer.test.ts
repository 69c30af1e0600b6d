import { expect, test } from 'vitest'
import type { BrokerOptions, Client } from '../src/index.ts'
import { readPublish } from './support/frame.ts'
import type { Frame } from './support/frame.ts'
import { HeldStream } from './support/held-stream.ts'
import { startBrokerWithClock } from './support/start-broker.ts'
import type { TestBrokerWithClock } from './support/start-broker.ts'
import type { RawClient } from './support/raw-client.ts'
import { connect, pingreq, publish, puback, subscribe } from './support/wire.ts'
import type { ConnectFields } from './support/wire.ts'

const payload = 'x'.repeat(1000)

/** Small limits, so that a few hundred messages fill everything. */
const limits = { outboxHighWaterMark: 65_536, publisherPause: 1000, drainTimeout: 60_000 }

/** QoS 0 messages take a shorter way when nobody looks at them one by one; both ways keep the same promises. */
const ways: Readonly<Record<string, Partial<BrokerOptions>>> = {
  'in runs': {},
  'one by one': { published: () => undefined },
}

/** Messages that fill an outbox, and not one more: the next one pauses its publisher, so nothing behind it may be waited for. */
const filling = 65

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

/** When the bytes of a socket arrive depends on what else the machine does. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1)
}

/** Publishes the messages and a PINGREQ. Receivers that take nothing have been filled by then, and the publisher has come upon them. */
async function overfill(
  { broker: { counters } }: TestBrokerWithClock,
  publisher: RawClient,
  messages: readonly Buffer[],
): Promise<void> {
  const before = counters.publishesReceived
  publisher.send(...messages.slice(0, filling))
  await until(() => counters.publishesReceived === before + filling)
  // An outbox is written at the end of a turn, and is full from then on.
  await turns(2)
  publisher.send(...messages.slice(filling), pingreq)
  await until(() => counters.publishesReceived > before + filling)
}

/** A client on a held stream that is connected and subscribed, and then stops taking bytes. */
async function frozenClient(server: TestBrokerWithClock, qos = 0, fields: ConnectFields = {}): Promise<HeldStream> {
  const stream = new HeldStream()
  stream.flowing = true
  server.broker.handle(stream)
  stream.push(Buffer.concat([connect({ clientId: 'frozen', ...fields }), subscribe({ filters: [['a', qos]] })]))
  await turns(5)
  expect(stream.frames().map(({ type }) => type)).toEqual(['connack', 'suback'])
  stream.flowing = false
  return stream
}

function numbered(count: number, qos: 0 | 1 = 0): readonly Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    publish({ topic: 'a', qos, id: index + 1, payload: `${index} ${payload}` }),
  )
}

function numbers(frames: readonly Frame[]): number[] {
  return frames
    .filter(({ type }) => type === 'publish')
    .map(frame => Number(readPublish(frame, 5).payload.split(' ')[0]))
}

/** The numbers of the messages that a flowing stream takes, until it has as many. */
async function taken(stream: HeldStream, count: number): Promise<readonly number[]> {
  const seen: number[] = []
  await until(() => seen.push(...numbers(stream.frames())) >= count)
  return seen
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}

for (const [way, options] of Object.entries(ways)) {
  test(`messages ${way}: a receiver that takes nothing pauses its publishers for publisherPause at most, then loses QoS 0`, async () => {
    const server = await startBrokerWithClock({ ...limits, ...options })
    const stream = await frozenClient(server)
    const healthy = await server.connect({ clientId: 'healthy' })
    await healthy.subscribe('a', 'other')
    const publisher = await server.connect({ clientId: 'p' })
    const count = 500
    const seen: number[] = []
    const receiving = (async () => {
      while (seen.length < count) seen.push(Number((await healthy.nextPublish()).payload.split(' ')[0]))
    })()
    await overfill(server, publisher, numbered(count))
    await server.pass(500)
    // Reading from the publisher rests, so it has no answer.
    expect(seen.length).toBeLessThan(count)

    // Others go on meanwhile.
    const other = await server.connect({ clientId: 'other' })
    await other.publishDone({ topic: 'elsewhere', qos: 1 })

    await server.pass(1000)
    await publisher.next('pingresp')
    await receiving
    expect(seen).toEqual(upTo(count))
    const { droppedOutboxFull } = server.broker.counters
    expect(droppedOutboxFull).toBeGreaterThan(0)

    // What was not dropped is still on its way, in order; after that everything arrives again.
    stream.flow()
    const first = await taken(stream, count - droppedOutboxFull)
    expect(first).toEqual(first.toSorted((a, b) => a - b))
    expect(first).toHaveLength(count - droppedOutboxFull)
    publisher.send(...numbered(20), pingreq)
    await publisher.next('pingresp')
    expect(await taken(stream, 20)).toEqual(upTo(20))
    expect(server.broker.counters.droppedOutboxFull).toBe(droppedOutboxFull)
  })

  test(`messages ${way}: a receiver that is slow but takes bytes loses nothing`, async () => {
    const server = await startBrokerWithClock({ ...limits, ...options })
    const stream = await frozenClient(server)
    const publisher = await server.connect({ clientId: 'p' })
    const count = 1000
    publisher.send(...numbered(count), pingreq)
    const seen: number[] = []
    while (seen.length < count) {
      stream.takeWrite()
      seen.push(...numbers(stream.frames()))
      await turns(1)
    }
    await publisher.next('pingresp')
    expect(seen).toEqual(upTo(count))
    expect(server.broker.counters.droppedOutboxFull).toBe(0)
  })

  test(`messages ${way}: a receiver that stays full for drainTimeout is closed`, async () => {
    const server = await startBrokerWithClock({ ...limits, ...options })
    const errors: unknown[] = []
    server.broker.on('clientError', (client: Client, error: Error) => errors.push([client.id, error]))
    const stream = await frozenClient(server)
    const publisher = await server.connect({ clientId: 'p' })
    await overfill(server, publisher, numbered(500))
    await server.pass(59_000)
    expect(stream.destroyed).toBe(false)
    await server.pass(2000)
    expect(stream.destroyed).toBe(true)
    expect(errors).toEqual([['frozen', expect.objectContaining({ code: 'DRAIN_TIMEOUT' })]])
    expect(server.broker.client('frozen')).toBeUndefined()
    await publisher.next('pingresp')
    await publisher.ping()
  })
}

for (const [way, options] of Object.entries(ways)) {
  test(`messages ${way}: receivers that freeze one after another take a publisher maximumPublisherPause in a minute`, async () => {
    const server = await startBrokerWithClock({ ...limits, ...options, drainTimeout: 0, maximumPublisherPause: 2000 })
    const publisher = await server.connect({ clientId: 'p' })
    let paused = 0
    for (let index = 0; index < 20; index += 1) {
      const stream = new HeldStream()
      stream.flowing = true
      server.broker.handle(stream)
      stream.push(Buffer.concat([connect({ clientId: `r${index}` }), subscribe({ filters: [['a', 0]] })]))
      await turns(5)
      stream.flowing = false
      const { pausesRefused } = server.broker.counters
      await overfill(server, publisher, numbered(200))
      let answered = false
      const answer = publisher.next('pingresp').then(() => {
        answered = true
      })
      if (server.broker.counters.pausesRefused === pausesRefused) {
        for (; !answered; paused += 250) {
          await server.pass(250)
          await turns(50)
        }
      }
      await answer
    }
    // Two receivers have cost it their second each; a tick of the deadlines comes on top.
    expect(paused).toBeGreaterThanOrEqual(2000)
    expect(paused).toBeLessThanOrEqual(3500)
    expect(server.broker.counters.pausesRefused).toBeGreaterThan(0)
    expect(server.broker.counters.droppedOutboxFull).toBeGreaterThan(0)
  })

  test(`messages ${way}: a publisher that has waited enough still waits for one that has drained before`, async () => {
    const server = await startBrokerWithClock({ ...limits, ...options, drainTimeout: 0, maximumPublisherPause: 750 })
    const publisher = await server.connect({ clientId: 'p' })
    const healthy = await frozenClient(server, 0, { clientId: 'healthy' })
    healthy.flow()
    publisher.send(...numbered(10), pingreq)
    await publisher.next('pingresp')
    await taken(healthy, 10)
    // Full for a while, and drained.
    healthy.flowing = false
    await overfill(server, publisher, numbered(200))
    healthy.flow()
    await publisher.next('pingresp')
    await taken(healthy, 200)
    expect(server.broker.counters.droppedOutboxFull).toBe(0)
    // Somebody else freezes for good: what it costs, publisherPause, is between the allowance and twice as much.
    const stuck = await frozenClient(server)
    await overfill(server, publisher, numbered(200))
    await server.pass(1500)
    await publisher.next('pingresp')
    await taken(healthy, 200)
    const { droppedOutboxFull } = server.broker.counters
    healthy.flowing = false
    await overfill(server, publisher, numbered(200))
    healthy.flow()
    await publisher.next('pingresp')
    // Those for the one that is stuck.
    expect(server.broker.counters.droppedOutboxFull).toBe(droppedOutboxFull + 200)
    expect(await taken(healthy, 200)).toEqual(upTo(200))
    stuck.destroy()
  })
}

test('a drainTimeout shorter than publisherPause closes a full receiver in its own time', async () => {
  const server = await startBrokerWithClock({ ...limits, publisherPause: 10_000, drainTimeout: 1000 })
  const stream = await frozenClient(server)
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(2000)
  expect(stream.destroyed).toBe(true)
  await publisher.next('pingresp')
})

test('with drainTimeout 0 a full receiver is left alone', async () => {
  const server = await startBrokerWithClock({ ...limits, drainTimeout: 0 })
  const stream = await frozenClient(server)
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(600_000)
  expect(stream.destroyed).toBe(false)
  await publisher.next('pingresp')
  stream.flow()
})

test('with publisherPause 0 publishers are not paused for longer than a tick', async () => {
  const server = await startBrokerWithClock({ ...limits, publisherPause: 0 })
  const stream = await frozenClient(server)
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(500)
  await publisher.next('pingresp')
  expect(server.broker.counters.droppedOutboxFull).toBeGreaterThan(0)
  stream.flow()
})

test('QoS 1 messages for a frozen receiver wait in its queue, and arrive whole when it takes them', async () => {
  const server = await startBrokerWithClock({ ...limits, maximumInflight: 10 })
  const stream = await frozenClient(server, 1)
  const publisher = await server.connect({ clientId: 'p' })
  const count = 300
  publisher.send(...numbered(count, 1))
  for (let id = 1; id <= count; id += 1) await publisher.nextAck('puback', id)
  stream.flow()
  const seen: number[] = []
  while (seen.length < count) {
    const frames = stream.frames()
    seen.push(...numbers(frames))
    for (const frame of frames.filter(({ type }) => type === 'publish')) stream.push(puback(readPublish(frame, 5).id))
    await turns(1)
  }
  expect(seen).toEqual(upTo(count))
  expect(server.broker.counters.droppedQueueFull).toBe(0)
})

test('a publisher that feeds a queue half full is paused, so a reading receiver loses nothing', async () => {
  const server = await startBrokerWithClock({ ...limits, maximumInflight: 5, maximumQueuedMessages: 40 })
  const stream = await frozenClient(server, 1)
  stream.flowing = true
  const publisher = await server.connect({ clientId: 'p' })
  const count = 300
  for (const frame of numbered(count, 1)) publisher.send(frame)
  const seen: number[] = []
  while (seen.length < count) {
    const frames = stream.frames()
    seen.push(...numbers(frames))
    for (const frame of frames.filter(({ type }) => type === 'publish')) stream.push(puback(readPublish(frame, 5).id))
    await turns(1)
  }
  expect([seen.length, server.broker.counters.droppedQueueFull]).toEqual([count, 0])
})

test('a publisher waits for the slowest of several receivers only', async () => {
  const server = await startBrokerWithClock(limits)
  const streams = [await frozenClient(server)]
  const second = new HeldStream()
  server.broker.handle(second)
  second.flowing = true
  second.push(Buffer.concat([connect({ clientId: 'second' }), subscribe({ filters: [['a', 0]] })]))
  await turns(5)
  second.flowing = false
  streams.push(second)
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(100))
  for (const stream of streams) stream.flow()
  await publisher.next('pingresp')
  await publisher.ping()
})

test('a frozen receiver that goes away sets its publishers free', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = await frozenClient(server)
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  stream.destroy()
  await publisher.next('pingresp')
})

test('a client that sends without taking its answers is not read while they pile up', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = await frozenClient(server)
  const pings = Buffer.concat(Array.from({ length: 8192 }, () => pingreq))
  const chunks = 64
  const before = server.broker.counters.bytesReceived
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    stream.push(pings)
    await turns(2)
  }
  // What is read is answered with as many bytes.
  expect(server.broker.counters.bytesReceived - before).toBeLessThan(2 * limits.outboxHighWaterMark)

  // Once it takes them, all are answered.
  stream.flow()
  let answered = 0
  while (answered < chunks * 8192) {
    answered += stream.frames().length
    await turns(1)
  }
  expect(answered).toBe(chunks * 8192)
})

test('a client that sends without taking its answers is closed after drainTimeout', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = await frozenClient(server)
  const pings = Buffer.concat(Array.from({ length: 8192 }, () => pingreq))
  for (let chunk = 0; chunk < 16; chunk += 1) {
    stream.push(pings)
    await turns(2)
  }
  await server.pass(59_000)
  expect(stream.destroyed).toBe(false)
  await server.pass(2000)
  expect(stream.destroyed).toBe(true)
})

for (const [kind, fields] of [
  ['without a stored queue', {}],
  ['with a stored queue', { cleanStart: false }],
] as const) {
  test(`QoS 1 messages for a full receiver ${kind} wait in its queue, not in its outbox`, async () => {
    const server = await startBrokerWithClock(limits)
    const stream = await frozenClient(server, 1, fields)
    const count = 100
    for (let index = 0; index < count; index += 1) {
      await server.broker.publish({ topic: 'a', qos: 1, payload: `${index} ${'x'.repeat(20_000)}` })
      await turns(2)
    }
    // Its window has room for all, its outbox for 64 KiB.
    expect(server.broker.counters.publishesSent).toBeLessThan(10)
    stream.flow()
    const seen: number[] = []
    while (seen.length < count) {
      // None is acknowledged: that the outbox has room again is enough.
      seen.push(...numbers(stream.frames()))
      await turns(1)
    }
    expect(seen).toEqual(upTo(count))
  })
}

test('a queue more than half full goes on when the outbox has room, also if nothing is left to be acknowledged', async () => {
  const server = await startBrokerWithClock({ ...limits, maximumQueuedMessages: 100 })
  const stream = await frozenClient(server, 1)
  const count = 90
  for (let index = 0; index < count; index += 1) {
    await server.broker.publish({ topic: 'a', qos: 1, payload: `${index} ${'x'.repeat(20_000)}` })
    await turns(2)
  }
  const seen: number[] = []
  stream.flow()
  while (seen.length < count) {
    const frames = stream.frames()
    seen.push(...numbers(frames))
    for (const frame of frames.filter(({ type }) => type === 'publish')) stream.push(puback(readPublish(frame, 5).id))
    await turns(1)
  }
  expect(seen).toEqual(upTo(count))
})

test('a publisher waits for a full member of a shared group, and other members take its turns', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = new HeldStream()
  stream.flowing = true
  server.broker.handle(stream)
  stream.push(Buffer.concat([connect({ clientId: 'frozen' }), subscribe({ filters: [['$share/g/a', 0]] })]))
  await turns(5)
  stream.frames()
  stream.flowing = false
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(500)
  // Alone it is waited for, so there is no answer yet.
  expect(server.broker.counters.publishesReceived).toBeLessThan(500)
  expect(server.broker.counters.droppedOutboxFull).toBe(0)
  const healthy = await server.connect({ clientId: 'healthy' })
  await healthy.subscribe('$share/g/a')
  await server.pass(1000)
  await publisher.next('pingresp')
  const { droppedOutboxFull } = server.broker.counters
  publisher.send(...numbered(50), pingreq)
  await publisher.next('pingresp')
  const seen: number[] = []
  while (seen.at(-1) !== 49) seen.push(Number((await healthy.nextPublish()).payload.split(' ')[0]))
  expect(seen.slice(-50)).toEqual(upTo(50))
  expect(server.broker.counters.droppedOutboxFull).toBe(droppedOutboxFull)
  stream.flow()
})

test('an outboxHighWaterMark of less than the stream itself holds keeps no healthy client waiting', async () => {
  const server = await startBrokerWithClock({ outboxHighWaterMark: 1024 })
  await server.broker.publish({ topic: 'r', payload: 'retained', retain: true })
  const stream = new HeldStream()
  server.broker.handle(stream)
  const filters = Array.from({ length: 2000 }, (_, index) => [`f/${index}`, 0] as const)
  // The SUBACK alone fills it, and the stream takes that without asking for a pause.
  stream.push(Buffer.concat([connect({ clientId: 'c' }), subscribe({ filters: [...filters, ['r', 0]] })]))
  await turns(10)
  stream.flow()
  await turns(10)
  stream.push(pingreq)
  await turns(10)
  expect(stream.frames().map(({ type }) => type)).toEqual(['connack', 'suback', 'publish', 'pingresp'])
})

test('a full receiver that has gone silent is closed by its keep alive, before drainTimeout', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = await frozenClient(server, 0, { keepAlive: 10 })
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(14_000)
  expect(stream.destroyed).toBe(false)
  await server.pass(2000)
  expect(stream.destroyed).toBe(true)
  await publisher.next('pingresp')
})

test('a full receiver that still sends is not taken for silent, although it is not read', async () => {
  const server = await startBrokerWithClock(limits)
  const stream = await frozenClient(server, 0, { keepAlive: 10 })
  const publisher = await server.connect({ clientId: 'p' })
  await overfill(server, publisher, numbered(500))
  await server.pass(5000)
  for (let pings = 0; pings < 5; pings += 1) {
    stream.push(pingreq)
    await server.pass(9000)
  }
  expect(stream.destroyed).toBe(false)
  await publisher.next('pingresp')
  stream.flow()
  let answered = 0
  await until(() => (answered += stream.frames().filter(({ type }) => type === 'pingresp').length) >= 5)
  expect(answered).toBe(5)
})
