import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Client } from '@x/broker'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import type { WebSocket } from 'ws'
import { WebSocketTransport } from '../src/index.ts'
import {
  closeCode,
  connackFrame,
  connectFrame,
  openWebSocket,
  rawSocket,
  receive,
  request,
  serve,
  upgradeLines,
} from './serve.ts'

const subscribeAll = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0])
const suback = Buffer.from([0x90, 3, 0, 1, 0])
const publishHello = Buffer.from([0x30, 8, 0, 1, 0x74, ...Buffer.from('hello')])
const pingreq = Buffer.from([0xc0, 0])
const pingresp = Buffer.from([0xd0, 0])

async function openClient(url: string, id = 'raw'): Promise<WebSocket> {
  const socket = await openWebSocket(url)
  const answer = receive(socket, connackFrame.length)
  socket.send(connectFrame(id))
  expect(await answer).toEqual(connackFrame)
  return socket
}

test.for([4, 5] as const)('MQTT.js exchanges messages of every QoS, protocol version %d', async protocolVersion => {
  const { url } = await serve()
  const client = await connectAsync(url, { protocolVersion })
  onTestFinished(() => client.endAsync(true))
  await client.subscribeAsync('t/#', { qos: 2 })
  const received: string[] = []
  const all = new Promise<void>(resolve => {
    client.on('message', (topic, payload, { qos }) => {
      received.push(`${topic} ${payload.length} ${qos}`)
      if (received.length === 3) resolve()
    })
  })
  for (const qos of [0, 1, 2] as const) await client.publishAsync(`t/${qos}`, Buffer.alloc(100_000, 'x'), { qos })
  await all
  expect(received).toEqual(['t/0 100000 0', 't/1 100000 1', 't/2 100000 2'])
})

test(
  'packets may be split over frames and stand together in one',
  { tags: ['MQTT5-6.0.0-2', 'MQTT3-6.0.0-2'] },
  async () => {
    const { url } = await serve()
    const socket = await openWebSocket(url)
    const stream = Buffer.concat([connectFrame('split'), subscribeAll, publishHello, pingreq])
    const expected = Buffer.concat([connackFrame, suback, publishHello, pingresp])
    const split = receive(socket, expected.length)
    for (const byte of stream) socket.send(Buffer.of(byte))
    expect(await split).toEqual(expected)
    const together = receive(socket, 2 * publishHello.length + pingresp.length)
    // The middle of a packet is where one message ends and the next begins.
    const more = Buffer.concat([publishHello, publishHello, pingreq])
    socket.send(more.subarray(0, 7))
    socket.send(more.subarray(7))
    expect(await together).toEqual(Buffer.concat([publishHello, publishHello, pingresp]))
  },
)

test('a message may come in fragments', async () => {
  const { url } = await serve()
  const socket = await openClient(url)
  const echoed = receive(socket, suback.length + publishHello.length)
  socket.send(subscribeAll)
  socket.send(publishHello.subarray(0, 3), { fin: false })
  socket.send(publishHello.subarray(3, 4), { fin: false })
  socket.send(publishHello.subarray(4), { fin: true })
  expect(await echoed).toEqual(Buffer.concat([suback, publishHello]))
})

test('a text frame ends the connection with 1003', { tags: ['MQTT5-6.0.0-1', 'MQTT3-6.0.0-1'] }, async () => {
  const { url, errors } = await serve()
  const socket = await openClient(url)
  socket.send('text')
  expect(await closeCode(socket)).toBe(1003)
  expect(errors).toEqual([expect.objectContaining({ code: 'TEXT_FRAME', closeCode: 1003 })])
})

test('with strictSubprotocol false other subprotocols are still refused', async () => {
  const { port, refusals } = await serve({ strictSubprotocol: false })
  const answer = await request(port, upgradeLines('/', { 'Sec-WebSocket-Protocol': 'chat' }))
  expect(answer.status).toBe('HTTP/1.1 400 Bad Request')
  expect(refusals[0]?.error.message).toBe('subprotocol "chat", it must be mqtt or mqttv3.1 or mqttv3.1.1')
})

test.for<[offered: string[], chosen: string]>([
  [['mqtt'], 'mqtt'],
  [['mqttv3.1'], 'mqttv3.1'],
  [['mqttv3.1', 'mqtt'], 'mqtt'],
  [['chat', 'mqtt'], 'mqtt'],
])('of the subprotocols %j it answers %s', { tags: ['MQTT5-6.0.0-4', 'MQTT3-6.0.0-4'] }, async ([offered, chosen]) => {
  const { url } = await serve()
  expect((await openWebSocket(url, offered)).protocol).toBe(chosen)
})

