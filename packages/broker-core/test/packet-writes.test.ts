import { Duplex } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { FrameCutter } from './support/frame.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, pingreq, publish, subscribe } from './support/wire.ts'
import type { Version } from './support/wire.ts'

/** Packets that a connection writes in a turn at most. */
const mostPerTurn = 128

interface Settings {
  /** Calls back when a write is done. Default: at once. */
  readonly take?: (done: () => void) => void
  /** Writes that wait become one, as with `websocket-stream`. */
  readonly joins?: boolean
  readonly highWaterMark?: number
  /** The stream does not tell how much it holds, as with `readable-stream` 2. */
  readonly isOld?: boolean
}

/** The packet types of each write. */
type Writes = string[][]

const later = (done: () => void): void => void setImmediate(done)

async function turns(number: number): Promise<void> {
  for (let turn = 0; turn < number; turn += 1) await new Promise(setImmediate)
}

/** A stream of functions, as programs make one of a WebSocket, whose client has sent these bytes. */
function handed(server: TestBroker, sent: Buffer, settings: Settings = {}): { stream: Duplex; writes: Writes } {
  const { take = done => done(), joins = false, highWaterMark = 16_384 } = settings
  const writes: Writes = []
  const record = (chunk: Buffer): void => void writes.push(new FrameCutter().push(chunk).map(({ type }) => type))
  const stream = new Duplex({
    highWaterMark,
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      record(chunk)
      take(done)
    },
    ...(joins && {
      writev(chunks: readonly { chunk: Buffer }[], done: () => void) {
        record(Buffer.concat(chunks.map(({ chunk }) => chunk)))
        take(done)
      },
    }),
  })
  if (settings.isOld === true) {
    for (const name of ['writableLength', 'writableHighWaterMark', 'writableNeedDrain']) {
      Object.defineProperty(stream, name, { value: undefined })
    }
  }
  onTestFinished(() => void stream.destroy())
  server.broker.handle(stream)
  stream.push(sent)
  return { stream, writes }
}

/** The bytes of a client that sends messages to itself, of 0 to 900 bytes at QoS 0 and 1, and a PINGREQ. */
function conversation(count: number, version: Version): Buffer {
  const publishes = Array.from({ length: count }, (_none, index) =>
    publish({
      version,
      topic: 'a',
      payload: 'x'.repeat((index * 9) % 900),
      qos: index % 2 === 0 ? 0 : 1,
      id: index + 1,
    }),
  )
  const subscription = subscribe({ version, filters: [['a', 0]] })
  return Buffer.concat([connect({ version, clientId: 'c' }), subscription, ...publishes, pingreq])
}

const kinds: Readonly<Record<string, Settings>> = {
  'takes each at once': {},
  'takes one in each turn': { take: later },
  'joins the writes that wait': { take: later, joins: true },
  'does not tell how much it holds': { take: later, joins: true, isOld: true },
  'has a small buffer': { highWaterMark: 16 },
  'has a small buffer and takes one in each turn': { take: later, highWaterMark: 16 },
}

for (const version of [3, 4, 5] as const) {
  test.for(Object.entries(kinds))(
    `MQTT ${version}: a stream that %s gets each packet in a write of its own`,
    async ([, settings]) => {
      const server = await startBroker()
      const { writes } = handed(server, conversation(400, version), settings)
      await expect.poll(() => writes.flat()).toContain('pingresp')
      expect(writes.filter(types => types.length !== 1)).toEqual([])
      expect(writes.filter(([type]) => type === 'publish')).toHaveLength(400)
      expect(writes.filter(([type]) => type === 'puback')).toHaveLength(200)
    },
  )
}

test('100 000 answers are not written in one turn, and all come in the end', async () => {
  const count = 100_000
  const server = await startBroker()
  const { writes } = handed(
    server,
    Buffer.concat([connect({ version: 4 }), Buffer.alloc(count * pingreq.length, pingreq)]),
  )
  let before = 0
  let most = 0
  while (writes.length < count + 1) {
    await turns(1)
    most = Math.max(most, writes.length - before)
    before = writes.length
  }
  expect(most).toBe(mostPerTurn)
  expect(writes.slice(1).every(([type, another]) => type === 'pingresp' && another === undefined)).toBe(true)
})

