import { afterAll, describe, expect, test } from 'vitest'
import type { Protocol } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { connectFrame, openSocket, openWay, readAll } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())

const get = 'GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n'
const post = 'POST / HTTP/1.1\r\n\r\n'
const upgrade = 'GET /mqtt HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const clientHello = Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1, 3, 3])
const mqtt = connectFrame('lost')

describe.skipIf(!authority.works)('who has taken the wrong port is told so in the log', () => {
  const tls = authority.sign('localhost')

  test.for<[string, Protocol[], string | Buffer, string, string]>([
    ['HTTP', ['mqtt'], get, 'FIRST_PACKET_NOT_CONNECT', 'Invalid protocol: an HTTP request came where MQTT is spoken'],
    ['POST', ['mqtt'], post, 'FIRST_PACKET_NOT_CONNECT', 'Invalid protocol: an HTTP request came where MQTT is spoken'],
    ['WebSocket', ['mqtt'], upgrade, 'FIRST_PACKET_NOT_CONNECT', 'an HTTP request came where MQTT is spoken'],
    ['TLS', ['mqtt'], clientHello, 'FIRST_PACKET_NOT_CONNECT', 'a TLS handshake came where MQTT is spoken'],
    ['a proxy', ['mqtt'], 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 'FIRST_PACKET_NOT_CONNECT', 'trustProxy'],
    ['a proxy', ['mqtt'], Buffer.from([13, 10, 13, 10, 0, 13, 10]), 'FIRST_PACKET_NOT_CONNECT', 'a PROXY header'],
    ['MQTT', ['ws'], mqtt, 'HTTP_INVALID', 'MQTT came where HTTP is spoken'],
    ['TLS', ['ws'], clientHello, 'HTTP_INVALID', 'a TLS handshake came where HTTP is spoken'],
    ['MQTT', ['mqtts'], mqtt, 'TLS_FAILED', 'does not speak TLS, such as an MQTT client'],
    ['MQTT', ['wss'], mqtt, 'TLS_FAILED', 'does not speak TLS'],
    ['HTTP', ['mqtts'], get, 'TLS_FAILED', 'speaks HTTP without TLS'],
    ['HTTP', ['wss'], get, 'TLS_FAILED', 'speaks HTTP without TLS'],
    ['TLS', ['mqtt', 'ws'], clientHello, 'PROTOCOL_UNKNOWN', 'a TLS handshake came where mqtt, ws is spoken'],
    ['MQTT', ['mqtts', 'ws'], mqtt, 'PROTOCOL_UNKNOWN', 'MQTT came where mqtts, ws is spoken'],
    ['HTTP', ['mqtt', 'mqtts'], get, 'PROTOCOL_UNKNOWN', 'an HTTP request came where mqtt, mqtts is spoken'],
  ])('%s on a port of %j', async ([, protocols, bytes, code, text]) => {
    const warnings: { code?: string; text: string }[] = []
    const warn = (fields: object, line: string): void => void warnings.push({ ...fields, text: line })
    const logger = { debug() {}, info() {}, warn, error: warn }
    const secure = protocols.some(one => one === 'mqtts' || one === 'wss')
    const { port } = await openWay({ protocols, ...(secure && { tls }) }, { logger })
    const socket = openSocket({ port, host: '127.0.0.1' })
    socket.write(bytes)
    await readAll(socket)
    await expect.poll(() => warnings).toMatchObject([{ code }])
    expect(warnings[0]?.text).toContain(text)
  })
})