test.for<[string, Record<string, string>, string, string]>([
  ['no subprotocol', {}, 'HTTP/1.1 400 Bad Request', 'SUBPROTOCOL_UNKNOWN'],
  ['another subprotocol', { 'Sec-WebSocket-Protocol': 'chat' }, 'HTTP/1.1 400 Bad Request', 'SUBPROTOCOL_UNKNOWN'],
  ['nearly ours', { 'Sec-WebSocket-Protocol': 'mqtt2, MQTT' }, 'HTTP/1.1 400 Bad Request', 'SUBPROTOCOL_UNKNOWN'],
  [
    'a key that is none',
    { 'Sec-WebSocket-Protocol': 'mqtt', 'Sec-WebSocket-Key': 'short' },
    'HTTP/1.1 400 Bad Request',
    'NOT_A_WEBSOCKET',
  ],
  [
    'an unknown version',
    { 'Sec-WebSocket-Protocol': 'mqtt', 'Sec-WebSocket-Version': '99' },
    'HTTP/1.1 400 Bad Request',
    'NOT_A_WEBSOCKET',
  ],
  [
    'a foreign origin',
    { 'Sec-WebSocket-Protocol': 'mqtt', Origin: 'https://evil.example' },
    'HTTP/1.1 403 Forbidden',
    'ORIGIN_NOT_ALLOWED',
  ],
])('an upgrade with %s is refused', async ([, headers, status, code]) => {
  const { port, refusals, broker } = await serve({ origins: ['https://example.org'] })
  const answer = await request(port, upgradeLines('/mqtt', headers))
  expect(answer.status).toBe(status)
  expect(refusals.map(({ error }) => error.code)).toEqual([code])
  expect(answer.body.trim()).toBe(refusals[0]?.error.message)
  expect(broker.counters.connectionsOpened).toBe(0)
})

test('the origins that are allowed may connect, and who has none', async () => {
  const { url } = await serve({ origins: ['https://example.org'] })
  await openWebSocket(url, 'mqtt', { origin: 'https://example.org' })
  await openWebSocket(url)
})

test('origins that are no browsers may be allowed, and are compared letter by letter', async () => {
  const { port, url } = await serve({ origins: ['example.org'], strictOrigins: false })
  await openWebSocket(url, 'mqtt', { headers: { Origin: 'example.org' } })
  const headers = { 'Sec-WebSocket-Protocol': 'mqtt', Origin: 'https://example.org' }
  expect((await request(port, upgradeLines('/mqtt', headers))).status).toBe('HTTP/1.1 403 Forbidden')
})

test('only the paths that were given lead to the broker', async () => {
  const { port, url, refusals } = await serve({ path: ['/mqtt', '/ws'] })
  await openWebSocket(`${url}/mqtt?x=1`)
  await openWebSocket(`${url}/ws`)
  const { status } = await request(port, upgradeLines('/other', { 'Sec-WebSocket-Protocol': 'mqtt' }))
  expect(status).toBe('HTTP/1.1 404 Not Found')
  expect(refusals[0]?.error.message).toBe('no MQTT at "/other"')
})

test('other listeners for upgrades get theirs', async () => {
  const { server, port, url } = await serve({ path: '/mqtt' })
  server.on('upgrade', (incoming: IncomingMessage, socket) => {
    if (incoming.url === '/chat') socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n')
  })
  expect((await request(port, upgradeLines('/chat'))).status).toBe('HTTP/1.1 418 Teapot')
  await openWebSocket(`${url}/mqtt`)
})

test('client.req is the request, with its headers and cookies', async () => {
  const { broker, url } = await serve()
  const ready = once(broker, 'clientReady') as Promise<[Client]>
  const client = await connectAsync(`${url}/mqtt`, { wsOptions: { headers: { Cookie: 'session=42' } } })
  onTestFinished(() => client.endAsync(true))
  const [{ req }] = await ready
  expect((req as IncomingMessage).headers.cookie).toBe('session=42')
})

