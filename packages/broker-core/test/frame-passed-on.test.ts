import { once } from 'node:events'
import { connect as dial, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { BrokerOptions } from '../src/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, publish } from './support/wire.ts'
import type { QoS, Version } from './support/wire.ts'

/** Packet identifiers that no receiver's delivery has. */
const firstId = 1000

/** Bytes of one chunk: messages on one topic whose payloads tell them apart. */
function chunkOf(version: Version, qos: QoS, count: number, retain = false): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      publish({ version, topic: 't', payload: `message ${index}`, qos, id: firstId + index, retain }),
    ),
  )
}

let receivers = 0

async function receiver({ connect: open }: TestBroker, version: Version, qos: QoS): Promise<RawClient> {
  const client = await open({ version, clientId: `r${(receivers += 1)}` })
  await client.subscribe(['t', qos])
  return client
}

/** Takes the deliveries and returns their payloads; identifiers must be the receiver's own, one after the other. */
async function take(client: RawClient, qos: QoS, count: number): Promise<readonly string[]> {
  const publishes = await client.nextPublishes(count)
  const [first] = publishes
  expect(publishes.map(one => one.qos)).toEqual(publishes.map(() => qos))
  if (qos > 0) {
    expect(publishes.map(one => one.id)).toEqual(publishes.map((_, index) => (first?.id ?? 0) + index))
    expect(first?.id).toBeLessThan(firstId)
  }
  return publishes.map(one => one.payload)
}

const payloads = Array.from({ length: 20 }, (_, index) => `message ${index}`)

describe.each([1, 2] as const)('messages of QoS %i that stand side by side in a chunk', qos => {
  test.each([3, 4, 5] as const)(
    'reach receivers of all versions and QoS with their own identifiers, from version %i',
    async version => {
      const started = await startBroker({ maximumInflight: 100 })
      const wishes = ([3, 4, 5] as const).flatMap(to => ([0, 1, 2] as const).map(wish => ({ to, wish })))
      // Two of each, since the first of a kind may get the publisher's bytes themselves.
      const clients = await Promise.all(
        [...wishes, ...wishes].map(async ({ to, wish }) => ({ wish, client: await receiver(started, to, wish) })),
      )
      const publisher = await started.connect({ version, clientId: 'p' })
      publisher.send(chunkOf(version, qos, payloads.length))
      for (const { wish, client } of clients) {
        expect(await take(client, wish < qos ? wish : qos, payloads.length)).toEqual(payloads)
      }
      for (const [index] of payloads.entries())
        await publisher.nextAck(qos === 1 ? 'puback' : 'pubrec', firstId + index)
    },
  )

  test('reach a receiver that publishes itself, in order with its acknowledgements', async () => {
    const started = await startBroker({ maximumInflight: 100 })
    const client = await receiver(started, 5, qos)
    client.send(chunkOf(5, qos, payloads.length))
    const acknowledged: number[] = []
    const received: string[] = []
    while (acknowledged.length + received.length < 2 * payloads.length) {
      const frame = await client.next()
      if (frame.type === 'publish') received.push(frame.body.subarray(6).toString())
      else acknowledged.push(frame.body.readUInt16BE(0))
    }
    expect(received).toEqual(payloads)
    expect(acknowledged).toEqual(payloads.map((_, index) => firstId + index))
  })

  test('wait for a receiver whose window is full, and are retained, as they were published', async () => {
    const started = await startBroker({ maximumInflight: 1 })
    const client = await receiver(started, 5, 1)
    const publisher = await started.connect({ clientId: 'p' })
    publisher.send(chunkOf(5, qos, payloads.length, true))
    const received: string[] = []
    for (const _ of payloads) {
      const { id, payload } = await client.nextPublish()
      received.push(payload)
      client.send(Buffer.of(0x40, 2, (id ?? 0) >> 8, (id ?? 0) & 0xff))
    }
    expect(received).toEqual(payloads)
    const late = await receiver(started, 5, 1)
    expect(await late.nextPublish()).toMatchObject({ retain: true })
  })

  test('leave the bytes alone that a stream of the program brings', async () => {
    const started = await startBroker({ maximumInflight: 100 })
    const client = await receiver(started, 4, qos)
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
    started.broker.handle(stream)
    stream.push(connect({ version: 4, clientId: 'program' }))
    const chunk = chunkOf(4, qos, payloads.length)
    const before = Buffer.from(chunk)
    stream.push(chunk)
    expect(await take(client, qos, payloads.length)).toEqual(payloads)
    expect(chunk).toEqual(before)
    stream.destroy()
  })
})

describe('what the program does with the payload that it is shown reaches no client', () => {
  const scribble = ({ payload }: { readonly payload: Buffer | string }): void => {
    if (Buffer.isBuffer(payload)) payload.fill('*')
  }
  test.each<[string, (started: TestBroker) => Promise<void> | void, Partial<BrokerOptions>]>([
    ['a function of broker.subscribe', async ({ broker }) => broker.subscribe('t', scribble), {}],
    ['the hook published', () => undefined, { published: scribble }],
    ["a listener of 'publish'", ({ broker }) => void broker.on('publish', scribble), {}],
  ])('%s', async (_, prepare, options) => {
    const started = await startBroker(options)
    const clients = [await receiver(started, 4, 1), await receiver(started, 4, 1)]
    await prepare(started)
    const publisher = await started.connect({ version: 4, clientId: 'p' })
    publisher.send(chunkOf(4, 1, 3))
    for (const client of clients) expect(await take(client, 1, 3)).toEqual(payloads.slice(0, 3))
  })
})

test('another listener of the socket reads what the client has sent', async () => {
  const started = await startBroker()
  const client = await receiver(started, 4, 1)
  const seen: Buffer[] = []
  const server = createServer(socket => {
    started.broker.handle(socket)
    socket.on('data', chunk => seen.push(chunk))
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = dial((server.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  const sent = Buffer.concat([connect({ version: 4, clientId: 'p' }), chunkOf(4, 1, 3)])
  socket.write(sent)
  expect(await take(client, 1, 3)).toEqual(payloads.slice(0, 3))
  expect(Buffer.concat(seen)).toEqual(sent)
})
