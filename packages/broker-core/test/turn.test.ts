import { Duplex } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Message, Persistence } from '@x/contract'
import type { BrokerOptions } from '../src/index.ts'
import { HeldStream } from './support/held-stream.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { bytes, connect, pingreq, puback, publish, subscribe, u16, unsubscribe } from './support/wire.ts'
import type { Version } from './support/wire.ts'
import { Slices } from '@x/contract'
import { FlushQueue } from '../src/connection/flush-queue.ts'
import { Turn } from '../src/connection/turn.ts'
import { createCounters } from '../src/ground/counters.ts'

/** What keeps everybody waiting longer than this, in ms of CPU, is too much at a time. */
const longestTurn = 50

/** ms of a turn in which packets are acted on. */
const turnBudget = 8

/** Packets in a chunk, and of those that cost less than a microsecond. */
const count = 60_000
const cheap = 600_000

/** A client that takes whatever it is sent. */
class Flood extends Duplex {
  readonly received: Buffer[] = []

  constructor() {
    super()
    onTestFinished(() => {
      this.destroy()
    })
  }

  override _read(): void {
    // `push` decides.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.received.push(Buffer.from(chunk))
    done()
  }
}

function repeated(make: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))
}

function filled(packet: Buffer): Buffer {
  return Buffer.alloc(cheap * packet.length, packet)
}

/** Chunks of small packets. */
const floods: Readonly<Record<string, (version: Version) => Buffer>> = {
  PINGREQ: () => filled(pingreq),
  'PUBLISH of QoS 0, each to another topic': version =>
    repeated(index => publish({ version, topic: `t/${index}`, payload: '' })),
  'PUBLISH of QoS 1': version =>
    repeated(index => publish({ version, topic: 'a', qos: 1, id: (index % 500) + 1, payload: '' })),
  'PUBACK of nothing': () => filled(puback(9)),
  'UNSUBSCRIBE of nothing': version =>
    repeated(index => unsubscribe({ version, id: (index % 60_000) + 1, filters: [`u/${index}`] })),
  'SUBSCRIBE to the same': version =>
    repeated(index => subscribe({ version, id: (index % 60_000) + 1, filters: [['s', 0]] })),
}

const asynchronous: Partial<BrokerOptions> = { authorizePublish: async () => undefined }

