import { connect as openSocket, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Duplex, Readable, Writable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, publish } from './support/wire.ts'

const strangers: readonly [string, unknown][] = [
  ['null', null],
  ['undefined', undefined],
  ['a number', 3],
  ['an empty object', {}],
  ['a stream that can only be read', new Readable({ read: () => undefined })],
  ['a stream that can only be written', new Writable({ write: (_chunk, _encoding, done) => done() })],
]

for (const [what, stranger] of strangers) {
  test(`handle() refuses ${what} at once, and the broker closes as usual`, async () => {
    const { broker } = await startBroker()
    expect(() => broker.handle(stranger as Duplex)).toThrow(
      expect.objectContaining({ code: 'STREAM_INVALID', message: expect.stringContaining('must be a Duplex') }),
    )
    expect(broker.counters.connectionsOpened).toBe(0)
    await broker.close()
  })
}

interface Watched {
  readonly server: TestBroker
  readonly codes: readonly string[]
}

/** A broker, and the codes of what its connections and clients have done wrong. */
async function startWatched(): Promise<Watched> {
  const server = await startBroker()
  const codes: string[] = []
  const note = (_client: unknown, error: Error): void => void codes.push(String(Reflect.get(error, 'code')))
  server.broker.on('connectionError', note)
  server.broker.on('clientError', note)
  return { server, codes }
}

/** Its peer closes when the broker does. */
function makeStream(options: { readonly readableObjectMode?: boolean } = {}): Duplex {
  return new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
    final(done) {
      this.push(null)
      done()
    },
    ...options,
  })
}

const hello = connect({ version: 5, clientId: 'c' })

test('a stream that brings text instead of bytes ends its own connection', async () => {
  const { server, codes } = await startWatched()
  const other = await server.connect({ clientId: 'other' })
  const stream = makeStream()
  stream.setEncoding('utf8')
  server.broker.handle(stream)
  stream.push(hello)
  await expect.poll(() => codes).toEqual(['STREAM_INVALID'])
  await expect.poll(() => stream.destroyed || stream.writableEnded).toBe(true)
  await other.ping()
})

test('a stream that brings objects ends its own connection, a connected one too', async () => {
  const { server, codes } = await startWatched()
  const stream = makeStream({ readableObjectMode: true })
  server.broker.handle(stream)
  stream.push(hello)
  await expect.poll(() => server.broker.connectedClients).toBe(1)
  stream.push({ cmd: 'publish', topic: 't' })
  await expect.poll(() => codes).toEqual(['STREAM_INVALID'])
  await expect.poll(() => server.broker.connectedClients).toBe(0)
})

test('a socket whose encoding a program has set ends its own connection', async () => {
  const { server, codes } = await startWatched()
  const listener = createServer(socket => {
    socket.setEncoding('utf8')
    server.broker.handle(socket)
  })
  await new Promise<void>(resolve => {
    listener.listen(0, '127.0.0.1', resolve)
  })
  const client = openSocket((listener.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => undefined)
  onTestFinished(() => {
    client.destroy()
    listener.close()
  })
  client.write(hello)
  await expect.poll(() => codes).toEqual(['STREAM_INVALID'])
})

test('bytes that are no Buffer are served', async () => {
  const { server, codes } = await startWatched()
  const topics: string[] = []
  await server.broker.subscribe('t', ({ topic }, done) => {
    topics.push(topic)
    done()
  })
  const stream = makeStream({ readableObjectMode: true })
  server.broker.handle(stream)
  stream.push(new Uint8Array(hello))
  stream.push(new Uint8Array(publish({ version: 5, topic: 't' })))
  await expect.poll(() => topics).toEqual(['t'])
  expect(codes).toEqual([])
})
