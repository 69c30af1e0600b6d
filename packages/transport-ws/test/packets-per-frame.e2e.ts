import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer, createWebSocketStream } from 'ws'
import type { WebSocket } from 'ws'
import { createBroker } from '@x/broker'
import { WebSocketTransport } from '../src/index.ts'
import type { WebSocketOptions } from '../src/index.ts'
import { connackFrame, connectFrame, openWebSocket, receive, serve } from './serve.ts'

const subscribeAll = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0])
const suback = Buffer.from([0x90, 3, 0, 1, 0])
const pingreq = Buffer.from([0xc0, 0])
const pingresp = Buffer.from([0xd0, 0])

/** PUBLISH, QoS 0, topic 't', `size` bytes in all: 2 to 4 of them before the topic. */
function publishOf(size: number, fill: string): Buffer {
  const lengthBytes = size < 130 ? 1 : size < 16_387 ? 2 : 3
  const remaining = size - 1 - lengthBytes
  const length: number[] = []
  for (let left = remaining, index = 0; index < lengthBytes; index += 1, left >>= 7) {
    length.push((left & 0x7f) | (index < lengthBytes - 1 ? 0x80 : 0))
  }
  return Buffer.concat([Buffer.from([0x30, ...length, 0, 1, 0x74]), Buffer.alloc(remaining - 3, fill)])
}

/** The messages that come, until their bytes are as many as asked for. */
function messagesOf(socket: WebSocket, bytes: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const messages: Buffer[] = []
    let received = 0
    socket.on('message', (data: Buffer) => {
      messages.push(data)
      received += data.length
      if (received >= bytes) resolve(messages)
    })
    socket.once('close', code => reject(new Error(`closed with ${code} after ${received} bytes`)))
  })
}

async function openClient(url: string, options = {}): Promise<WebSocket> {
  const socket = await openWebSocket(url, 'mqtt', options)
  const answer = receive(socket, connackFrame.length)
  socket.send(connectFrame('raw'))
  await answer
  return socket
}

/** What a client gets of a turn in which all this is answered and comes back to it. */
async function echoed(publishes: readonly Buffer[], options: WebSocketOptions, client = {}): Promise<Buffer[]> {
  const { url } = await serve(options)
  const socket = await openClient(url, client)
  const expected = [suback, ...publishes, pingresp]
  const messages = messagesOf(socket, Buffer.concat(expected).length)
  socket.send(Buffer.concat([subscribeAll, ...publishes, pingreq]))
  return messages
}

const alike = Array.from({ length: 300 }, (_none, index) => publishOf(20, String(index % 10)))

test.for<[string, Buffer[]]>([
  ['of all kinds', [publishOf(20, 'a'), publishOf(20, 'b')]],
  ['passed on as one range of bytes', alike],
  ['as long as each form of a frame header takes', [125, 126, 127, 65_535, 65_536, 65_537].map(n => publishOf(n, 'x'))],
  ['too large to be copied', [publishOf(20_000, 'a'), publishOf(20_001, 'b'), publishOf(90_000, 'c')]],
])('each packet comes in a frame of its own, packets %s', async ([, publishes]) => {
  expect(await echoed(publishes, {})).toEqual([suback, ...publishes, pingresp])
})