/** ms of CPU that this process has used: what others do on the same core does not count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Takes so many ms of the turn, as a hook may. */
function compute(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

async function turns(number: number): Promise<void> {
  for (let turn = 0; turn < number; turn += 1) await new Promise(setImmediate)
}

async function connected<Stream extends Duplex>(
  server: TestBroker,
  stream: Stream,
  fields: { clientId: string; version: Version },
): Promise<Stream> {
  server.broker.handle(stream)
  stream.push(connect(fields))
  await turns(5)
  return stream
}

interface Watch {
  /** ms of CPU of the longest turn until everything was acted on. */
  readonly longest: number
  /** Packets of the flood that had not been acted on when the other client had its first answer. */
  readonly leftAtFirstAnswer: number
}

/** Puts the bytes in as one chunk, pings with another client, and waits until all packets have been acted on. */
async function watchFlood(server: TestBroker, flood: Duplex, chunk: Buffer, number = count): Promise<Watch> {
  const other = new HeldStream()
  other.flowing = true
  await connected(server, other, { clientId: 'other', version: 4 })
  other.frames()
  const { counters } = server.broker
  const begin = counters.packetsReceived
  flood.push(chunk)
  other.push(pingreq)
  let longest = 0
  let leftAtFirstAnswer = -1
  let before = cpuTime()
  let left = Infinity
  while (left > 0) {
    await new Promise(setImmediate)
    const now = cpuTime()
    longest = Math.max(longest, now - before)
    before = now
    left = begin + number + 1 - counters.packetsReceived
    if (leftAtFirstAnswer < 0 && other.frames().length > 0) leftAtFirstAnswer = left
  }
  return { longest, leftAtFirstAnswer }
}

/** The shortest of a few, since the compiler and the collector of garbage have threads of their own. */
async function shortest(measure: () => Promise<number>): Promise<number> {
  let best = Infinity
  for (let attempt = 0; attempt < 4 && best > longestTurn; attempt += 1) best = Math.min(best, await measure())
  return best
}

for (const version of [3, 4, 5] as const) {
  for (const [name, make] of Object.entries(floods)) {
    for (const [way, options] of Object.entries({ 'no hooks': {}, 'an asynchronous hook': asynchronous })) {
      if (way !== 'no hooks' && (version === 3 || !name.startsWith('PUBLISH'))) continue
      const number = name === 'PINGREQ' || name.startsWith('PUBACK') ? cheap : count
      test(`MQTT ${version}, ${way}: ${number} × ${name} in one chunk keep nobody waiting`, async () => {
        const server = await startBroker({ ...options, maxClientsIdLength: 100 })
        const chunk = make(version)
        const longest = await shortest(async () => {
          const flood = await connected(server, new Flood(), { clientId: 'flood', version })
          const watch = await watchFlood(server, flood, chunk, number)
          expect(watch.leftAtFirstAnswer).toBeGreaterThan(0)
          return watch.longest
        })
        expect(longest).toBeLessThan(longestTurn)
      })
    }
  }
}

test('a connection that gives way keeps the order of its packets and answers, whatever the others do', async () => {
  const server = await startBroker()
  const receiver = await server.connect({ clientId: 'r' })
  await receiver.subscribe(['#', 1])
  const publishers = await Promise.all(
    Array.from({ length: 3 }, (_, index) =>
      connected(server, new Flood(), { clientId: `p${index}`, version: 4 }).then(stream => ({ stream, index })),
    ),
  )
  const sent = 10_000
  const seen = publishers.map((): number[] => [])
  const receiving = (async () => {
    for (let left = publishers.length * sent; left > 0; left -= 1) {
      const { topic, payload, id } = await receiver.nextPublish()
      seen[Number(topic)]?.push(Number(payload))
      receiver.send(puback(id))
    }
  })()
  for (const { stream, index } of publishers) {
    const chunk = Array.from({ length: sent }, (_, number) =>
      publish({ version: 4, topic: String(index), qos: 1, id: number + 1, payload: String(number) }),
    )
    stream.received.length = 0
    stream.push(Buffer.concat(chunk))
  }
  await receiving
  const inOrder = Array.from({ length: sent }, (_, number) => number)
  for (const numbers of seen) expect(numbers).toEqual(inOrder)
  const acknowledgements = Buffer.concat(inOrder.map(number => bytes(0x40, 2, u16(number + 1))))
  for (const { stream } of publishers) expect(Buffer.concat(stream.received).equals(acknowledgements)).toBe(true)
})

function failLater(topic: string): Promise<void> | undefined {
  return topic === 'fails' ? Promise.reject(new Error('down')) : undefined
}

/** What fails a message that is on its way to somebody: not the message itself. */
const failingLater: Readonly<Record<string, Partial<BrokerOptions>>> = {
  'a hook `published` that rejects': {
    published: ({ topic }) => failLater(topic),
  },
  'an emitter that rejects while a subscriber is at it': {
    emitter: {
      open: () => undefined,
      close: () => undefined,
      addRoute: () => undefined,
      removeRoute: () => undefined,
      takesTurn: () => true,
      reaches: () => true,
      publish: ({ topic }: Message) => failLater(topic),
      announce: () => undefined,
    },
  },
}

for (const [what, options] of Object.entries(failingLater)) {
  for (const qos of [0, 1, 2] as const) {
    test(`${what}, at a PUBLISH of QoS ${qos} that uses up the turn, ends its client alone`, async () => {
      const watched = watchProcess()
      const server = await startBroker({
        ...options,
        authorizePublish: (_client, { topic }) => {
          if (topic === 'slow') compute(turnBudget + 2)
        },
      })
      if (options.emitter) await server.broker.subscribe('fails', () => Promise.reject(new Error('subscriber down')))
      const flood = await connected(server, new Flood(), { clientId: 'c', version: 4 })
      const { counters } = server.broker
      const left = server.gone('c')
      const failed = new Promise<Error>(resolve => {
        server.broker.on('clientError', (_client, error) => resolve(error))
      })
      const yielded = counters.turnsYielded
      // Each is as many bytes as are acted on between two looks at the clock.
      const payload = 'x'.repeat(66_000)
      const slow = publish({ version: 4, topic: 'slow', payload })
      flood.push(Buffer.concat([slow, slow, publish({ version: 4, topic: 'fails', qos, id: 1, payload })]))
      expect((await failed).message).toBe('down')
      await left
      await watched.expectCalm()
      // After the second one; and of what the third one has begun, the end.
      expect(counters.turnsYielded - yielded).toBeGreaterThanOrEqual(2)
      const ofSubscriber = expect.objectContaining({ code: 'SUBSCRIBER_FAILED' })
      expect(server.errors.splice(0)).toEqual(options.emitter ? [ofSubscriber] : [])
    })
  }
}

/** A broker with 4000 subscribers of `a`. Time is what writes to them take, as system calls do, so that nothing depends on how busy this
 * machine is. */
async function startCrowded(): Promise<{ readonly server: TestBroker; readonly clock: () => number }> {
  let now = performance.now()
  const clock = (): number => now
  const clocks = [
    vi.spyOn(performance, 'now').mockImplementation(clock),
    vi.spyOn(process, 'cpuUsage').mockImplementation(() => ({ user: now * 1000, system: 0 })),
  ]
  onTestFinished(() => clocks.forEach(mocked => mocked.mockRestore()))
  class Receiver extends Flood {
    override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
      now += 0.02
      done()
    }
  }
  const server = await startBroker()
  for (let index = 0; index < 4000; index += 1) {
    const stream = new Receiver()
    server.broker.handle(stream)
    stream.push(
      Buffer.concat([connect({ clientId: `r${index}`, version: 4 }), subscribe({ version: 4, filters: [['a', 0]] })]),
    )
  }
  await turns(50)
  return { server, clock }
}

