import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, test } from 'vitest'
import type { Protocol } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { exchange, openSocket, openWay, readAll } from './ways-in.ts'
import type { Way } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const tries = 4200
const together = 200
const all: readonly Protocol[] = ['mqtt', 'mqtts', 'ws', 'wss']

describe.skipIf(!authority.works)('on a port for everything', () => {
  const server = authority.sign('localhost')
  const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

  async function open(connectTimeout = 30_000): Promise<Way> {
    return openWay({ protocols: all, tls: server, connectTimeout }, { trustProxy: true, trustedProxies: ['127.0.0.1'] })
  }

  /** What the peer gets for these bytes, and what the broker says of it. */
  async function send(way: Way, bytes: string | Buffer): Promise<string> {
    const socket = openSocket({ port: way.port, host: '127.0.0.1' })
    socket.write(bytes)
    return readAll(socket)
  }

  test.for<[string, string | Buffer, string]>([
    ['half a TLS handshake', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]), 'HANDSHAKE_TIMEOUT'],
    ['nothing', '', 'HANDSHAKE_TIMEOUT'],
    ['half a PROXY header', 'PROXY TCP4 203.0.113.9', 'HANDSHAKE_TIMEOUT'],
    ['half of an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n', 'HANDSHAKE_TIMEOUT'],
  ])('%s is waited for until connectTimeout', async ([, bytes, code]) => {
    const way = await open(150)
    expect(await send(way, bytes)).toBe('')
    expect(way.refusals).toMatchObject([{ code, origin: { remoteAddress: '127.0.0.1' } }])
    expect(way.refusals[0]?.message).toContain('connectTimeout')
  })

  test.for<[string, string | Buffer, string, string | RegExp]>([
    ['TLS that is none', Buffer.from([0x16, 3, 1, 0, 4, 9, 9, 9, 9]), 'TLS_FAILED', /./],
    ['an HTTP header of 64 KB', `GET / HTTP/1.1\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`, 'HTTP_INVALID', /^HTTP\/1.1 431/],
    ['HTTP that is none', 'GET / NONSENSE\r\n\r\n', 'HTTP_INVALID', /^HTTP\/1.1 400/],
    ['an upgrade without subprotocol', `${upgrade}${key}\r\n`, 'SUBPROTOCOL_UNKNOWN', /^HTTP\/1.1 400/],
    [
      'an upgrade to something else',
      `${upgrade}${key}Sec-WebSocket-Protocol: chat\r\n\r\n`,
      'SUBPROTOCOL_UNKNOWN',
      /^HTTP\/1.1 400/,
    ],
    ['an upgrade without a key', `${upgrade}Sec-WebSocket-Protocol: mqtt\r\n\r\n`, 'NOT_A_WEBSOCKET', /^HTTP\/1.1 400/],
    ['a byte that begins nothing', Buffer.from([0xff]), 'PROTOCOL_UNKNOWN', ''],
    ['a PROXY header that is wrong', 'PROXY TCP4 1 2 3 4\r\n', 'PROXY_HEADER_INVALID', ''],
    [
      'a PROXY header of 64 KB',
      Buffer.from('\r\n\r\n\0\r\nQUIT\n\u0021\u0011\u00FF\u00FF', 'latin1'),
      'PROXY_HEADER_TOO_LARGE',
      '',
    ],
    ['two PROXY headers', 'PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n\r\n', 'HTTP_INVALID', /^HTTP\/1.1 400/],
  ])('%s ends its connection, and is told with the address', async ([, bytes, code, answer]) => {
    const way = await open()
    expect(await send(way, bytes)).toMatch(answer)
    expect(way.refusals).toMatchObject([
      { code, origin: { listener: 'mqtt,mqtts,ws,wss:0', remoteAddress: '127.0.0.1' } },
    ])
    await exchange(`mqtt://127.0.0.1:${way.port}`)
  })

  test('a peer that leaves at once leaves nothing behind', async () => {
    const way = await open()
    openSocket({ port: way.port, host: '127.0.0.1' }).end()
    await once(way.broker, 'connectionRefused')
    expect(way.refusals).toMatchObject([{ code: 'CONNECTION_LOST' }])
    await expect.poll(() => way.broker.listenerConnections[0]?.connections).toBe(0)
  })

  test('a denied peer is closed before it has said anything', async () => {
    const way = await openWay({ protocols: all, tls: server, deny: ['127.0.0.1'], maximumConnectionRate: 1 })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await readAll(openSocket({ port: way.port, host: '127.0.0.1' }))).toBe('')
    }
    // Nor does it use up the rate of those who may come.
    expect(way.refusals.map(({ code }) => code)).toEqual(['ADDRESS_DENIED', 'ADDRESS_DENIED', 'ADDRESS_DENIED'])
  })

  test.for<[string, string]>([
    ['TLS handshake', '\x16\x03\x01\x02\x00\x01'],
    ['HTTP request', 'GET / HTTP/1.1\r\n'],
    ['PROXY header', 'PROXY TCP4 203.0.113'],
  ])('a broker that closes does not wait for half a %s', async ([, bytes]) => {
    const way = await open()
    const socket = openSocket({ port: way.port, host: '127.0.0.1' })
    socket.write(Buffer.from(bytes, 'latin1'))
    await expect.poll(() => way.broker.listenerConnections[0]?.connections).toBe(1)
    const ended = readAll(socket)
    await way.broker.close()
    expect(await ended).toBe('')
  })

  test(`${tries} broken connections of every kind leave nothing behind`, { timeout: 120_000 }, async () => {
    const way = await open()
    const kinds: readonly ((done: () => void) => void)[] = [
      '\u0016\u0003\u0001\0\u0004\u0009\u0009\u0009\u0009',
      '\u00FF',
      'PROXY TCP4 1 2 3 4\r\n',
      'GET / NONSENSE\r\n\r\n',
      `${upgrade}${key}\r\n`,
      `${upgrade}${key}Sec-WebSocket-Protocol: mqtt\r\n\r\n\u0081\u0080\0\0\0\0`,
      '\u0010\u0001\0',
    ].map(text => done => {
      const socket = openSocketQuietly(way.port)
      // One that leaves right away spares waiting for its answer to a close frame.
      if (text.includes('Protocol: mqtt')) socket.end(text, 'latin1')
      else socket.write(text, 'latin1')
      socket.resume().once('close', done)
    })
    const run = async (count: number): Promise<void> => {
      let begun = 0
      const worker = async (): Promise<void> => {
        while (begun < count) {
          const kind = kinds[begun % kinds.length]
          begun += 1
          await new Promise<void>(resolve => kind?.(resolve))
        }
      }
      await Promise.all(Array.from({ length: together }, worker))
    }
    const secure = (): Promise<unknown> => {
      const socket = connectTls({ port: way.port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.once('secureConnect', () => socket.destroy()).on('error', () => undefined)
      return once(socket, 'close')
    }
    await run(tries / 10)
    await secure()
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    await run(tries)
    for (let times = 0; times < 50; times += 1) await secure()
    await expect.poll(() => way.broker.listenerConnections[0]?.connections).toBe(0)
    way.refusals.length = 0
    collectGarbage()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(tries * 1000)
    await exchange(`mqtt://127.0.0.1:${way.port}`)
  })
})

/** Without the test's own list of things to close, which would be what grows. */
function openSocketQuietly(port: number): ReturnType<typeof openSocket> {
  return connectPlain({ port, host: '127.0.0.1' }).on('error', () => undefined)
}