test('what waits is sent before the connection ends, however much it is', async () => {
  const server = await startBroker()
  const { stream, writes } = handed(
    server,
    Buffer.concat([connect({ clientId: 'c' }), subscribe({ filters: [['a', 0]] })]),
  )
  await expect.poll(() => writes.flat()).toContain('suback')
  const count = 4 * mostPerTurn
  for (let index = 0; index < count; index += 1) server.broker.publish({ topic: 'a', payload: 'x' }, () => undefined)
  await expect.poll(() => writes.flat()).toContain('publish')
  const client = server.broker.client('c') as Client
  client.close()
  await expect.poll(() => stream.writableFinished).toBe(true)
  expect(writes.flat().filter(type => type === 'publish')).toHaveLength(count)
  expect(writes.flat().at(-1)).toBe('disconnect')
})

test.for([{}, { isOld: true }])(
  'a client that takes nothing is full, loses QoS 0, and is closed after drainTimeout, %j',
  async settings => {
    const server = await startBrokerWithClock({
      outboxHighWaterMark: 65_536,
      publisherPause: 1000,
      drainTimeout: 60_000,
    })
    const errors: unknown[] = []
    server.broker.on('clientError', (_client: Client, error: Error) => errors.push(error))
    let isTaking = true
    const { stream, writes } = handed(server, Buffer.concat([connect(), subscribe({ filters: [['a', 0]] })]), {
      ...settings,
      take: done => void (isTaking && done()),
    })
    await expect.poll(() => writes.flat()).toContain('suback')
    isTaking = false
    for (let index = 0; index < 100; index += 1) {
      await server.broker.publish({ topic: 'a', payload: 'x'.repeat(1000) })
      await turns(2)
    }
    await server.pass(59_000)
    await server.broker.publish({ topic: 'a', payload: 'x' })
    expect(server.broker.counters.droppedOutboxFull).toBeGreaterThan(0)
    expect(stream.destroyed).toBe(false)
    await server.pass(2000)
    expect(stream.destroyed).toBe(true)
    expect(errors).toEqual([expect.objectContaining({ code: 'DRAIN_TIMEOUT' })])
  },
)

test('a client that was full and takes again gets everything at QoS 1', async () => {
  const server = await startBrokerWithClock({ outboxHighWaterMark: 65_536 })
  const held: (() => void)[] = []
  let isTaking = true
  const { writes } = handed(
    server,
    Buffer.concat([connect({ version: 4, clientId: 'c' }), subscribe({ version: 4, filters: [['a', 1]] })]),
    {
      take: done => void (isTaking ? done() : held.push(done)),
    },
  )
  await expect.poll(() => writes.flat()).toContain('suback')
  isTaking = false
  for (let index = 0; index < 200; index += 1) {
    await server.broker.publish({ topic: 'a', qos: 1, payload: String(index).padEnd(1000) })
    await turns(1)
  }
  expect(writes.flat().filter(type => type === 'publish')).toHaveLength(1)
  isTaking = true
  held.pop()?.()
  await expect.poll(() => writes.flat().filter(type => type === 'publish')).toHaveLength(200)
})

test('a stream of a class, such as a socket, gets all of a turn in one write', async () => {
  const server = await startBroker()
  const writes: Writes = []
  class Pair extends Duplex {
    override _read(): void {
      // `push` decides.
    }
    override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
      writes.push(new FrameCutter().push(chunk).map(({ type }) => type))
      done()
    }
  }
  const stream = new Pair()
  onTestFinished(() => void stream.destroy())
  server.broker.handle(stream)
  stream.push(conversation(400, 4))
  await expect.poll(() => writes.flat()).toContain('pingresp')
  expect(writes.length).toBeLessThan(100)
})