test('what one message has to say to thousands does not delay an answer to somebody else', async () => {
  const { server } = await startCrowded()
  const flood = await connected(server, new Flood(), { clientId: 'flood', version: 4 })
  // 160 MB for all receivers: the flood waits ten times until they have been written to, which takes 80 ms each time.
  const messages = Array.from({ length: 400 }, () => publish({ version: 4, topic: 'a', payload: 'x'.repeat(100) }))
  const pings = Array.from({ length: count - messages.length }, () => pingreq)
  const watch = await watchFlood(server, flood, Buffer.concat([...messages, ...pings]))
  expect(watch.leftAtFirstAnswer).toBeGreaterThan(count - 100)
  expect(watch.longest).toBeGreaterThan(1)
  expect(watch.longest).toBeLessThan(50)
})

test('a client that publishes little does not wait until thousands have what another client has published', async () => {
  const { server, clock } = await startCrowded()
  const small = await connected(server, new HeldStream(), { clientId: 'small', version: 4 })
  small.push(subscribe({ version: 4, filters: [['own', 0]] }))
  small.flow()
  await turns(2)
  small.frames()
  const flood = await connected(server, new Flood(), { clientId: 'flood', version: 4 })
  // More than the outboxes may have in all, so that the flood waits until they have been written to.
  flood.push(filled(publish({ version: 4, topic: 'a', payload: 'x'.repeat(100) })))
  await turns(1)
  const began = clock()
  for (const payload of ['first', 'second', 'third']) {
    small.push(publish({ version: 4, topic: 'own', payload }))
    while (!small.frames().some(({ type }) => type === 'publish')) await turns(1)
  }
  // The flood is written for much longer: 80 ms for each step.
  expect(clock() - began).toBeLessThan(50)
})

/** Streams that all have something in the same turn. */
async function crowd(server: TestBroker, size: number): Promise<readonly Flood[]> {
  const streams: Flood[] = []
  while (streams.length < size) {
    const stream = new Flood()
    await connected(server, stream, { clientId: `c${streams.length}`, version: 5 })
    streams.push(stream)
  }
  return streams
}

/** ms of the longest turn from here on until `isDone`. */
async function longestUntil(isDone: () => boolean): Promise<number> {
  let longest = 0
  let before = cpuTime()
  while (!isDone()) {
    await new Promise(setImmediate)
    const now = cpuTime()
    longest = Math.max(longest, now - before)
    before = now
  }
  return longest
}

test('CONNECTs of many connections in one turn are answered in several', async () => {
  const server = await startBroker()
  const properties = Array.from({ length: 900 }, () => [0x26, 0, 1, 0x61, 0, 1, 0x62]).flat()
  let round = 0
  const longest = await shortest(async () => {
    round += 1
    const streams = Array.from({ length: 300 }, () => new Flood())
    for (const [index, stream] of streams.entries()) {
      server.broker.handle(stream)
      stream.push(connect({ clientId: `${round}-${index}`, version: 5, properties }))
    }
    return longestUntil(() => server.broker.connectedClients === round * streams.length)
  })
  expect(longest).toBeLessThan(longestTurn)
})

const ends: Readonly<Record<string, (stream: Flood) => void>> = {
  ends: stream => void stream.push(null),
  resets: stream => void stream.destroy(new Error('reset')),
  'sudden ends': stream => void stream.destroy(),
}

test.each(Object.entries(ends))('the %s of many connections in one turn take effect in several', async (_, end) => {
  const server = await startBroker()
  let crowds = 0
  const longest = await shortest(async () => {
    crowds += 1
    const streams = await crowd(server, 8000)
    const before = server.broker.counters.turnsYielded
    for (const stream of streams) end(stream)
    const elapsed = await longestUntil(() => server.broker.connectedClients === 0)
    expect(server.broker.counters.turnsYielded).toBeGreaterThan(before)
    return elapsed
  })
  expect(crowds).toBeGreaterThan(0)
  expect(longest).toBeLessThan(longestTurn)
})