test("each packet comes in a frame of its own where a program makes the stream with ws's createWebSocketStream", async () => {
  const broker = createBroker()
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', webSocket => broker.handle(createWebSocketStream(webSocket)))
  onTestFinished(async () => {
    await broker.close()
    server.close()
  })
  await once(server, 'listening')
  const socket = await openClient(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const publishes = [...alike, publishOf(70_000, 'x'), publishOf(20, 'y')]
  const expected = [suback, ...publishes, pingresp]
  const messages = messagesOf(socket, Buffer.concat(expected).length)
  socket.send(Buffer.concat([subscribeAll, ...publishes, pingreq]))
  expect(await messages).toEqual(expected)
})

test('each packet comes in a frame of its own, compressed', async () => {
  const messages = await echoed([publishOf(5000, 'a'), publishOf(20, 'b')], { perMessageDeflate: true })
  expect(messages).toEqual([suback, publishOf(5000, 'a'), publishOf(20, 'b'), pingresp])
})

test('each packet comes in a frame of its own to every receiver of the same bytes', async () => {
  const { url } = await serve()
  const receivers = await Promise.all([1, 2, 3].map(() => openWebSocket(url)))
  for (const [index, socket] of receivers.entries()) {
    const answers = receive(socket, connackFrame.length + suback.length)
    socket.send(Buffer.concat([connectFrame(`r${index}`), subscribeAll]))
    await answers
  }
  const publisher = await openClient(url)
  for (const fill of ['1', '2']) {
    const publishes = alike.map(({ length }) => publishOf(length, fill))
    const received = receivers.map(socket => messagesOf(socket, Buffer.concat(publishes).length))
    publisher.send(Buffer.concat(publishes))
    for (const messages of await Promise.all(received)) expect(messages).toEqual(publishes)
    for (const socket of receivers) socket.removeAllListeners('message')
  }
})

test('with packetsPerFrame many what goes out together is one message', async () => {
  const publishes = [publishOf(20, 'a'), publishOf(20, 'b')]
  const messages = await echoed(publishes, { packetsPerFrame: 'many' })
  expect(messages).toEqual([Buffer.concat([suback, ...publishes, pingresp])])
})

test.for(['one', 'many'] as const)('a turn is one write to the socket, packetsPerFrame %s', async packetsPerFrame => {
  const { server, url } = await serve({ packetsPerFrame })
  const connected = once(server, 'connection') as Promise<[Socket]>
  const socket = await openClient(url)
  const [served] = await connected
  let writes = 0
  for (const name of ['_write', '_writev'] as const) {
    const write = served[name] as (...values: unknown[]) => void
    served[name] = (...values: unknown[]) => {
      writes += 1
      write.apply(served, values)
    }
  }
  const publishes = [publishOf(20, 'a'), publishOf(300, 'b'), publishOf(20, 'c')]
  const answers = messagesOf(socket, suback.length + Buffer.concat(publishes).length)
  socket.send(Buffer.concat([subscribeAll, ...publishes]))
  await answers
  expect(writes).toBe(1)
})

/** The stream of one WebSocket, which a program writes to, and the messages that its client gets. */
async function handedStream(options: WebSocketOptions = {}): Promise<{ stream: Duplex; socket: WebSocket }> {
  let hand: (stream: Duplex) => void = () => undefined
  const handed = new Promise<Duplex>(resolve => {
    hand = resolve
  })
  const server = createServer()
  new WebSocketTransport(stream => hand(stream), options).attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const socket = await openWebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return { stream: await handed, socket }
}

test.for([{}, { perMessageDeflate: true }])('a packet that is written in pieces is one frame, %j', async options => {
  const { stream, socket } = await handedStream(options)
  const packets = [suback, publishOf(300, 'a'), publishOf(20, 'b'), pingresp]
  const bytes = Buffer.concat(packets)
  const messages = messagesOf(socket, 2 * bytes.length)
  for (const byte of bytes) stream.write(Buffer.of(byte))
  const rest = Buffer.from(bytes)
  stream.write(rest.subarray(0, 100), () => rest.fill(0, 0, 100))
  stream.write(rest.subarray(100))
  expect(await messages).toEqual([...packets, ...packets])
})

test('what is no whole packet when the stream ends is sent all the same', async () => {
  const { stream, socket } = await handedStream()
  const messages = messagesOf(socket, pingresp.length + 3)
  stream.write(Buffer.from([...pingresp, 0x30, 9, 1]))
  stream.end()
  expect(await messages).toEqual([pingresp, Buffer.from([0x30, 9, 1])])
})

test('what is no MQTT is sent as it comes', async () => {
  const { stream, socket } = await handedStream()
  const messages = messagesOf(socket, 14)
  stream.write(Buffer.alloc(7, 0xff))
  stream.write(Buffer.alloc(7, 0xff))
  expect(await messages).toEqual([Buffer.alloc(7, 0xff), Buffer.alloc(7, 0xff)])
})

test('messages and the answer to a ping keep their order and their frames', async () => {
  const { url } = await serve()
  const socket = await openClient(url)
  const pong = once(socket, 'pong') as Promise<[Buffer]>
  const messages = messagesOf(socket, 2 * pingresp.length)
  socket.send(pingreq)
  socket.ping('between')
  socket.send(pingreq)
  expect((await pong)[0].toString()).toBe('between')
  expect(await messages).toEqual([pingresp, pingresp])
})

test.for<[string | undefined, string]>([
  ['mqttv3.1.1', 'mqttv3.1.1'],
  ['mqtt', 'mqtt'],
  [undefined, ''],
])('with strictSubprotocol false the subprotocol %j is served', async ([offered, chosen]) => {
  const { url } = await serve({ strictSubprotocol: false })
  const socket = await openWebSocket(url, offered ?? [])
  expect(socket.protocol).toBe(chosen)
  const answer = receive(socket, connackFrame.length)
  socket.send(connectFrame('lax'))
  expect(await answer).toEqual(connackFrame)
})
