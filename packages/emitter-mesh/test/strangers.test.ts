import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, opened, secret } from './meshes.ts'
import type { MeshedBroker } from './meshed-broker.ts'

/** A frame as it travels, not made by the code under test. */
function frame(type: number, body: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(body))
  const head = Buffer.of(0, 0, 0, 0, type)
  head.writeUInt32BE(bytes.length + 1)
  return Buffer.concat([head, bytes])
}

const types = { greeting: 1, hello: 2, refusal: 4 } as const

function call({ emitter }: MeshedBroker): Socket {
  const socket = connect(Number(emitter.address?.split(':').at(-1)), '127.0.0.1')
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  return socket
}

/** All that comes until the other side ends, maybe with a reset. */
async function read(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', bytes => void (text += bytes.toString()))
  await new Promise(resolve => socket.once('close', resolve))
  return text
}

const hostile: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['MQTT', Buffer.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 0)],
  ['a frame of 4 GiB', Buffer.of(0xff, 0xff, 0xff, 0xff, 2)],
  ['a frame of nothing', Buffer.alloc(8)],
  ['a type that is none', frame(99, {})],
  ['no JSON', Buffer.of(0, 0, 0, 2, 2, 0x7b)],
  ['a list', frame(types.hello, [])],
  ['another protocol', frame(types.hello, { protocol: 'y', version: 1 })],
  [
    'fields of other types',
    frame(types.hello, { protocol: 'x-mesh', version: 1, nonce: 1, instance: {}, proof: null }),
  ],
  ['two frames', Buffer.concat([frame(types.hello, {}), frame(types.hello, {})])],
  ['noise', randomBytes(10_000)],
]

test.each(hostile)('%s ends that connection alone, and is counted', async (_what, bytes) => {
  const one = await opened('one', anyPort)
  const other = await opened('other', { ...anyPort, peers: String(one.emitter.address) })
  await other.emitter.addRoute('a')
  const socket = call(one)
  socket.write(bytes)
  await read(socket)
  expect(one.emitter.counters.invalid).toBe(1)
  expect(one.codes).toEqual(['PEER_INVALID'])
  await one.publish('x')
  expect(other.texts).toEqual(['x'])
})

test('one that says nothing is closed after handshakeTimeout', async () => {
  const one = await opened('one', { ...anyPort, handshakeTimeout: 50 })
  await read(call(one))
  expect(one.emitter.brokers).toEqual([])
})

test('beyond maximumStrangers a connection is closed at once', async () => {
  const one = await opened('one', { ...anyPort, maximumStrangers: 1 })
  const first = call(one)
  await once(first, 'data')
  await read(call(one))
  expect(one.emitter.counters.invalid).toBe(1)
  expect(first.destroyed).toBe(false)
})

const wrongSecrets: readonly (readonly [what: string, theirs: string | undefined])[] = [
  ['another secret', 'this is not the secret'],
  ['no secret', undefined],
]

test.each(wrongSecrets)('%s: both sides say PEER_SECRET, once', async (_what, theirs) => {
  const one = await opened('one', anyPort)
  const { address = '' } = one.emitter
  const listen = `unix:${process.cwd()}/${randomBytes(4).toString('hex')}.sock`.slice(-60)
  const other = await opened('other', {
    ...(theirs === undefined
      ? { listen: `unix:/tmp/${listen.slice(-13)}` }
      : { listen: '127.0.0.1:0', secret: theirs }),
    peers: address,
  })
  await expect.poll(() => other.codes).toEqual(['PEER_SECRET'])
  await expect.poll(() => one.codes).toEqual(['PEER_SECRET'])
  await new Promise(resolve => void setTimeout(resolve, 100))
  expect([one.codes, other.codes]).toEqual([['PEER_SECRET'], ['PEER_SECRET']])
  expect([one.emitter.brokers, other.emitter.brokers]).toEqual([[], []])
})

test('a caller of another version is refused with code and sentence, and so is one that is called', async () => {
  const one = await opened('one', anyPort)
  const socket = call(one)
  socket.write(frame(types.hello, { protocol: 'x-mesh', version: 2 }))
  const said = await read(socket)
  expect(said).toContain('"code":"PEER_VERSION"')
  expect(said).toContain('versions of the protocol differ: 2 there, 1 here')
  expect(one.sentences[0]).toContain('versions of the protocol differ: 2 there, 1 here')

  const said2: string[] = []
  const server = createServer(caller => {
    caller.on('error', () => undefined)
    caller.on('data', bytes => void said2.push(bytes.toString()))
    caller.write(frame(types.greeting, { protocol: 'x-mesh', version: 2, instance: 'x~1', nonce: 'n', secret: true }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const caller = await opened('caller', { ...anyPort, peers: `127.0.0.1:${(server.address() as AddressInfo).port}` })
  await expect.poll(() => caller.codes).toEqual(['PEER_VERSION'])
  await expect.poll(() => said2.join('')).toContain('"code":"PEER_VERSION"')
})

test('the secret is not sent, and what one has proved proves nothing for another', async () => {
  const one = await opened('one', anyPort)
  const heard: Buffer[] = []
  const relay = createServer(near => {
    const far = connect(Number(one.emitter.address?.split(':').at(-1)), '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => undefined)
      from.on('data', bytes => {
        heard.push(bytes)
        to.write(bytes)
      })
      from.on('close', () => to.destroy())
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onTestFinished(() => void relay.close())
  await opened('other', { ...anyPort, peers: `127.0.0.1:${(relay.address() as AddressInfo).port}` })
  const said = Buffer.concat(heard)
  expect(said.includes(secret)).toBe(false)
  const hello = heard.find(bytes => bytes[4] === types.hello)
  const again = call(one)
  again.write(hello ?? Buffer.alloc(0))
  expect(await read(again)).toContain('"code":"PEER_SECRET"')
})

test('one more than maximumPeers is refused, and both say PEER_LIMIT', async () => {
  const one = await opened('one', { ...anyPort, maximumPeers: 1 })
  const peers = String(one.emitter.address)
  const first = await opened('first', { ...anyPort, peers })
  const second = await opened('second', { ...anyPort, peers, openTimeout: 100 })
  await expect.poll(() => second.codes).toEqual(['PEER_LIMIT'])
  await expect.poll(() => one.codes).toEqual(['PEER_LIMIT'])
  expect(one.emitter.brokers).toEqual(['first'])
  expect(first.emitter.brokers).toEqual(['one'])
})