test('a message beyond maximumPayload ends the connection with 1009', async () => {
  const { url, errors } = await serve({ maximumPayload: 1000 })
  const socket = await openClient(url)
  socket.send(Buffer.alloc(1001))
  expect(await closeCode(socket)).toBe(1009)
  expect(errors).toEqual([expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' })])
})

test('more bytes than a CONNECT may have end the connection with 1009, also in one message that never ends', async () => {
  const { url, errors } = await serve({ maximumBytesBeforeConnect: 10_000 })
  const socket = await openWebSocket(url)
  const closed = closeCode(socket)
  for (let index = 0; index < 20; index += 1) socket.send(Buffer.alloc(1000), { fin: false })
  expect(await closed).toBe(1009)
  expect(errors).toEqual([expect.objectContaining({ code: 'TOO_MUCH_BEFORE_CONNECT' })])
})

test('what comes behind a failure is thrown away, not collected', async () => {
  const { port, errors } = await serve({ maximumBytesBeforeConnect: 10_000, closeTimeout: 60_000 })
  const before = process.memoryUsage().arrayBuffers
  // The beginning of a message of 30 000 000 bytes, which go on coming whatever the broker says.
  const beginning = Buffer.from([0x02, 0xff, 0, 0, 0, 0, 0x01, 0xc9, 0xc3, 0x80, 0, 0, 0, 0])
  const more = Buffer.alloc(1_000_000)
  const senders = Array.from({ length: 10 }, async () => {
    const socket = rawSocket(port)
    socket.on('error', () => undefined)
    socket.write(`${upgradeLines('/', { 'Sec-WebSocket-Protocol': 'mqtt' }).join('\r\n')}\r\n\r\n`)
    await once(socket, 'data')
    socket.write(beginning)
    for (let sent = 0; sent < 15 && socket.writable; sent += 1) {
      if (!socket.write(more)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined)
    }
  })
  await Promise.all(senders)
  expect(errors).toHaveLength(10)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(75_000_000)
})

test('unfinished messages of all WebSockets together are limited: the one that holds most ends with 1009', async () => {
  const { url, errors } = await serve({ maximumUnfinishedBytes: 100_000 })
  const small = await openClient(url, 'small')
  const large = await openClient(url, 'large')
  const other = await openClient(url, 'other')
  small.send(Buffer.from([0x30, 0x03, 0, 1]), { fin: false })
  const closed = closeCode(large)
  large.send(Buffer.alloc(70_000), { fin: false })
  other.send(Buffer.alloc(40_000), { fin: false })
  expect(await closed).toBe(1009)
  expect(errors).toEqual([expect.objectContaining({ code: 'UNFINISHED_BYTES_EXCEEDED' })])
  // The others go on: what was begun is completed.
  const answer = receive(small, pingresp.length)
  small.send(Buffer.concat([Buffer.from([0x74]), pingreq]), { fin: true })
  expect(await answer).toEqual(pingresp)
})

test('pings, and messages that are complete, do not count as unfinished', async () => {
  const { url, errors } = await serve({ maximumUnfinishedBytes: 10_000 })
  const socket = await openClient(url)
  const answers = receive(socket, 100 * pingresp.length)
  for (let index = 0; index < 100; index += 1) {
    socket.ping(Buffer.alloc(120))
    const header = Buffer.from([0x30, 0xf3, 0x07, 0, 1, 0x74])
    socket.send(Buffer.concat([header, Buffer.alloc(1008), pingreq]))
  }
  await answers
  expect(errors).toEqual([])
})

test('after CONNECT larger messages are welcome', async () => {
  const { url } = await serve({ maximumBytesBeforeConnect: 10_000 })
  const socket = await openClient(url)
  const answer = receive(socket, pingresp.length)
  const header = Buffer.from([0x30, 0xa3, 0x9c, 0x01, 0, 1, 0x74])
  socket.send(Buffer.concat([header, Buffer.alloc(20_000), pingreq]))
  expect(await answer).toEqual(pingresp)
})

test.for<[string, number[]]>([
  ['a frame that is not masked', [0x82, 2, 0xc0, 0]],
  ['reserved bits', [0xf2, 0x82, 0, 0, 0, 0, 0xc0, 0]],
  ['an unknown opcode', [0x83, 0x82, 0, 0, 0, 0, 0xc0, 0]],
  ['a ping of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
])('%s ends the connection with 1002', async ([, frame]) => {
  const { port, errors, broker } = await serve()
  const socket = rawSocket(port)
  socket.write(`${upgradeLines('/', { 'Sec-WebSocket-Protocol': 'mqtt' }).join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  const answer = once(socket, 'data') as Promise<[Buffer]>
  socket.write(Buffer.from(frame))
  const [closeFrame] = await answer
  expect([...closeFrame.subarray(0, 4)]).toEqual([0x88, 2, 1002 >> 8, 1002 & 0xff])
  expect(errors).toEqual([expect.objectContaining({ code: 'FRAME_INVALID', closeCode: 1002 })])
  expect(broker.connectedClients).toBe(0)
})

test('a frame that declares more than it holds waits, and ends with its connection', async () => {
  const { port, broker } = await serve()
  const socket = rawSocket(port)
  socket.write(`${upgradeLines('/', { 'Sec-WebSocket-Protocol': 'mqtt' }).join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  const gone = once(broker, 'connectionError').catch(() => undefined)
  socket.write(Buffer.from([0x82, 0xfe, 0x40, 0, 1, 2, 3, 4, 0x10, 0x20]))
  socket.destroy()
  await Promise.race([gone, once(socket, 'close')])
  const other = await connectAsync(`ws://127.0.0.1:${port}`)
  await other.endAsync()
})

test('pings are answered and end nothing', async () => {
  const { url } = await serve()
  const socket = await openClient(url)
  const pong = once(socket, 'pong') as Promise<[Buffer]>
  socket.ping('are you there')
  expect((await pong)[0].toString()).toBe('are you there')
  socket.pong()
  const answer = receive(socket, pingresp.length)
  socket.send(pingreq)
  expect(await answer).toEqual(pingresp)
})

test('closing the broker says DISCONNECT and then 1000', async () => {
  const { broker, url } = await serve()
  const socket = await openWebSocket(url)
  const connect5 = Buffer.from([0x10, 14, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 1, 0x66])
  const connack = once(socket, 'message')
  socket.send(connect5)
  await connack
  const last = once(socket, 'message') as Promise<[Buffer]>
  const closed = closeCode(socket)
  await broker.close()
  const [disconnect] = await last
  expect([...disconnect.subarray(0, 3)]).toEqual([0xe0, disconnect.length - 2, 0x8b])
  expect(await closed).toBe(1000)
})

test('while a hook takes its time the client is not read from', async () => {
  let letGo = (): void => undefined
  const held = new Promise<void>(resolve => {
    letGo = resolve
  })
  const { url, broker } = await serve({}, { authorizePublish: () => held })
  const socket = await openClient(url)
  const payload = Buffer.alloc(100_000)
  const publish = Buffer.concat([Buffer.from([0x30, 0xa3, 0x8d, 0x06, 0, 1, 0x74]), payload])
  for (let index = 0; index < 300; index += 1) socket.send(publish)
  // 30 MB are sent, and the system's buffers take a few of them.
  await expect.poll(() => broker.counters.packetsReceived).toBe(2)
  expect(socket.bufferedAmount).toBeGreaterThan(10_000_000)
  expect(broker.counters.bytesReceived).toBeLessThan(5_000_000)
  const answer = receive(socket, pingresp.length)
  letGo()
  socket.send(pingreq)
  expect(await answer).toEqual(pingresp)
  expect(broker.counters.packetsReceived).toBe(302)
})

test('a closed transport refuses with 503 and leaves what is open', async () => {
  const { transport, server, port, url } = await serve()
  const socket = await openClient(url)
  transport.close()
  server.on('upgrade', transport.handleUpgrade)
  expect((await request(port, upgradeLines('/', { 'Sec-WebSocket-Protocol': 'mqtt' }))).status).toBe(
    'HTTP/1.1 503 Service Unavailable',
  )
  const answer = receive(socket, pingresp.length)
  socket.send(pingreq)
  expect(await answer).toEqual(pingresp)
})

test.for<[object, string]>([
  [{ path: 'mqtt' }, `option path is "mqtt", it must begin with '/'`],
  [
    { origins: ['example.org'] },
    `option origins is "example.org", it must be like 'https://example.org', without a path`,
  ],
  [{ maximumPayload: 1 }, 'option maximumPayload is 1, it must be a whole number from 128 to 1073741824'],
  [{ closeTimeout: 0 }, 'option closeTimeout is 0, it must be a whole number from 1 to 3600000'],
  [{ perMessageDeflate: 'yes' }, 'option perMessageDeflate is "yes", it must be true or false'],
  [
    { origins: [7], strictOrigins: false },
    `option origins is 7, it must be like 'https://example.org', without a path`,
  ],
  [{ strictOrigins: 1 }, 'option strictOrigins is 1, it must be true or false'],
  [{ strictSubprotocol: 0 }, 'option strictSubprotocol is 0, it must be true or false'],
  [{ packetsPerFrame: 1 }, `option packetsPerFrame is 1, it must be 'one' or 'many'`],
])('the options %j are refused', ([options, message]) => {
  expect(() => new WebSocketTransport(() => undefined, options)).toThrow(new RangeError(message))
})