for (const version of [4, 5] as const) {
  test.each(Object.entries(ends))(
    `MQTT ${version}: a DISCONNECT that waits for the next turn counts, and spares the will, although the stream is over by then (%s)`,
    async (_, end) => {
      const server = await startBroker({
        authorizePublish: (_client, { topic }) => {
          if (topic === 'slow') compute(turnBudget + 2)
        },
      })
      const watcher = await server.connect({ clientId: 'watcher' })
      await watcher.subscribe('#')
      const stream = new Flood()
      server.broker.handle(stream)
      stream.push(connect({ clientId: 'c', version, will: { topic: 'will', payload: '' } }))
      await turns(5)
      const { counters } = server.broker
      const before = counters.packetsReceived
      const left = server.gone('c')
      const slow = publish({ version, topic: 'slow', payload: 'x'.repeat(66_000) })
      stream.push(Buffer.concat([slow, slow, publish({ version, topic: 'last', payload: '' }), bytes(0xe0, 0)]))
      await new Promise<void>(resolve => {
        process.nextTick(resolve)
      })
      end(stream)
      await left
      expect(counters.packetsReceived - before).toBe(4)
      expect((await watcher.nextPublishes(3)).map(({ topic }) => topic)).toEqual(['slow', 'slow', 'last'])
      await watcher.expectNothing()
    },
  )
}

test.each([4, 5] as const)(
  'MQTT %i: publishes that the store finishes at the same moment are delivered and acknowledged in several turns, in order',
  async version => {
    const waiting: (() => void)[] = []
    // Tells when it is told to.
    const persistence: Persistence = new MemoryPersistence()
    const store = persistence.publish.bind(persistence)
    persistence.publish = message =>
      new Promise(resolve => {
        waiting.push(() => resolve(store(message)))
      })
    const server = await startBroker({
      maxInflightInbound: 65_535,
      maximumInflight: 65_535,
      persistence,
    })
    const flood = await connected(server, new Flood(), { clientId: 'flood', version })
    const number = 20_000
    flood.push(
      Buffer.concat(
        Array.from({ length: number }, (_, index) => publish({ version, topic: `t/${index}`, qos: 1, id: index + 1 })),
      ),
    )
    while (waiting.length < number) await turns(1)
    flood.received.length = 0
    const before = server.broker.counters.turnsYielded
    for (const answer of waiting) answer()
    const acks = (): Buffer => Buffer.concat(flood.received)
    const size = version === 5 ? 5 : 4
    while (acks().length < number * size) await turns(1)
    expect(server.broker.counters.turnsYielded).toBeGreaterThan(before)
    const ids = Array.from({ length: number }, (_, index) => acks().readUInt16BE(index * size + 2))
    expect(ids).toEqual(ids.toSorted((one, other) => one - other))
  },
)

test('a connection that ends while it gives way leaves nothing behind, and nothing of what it has sent is lost', async () => {
  const server = await startBroker()
  const flood = await connected(server, new Flood(), { clientId: 'flood', version: 4 })
  flood.push(repeated(index => publish({ version: 4, topic: `t/${index}`, payload: '' })))
  await turns(2)
  flood.destroy()
  await server.gone('flood')
  const { packetsReceived } = server.broker.counters
  // With CONNECT.
  expect(packetsReceived).toBe(count + 1)
  expect(server.broker.connectedClients).toBe(0)
})

test('many clients that each begin with a CONNECT that costs milliseconds share the turns, too', async () => {
  const server = await startBroker()
  const properties = Array.from({ length: 6000 }, () => [0x26, 0, 0, 0, 0]).flat()
  const greetings = Array.from({ length: 60 }, (_, index) => connect({ clientId: `c${index}`, version: 5, properties }))
  const longest = await shortest(async () => {
    const streams = greetings.map(() => new Flood())
    for (const stream of streams) server.broker.handle(stream)
    let longestSeen = 0
    let last = cpuTime()
    for (const [index, greeting] of greetings.entries()) {
      const stream = streams[index]
      // As a socket would bring it, all of them in one turn.
      for (let at = 0; at < greeting.length; at += 65_536) stream?.push(greeting.subarray(at, at + 65_536))
    }
    while (streams.some(({ received }) => received.length === 0)) {
      await new Promise(setImmediate)
      const now = cpuTime()
      longestSeen = Math.max(longestSeen, now - last)
      last = now
    }
    for (const stream of streams) stream.destroy()
    return longestSeen
  })
  expect(longest).toBeLessThan(longestTurn)
})

test('work of milliseconds counts for its turn, also when nobody has looked at the clock before it', async () => {
  const turn = new Turn(new Slices(), new FlushQueue(), createCounters())
  turn.worked(20_000)
  expect(turn.isOver()).toBe(true)
  await new Promise(setImmediate)
  turn.worked(900)
  expect(turn.isOver()).toBe(false)
})
