import { once } from 'node:events'
import { createServer, connect as openSocket } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BufferPool } from '../src/connection/buffer-pool.ts'
import { createCounters } from '../src/ground/counters.ts'
import { FlushQueue } from '../src/connection/flush-queue.ts'
import { Outbox } from '../src/connection/outbox.ts'
import type { OutboxContext } from '../src/connection/outbox.ts'
import { HeldStream } from './support/held-stream.ts'
import { Random } from './support/random.ts'
import { pingreq, publish } from './support/wire.ts'

function context(highWaterMark = 1_048_576): OutboxContext {
  return { pool: new BufferPool(), flushQueue: new FlushQueue(), counters: createCounters(), highWaterMark }
}

function outboxOn(stream: Duplex, shared: OutboxContext): { outbox: Outbox; events: string[] } {
  const events: string[] = []
  const owner = {
    outboxFull: () => events.push('full'),
    outboxFailed: () => undefined,
    outboxDrained: () => events.push('drained'),
  }
  const outbox = new Outbox(stream, shared, owner)
  stream.on('drain', () => outbox.drained())
  return { outbox, events }
}

const turn = (): Promise<unknown> => new Promise(setImmediate)

/** A connected pair of sockets; what arrives at the far one. */
async function socketPair(): Promise<{ near: Socket; received: Buffer[]; far: Socket }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = openSocket((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  if (near.connecting) await once(near, 'connect')
  const received: Buffer[] = []
  far.on('data', chunk => received.push(chunk))
  onTestFinished(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, received, far }
}

/** Appends at random, as copies, by reservation and as runs, and returns what must come out. */
function appendAtRandom(outbox: Outbox, random: Random, chunk: Buffer): Buffer {
  const expected: Buffer[] = []
  let from = 0
  for (let step = 1 + random.below(8); step > 0; step -= 1) {
    const kind = random.below(4)
    if (kind === 0) {
      const bytes = random.bytes(random.below(60))
      outbox.append(bytes)
      expected.push(Buffer.from(bytes))
    } else if (kind === 1) {
      const bytes = random.bytes(1 + random.below(200))
      const offset = outbox.reserve(bytes.length)
      outbox.buffer.set(bytes, offset)
      expected.push(bytes)
    } else {
      // Consecutive runs half of the time, so that they are joined.
      const start = random.next() < 0.5 ? from : random.below(chunk.length)
      const end = Math.min(chunk.length, start + 1 + random.below(random.next() < 0.1 ? 40_000 : 300))
      if (start >= end) continue
      outbox.appendRun(chunk, start, end)
      expected.push(Buffer.from(chunk.subarray(start, end)))
      from = end
    }
  }
  return Buffer.concat(expected)
}

test.each([1, 2, 3])('the bytes come out in the order they went in, seed %i', async seed => {
  const random = new Random(seed)
  const { near, received } = await socketPair()
  const shared = context()
  const { outbox } = outboxOn(near, shared)
  if (seed > 1) shared.flushQueue.beginFanOut(8)
  const chunks = Array.from({ length: 8 }, () => random.bytes(60_000))
  const expected: Buffer[] = []
  for (let step = 0; step < 300; step += 1) {
    expected.push(appendAtRandom(outbox, random, chunks[random.below(8)] as Buffer))
    if (random.next() < 0.5) await turn()
  }
  const whole = Buffer.concat(expected)
  while (Buffer.concat(received).length < whole.length) await turn()
  expect(Buffer.concat(received).equals(whole)).toBe(true)
})

test.each([4, 5])('outboxes that share a pool do not write into each other, seed %i', async seed => {
  const random = new Random(seed)
  const shared = context()
  if (seed > 4) shared.flushQueue.beginFanOut(8)
  const pairs = await Promise.all(Array.from({ length: 8 }, () => socketPair()))
  const lanes = pairs.map(({ near, far, received }) => {
    const { outbox } = outboxOn(near, shared)
    return { far, received, outbox, expected: [] as Buffer[] }
  })
  for (let step = 0; step < 200; step += 1) {
    const chunk = random.bytes(3000)
    for (const lane of lanes) if (random.next() < 0.6) lane.expected.push(appendAtRandom(lane.outbox, random, chunk))
    // Some readers rest now and then, so that sockets block and buffers stay out longer.
    for (const { far } of lanes) {
      if (random.next() < 0.1) far.pause()
      else if (random.next() < 0.5) far.resume()
    }
    if (random.next() < 0.5) await turn()
  }
  for (const { far, received, expected } of lanes) {
    far.resume()
    const whole = Buffer.concat(expected)
    while (Buffer.concat(received).length < whole.length) await turn()
    expect(Buffer.concat(received).equals(whole)).toBe(true)
  }
})

test('everything of a turn becomes one write', async () => {
  const { near } = await socketPair()
  const shared = context()
  const { outbox } = outboxOn(near, shared)
  const write = vi.spyOn(near, 'write')
  const run = publish({ topic: 'a', payload: 'x'.repeat(100) })
  outbox.append(pingreq)
  outbox.appendRun(run, 0, run.length)
  outbox.append(pingreq)
  expect(write).not.toHaveBeenCalled()
  await turn()
  expect(write.mock.calls.map(([bytes]) => (bytes as Buffer).length)).toEqual([run.length + 4])
  expect(shared.counters.bytesSent).toBe(run.length + 4)
  await turn()
  expect(write).toHaveBeenCalledTimes(1)
})

test.each([
  { receivers: 1, writes: [40_002] },
  { receivers: 8, writes: [20_000, 20_002] },
])('large runs to $receivers receivers are written with $writes.length calls', async ({ receivers, writes }) => {
  const { near, received } = await socketPair()
  const shared = context()
  const { outbox } = outboxOn(near, shared)
  const written = vi.spyOn(near, 'write')
  const runs = [Buffer.alloc(20_000, 1), Buffer.alloc(20_000, 2)]
  for (const run of runs) {
    shared.flushQueue.beginFanOut(receivers)
    outbox.appendRun(run, 0, run.length)
    shared.flushQueue.endFanOut(run.length)
  }
  outbox.append(pingreq)
  await turn()
  expect(written.mock.calls.map(([bytes]) => (bytes as Buffer).length)).toEqual(writes)
  await expect.poll(() => Buffer.concat(received)).toEqual(Buffer.concat([...runs, pingreq]))
})

test('while the stream is busy bytes wait here, and go on in order when it has drained', async () => {
  const stream = new HeldStream()
  const { outbox, events } = outboxOn(stream, context(100_000))
  const frames = Array.from({ length: 300 }, (_, index) =>
    publish({ topic: 'a', payload: `${index} ${'x'.repeat(500)}` }),
  )
  for (const frame of frames) {
    if (frames.indexOf(frame) % 2 === 0) outbox.append(frame)
    else outbox.appendRun(frame, 0, frame.length)
    await turn()
  }
  const total = frames.reduce((sum, { length }) => sum + length, 0)
  expect(outbox.pending).toBe(total)
  expect(events).toEqual(['full'])
  expect(outbox.full).toBe(true)
  stream.flow()
  await turn()
  await turn()
  expect(events).toEqual(['full', 'drained'])
  expect(outbox.pending).toBe(0)
  expect(Buffer.concat(stream.frames().map(({ bytes }) => bytes)).equals(Buffer.concat(frames))).toBe(true)
})

test('a small run does not keep its chunk in memory while the stream still has something to send', async () => {
  const stream = new HeldStream()
  const written = vi.spyOn(stream, 'write')
  const { outbox } = outboxOn(stream, context())
  const chunk = Buffer.allocUnsafeSlow(65_536)
  publish({ topic: 't', payload: 'm' }).copy(chunk)
  outbox.append(pingreq)
  outbox.flush()
  outbox.appendRun(chunk, 0, 8)
  outbox.flush()
  expect(written).toHaveBeenCalledTimes(2)
  const bytes = written.mock.lastCall?.[0] as Buffer
  expect(bytes).toEqual(chunk.subarray(0, 8))
  expect(bytes.buffer).not.toBe(chunk.buffer)
})

test('a publisher that reuses its chunk after the turn does not change what waits', async () => {
  const stream = new HeldStream()
  const { outbox } = outboxOn(stream, context())
  const filler = publish({ topic: 'f', payload: 'x'.repeat(20_000) })
  outbox.append(filler)
  await turn()
  const small = publish({ topic: 'a', payload: 'small' })
  const chunk = Buffer.concat([small, Buffer.alloc(60_000)])
  outbox.appendRun(chunk, 0, small.length)
  await turn()
  chunk.fill(0)
  stream.flow()
  await turn()
  await turn()
  expect(stream.frames().at(-1)?.bytes).toEqual(small)
})

test('close writes what is there and takes nothing more', async () => {
  const stream = new HeldStream()
  stream.flowing = true
  const { outbox } = outboxOn(stream, context())
  outbox.append(pingreq)
  expect(outbox.close()).toBe(true)
  outbox.append(pingreq)
  outbox.appendRun(pingreq, 0, pingreq.length)
  await turn()
  await turn()
  expect(stream.frames()).toHaveLength(1)
  expect(outbox.close()).toBe(true)
})

test('close of a busy stream says that bytes are lost', async () => {
  const stream = new HeldStream()
  const { outbox } = outboxOn(stream, context())
  outbox.append(publish({ topic: 'a', payload: 'x'.repeat(20_000) }))
  await turn()
  outbox.append(pingreq)
  await turn()
  expect(outbox.close()).toBe(false)
  expect(outbox.close()).toBe(false)
})
