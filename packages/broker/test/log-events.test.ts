import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { ManualClock } from '@x/contract/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker } from '../src/index.ts'
import { CollectingLogger } from './collecting-logger.ts'

let logger: CollectingLogger
let clock: ManualClock
let broker: Broker
let url: string
let port: number

beforeEach(async () => {
  logger = new CollectingLogger()
  clock = new ManualClock()
  broker = createBroker({ logger, clock, maximumQueuedMessages: 1 })
  const address = await broker.listen({ port: 0, host: '127.0.0.1' })
  url = address.url
  port = address.port ?? 0
})

afterEach(() => broker.close())

test('logs where the broker listens', () => {
  expect(logger.entries).toEqual([{ level: 'info', fields: { url, listener: 'mqtt:0' }, text: `listening on ${url}` }])
})

test('logs who connects, with version, keep alive and clean start, and who disconnects', async () => {
  const client = await connectAsync(url, { clientId: 'kitchen', protocolVersion: 5, keepalive: 30 })
  const address: unknown = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
  expect(await logger.entry(/connected$/)).toEqual({
    level: 'info',
    fields: { client: 'kitchen', address, listener: 'mqtt:0', version: 5, keepalive: 30, clean: true },
    text: 'client kitchen connected',
  })
  await client.endAsync()
  expect(await logger.entry(/ disconnected: /)).toEqual({
    level: 'info',
    fields: { client: 'kitchen', address, reason: 'disconnect' },
    text: 'client kitchen disconnected: it said DISCONNECT',
  })
})

test('logs a connection that does not begin with CONNECT as refused, with code and reason code', async () => {
  const socket = connect(port, '127.0.0.1')
  socket.end(Buffer.from([0xc0, 0])) // PINGREQ
  const { level, fields } = await logger.entry(/^connection refused: /)
  expect(level).toBe('warn')
  expect(fields).toMatchObject({ code: 'FIRST_PACKET_NOT_CONNECT', reasonCode: 0x82 })
})

test('logs a connection that never became a client, with listener, address and code', async () => {
  await broker.listen({ name: 'web', port: 0, host: '127.0.0.1', websocket: true }).then(({ port: webPort }) => {
    connect(webPort ?? 0, '127.0.0.1').end('nonsense\r\n\r\n')
  })
  const { level, fields, text } = await logger.entry(/^connection refused: HTTP/)
  expect(level).toBe('warn')
  const address: unknown = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
  expect(fields).toEqual({ listener: 'web', address, code: 'HTTP_INVALID' })
  expect(text).toContain('Parse Error')
})

test('logs a refused client without its password', async () => {
  broker.authenticate = (_client, _username, _password, done) => done(null, false)
  const refused = connectAsync(url, { clientId: 'thief', username: 'alice', password: 'Gh3im' }, false)
  await expect(refused).rejects.toThrow('Not authorized')
  const { level, fields } = await logger.entry(/^client thief: /)
  expect(level).toBe('warn')
  expect(fields).toMatchObject({ client: 'thief', code: 'NOT_AUTHENTICATED' })
  expect(JSON.stringify(logger.entries)).not.toContain('Gh3im')
})

test('logs what a connected client does wrong, under its name', async () => {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    // CONNECT, MQTT 3.1.1, clean session, keep alive 60 s, client identifier 'c'
    Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x63]),
  )
  await logger.entry(/connected$/)
  socket.end(Buffer.from([0x36, 0])) // PUBLISH with QoS 3
  const { level, fields } = await logger.entry(/^client c: /)
  expect(level).toBe('warn')
  expect(fields).toMatchObject({ client: 'c', reasonCode: 0x81 })
})

test('logs messages dropped from a full queue, with queue, count and reason', async () => {
  const absent = await connectAsync(url, { clientId: 'absent', clean: false })
  await absent.subscribeAsync('news', { qos: 1 })
  await absent.endAsync()
  await broker.publish({ topic: 'news', payload: 'one', qos: 1 })
  await broker.publish({ topic: 'news', payload: 'two', qos: 1 })
  expect(await logger.entry(/dropped/)).toEqual({
    level: 'warn',
    fields: { queue: 'absent', reason: 'queueFull', count: 1 },
    text: '1 message(s) for absent dropped: queueFull',
  })
})

test('logs an error of the broker itself instead of ending the process', async () => {
  const error = new Error('disk full')
  broker.reportError(error)
  expect(await logger.entry(/disk full/)).toEqual({ level: 'error', fields: { err: error }, text: 'disk full' })
})

/** MQTT 3.1.1, clean session, keep alive 60 s. */
function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId)
  const body = Buffer.concat([
    Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, id.length >> 8, id.length & 0xff]),
    id,
  ])
  const length: number[] = []
  for (let left = body.length; left > 0 || length.length === 0; left >>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left)
  }
  return Buffer.concat([Buffer.from([0x10, ...length]), body])
}

/** What could steer a terminal, end a line or turn its direction. */
// oxlint-disable-next-line no-control-regex -- these are looked for
const raw = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u

function texts(): string {
  return logger.entries.flatMap(({ fields, text }) => [text, ...Object.values(fields).map(String)]).join('')
}

test.each([
  ['newline', 'a\nclient b connected', 'a\\u{a}client b connected'],
  ['escape', 'a\u001B[2J', 'a\\u{1b}[2J'],
  ['C1 control', 'a\u009B2J', 'a\\u{9b}2J'],
  ['direction marks', 'a\u202Eb\u2066c\u2069', 'a\\u{202e}b\\u{2066}c\\u{2069}'],
  ['byte order mark', '\uFEFFa', '\\u{feff}a'],
  ['line separator', 'a\u2028b', 'a\\u{2028}b'],
])('an identifier with %s is printable in each line', async (_what, clientId, shown) => {
  const socket = connect(port, '127.0.0.1')
  socket.write(connectPacket(clientId))
  expect((await logger.entry(/connected$/)).text).toBe(`client ${shown} connected`)
  socket.end(Buffer.from([0x36, 0])) // PUBLISH with QoS 3
  await logger.entry(/ disconnected: /)
  broker.reportError(new Error(`queue of ${clientId}`, { cause: new Error(clientId) }))
  const { fields, text } = await logger.entry(/^queue of/)
  expect(text).toBe(`queue of ${shown}`)
  const { err } = fields as { err: Error & { cause: Error } }
  for (const line of [...(err.stack ?? '').split('\n'), err.message, err.cause.message]) expect(line).not.toMatch(raw)
  expect(texts().replaceAll('\n    at ', '')).not.toMatch(raw)
})

test('a topic in the sentence of an error is printable and cut', async () => {
  broker.authorizePublish = (_client, { topic }) => {
    throw new Error(`no right to ${topic}`)
  }
  const client = await connectAsync(url, { clientId: 'c', protocolVersion: 5 })
  await client.publishAsync(`\u0085${'t'.repeat(5000)}`, 'x')
  const { text } = await logger.entry(/^client c: no right/)
  expect(text).toMatch(/^client c: no right to \\u\{85\}t{400}/)
  expect(text).toContain('… (5013 characters)')
  expect(text.length).toBeLessThan(600)
  await client.endAsync()
})

test('an identifier is cut to 64 characters', async () => {
  const socket = connect(port, '127.0.0.1')
  socket.write(connectPacket('x'.repeat(60_000)))
  const { fields, text } = await logger.entry(/connected$/)
  expect(text).toBe(`client ${'x'.repeat(64)}… (60000 characters) connected`)
  expect(fields).toMatchObject({ client: `${'x'.repeat(64)}… (60000 characters)` })
  socket.destroy()
})

test('warnings of one client that repeat are summed up every 10 s', async () => {
  broker.authorizePublish = () => false as never
  const client = await connectAsync(url, { clientId: 'c', protocolVersion: 5 })
  for (let count = 0; count < 50; count += 1) await client.publishAsync('t', 'x', { qos: 1 }).catch(() => undefined)
  const warnings = (): string[] => logger.entries.filter(({ level }) => level === 'warn').map(({ text }) => text)
  expect(warnings()).toEqual(["client c: authorizePublish refused a message to 't'"])
  clock.advance(10_000)
  expect(warnings().slice(1)).toEqual([
    "client c: authorizePublish refused a message to 't' … 49 more like this in 10 s",
  ])
  await client.publishAsync('t', 'x', { qos: 1 }).catch(() => undefined)
  expect(warnings()).toHaveLength(3)
  await client.publishAsync('t', 'x', { qos: 1 }).catch(() => undefined)
  await broker.close()
  expect(warnings().slice(3)).toEqual([
    "client c: authorizePublish refused a message to 't' … 1 more like this in 10 s",
  ])
})

test('of more than 1000 sources that warn, the further ones are summed up together', () => {
  for (let index = 0; index < 3000; index += 1) {
    broker.emit('dropped', { queue: `q${index}`, reason: 'queueFull', count: 2 })
  }
  expect(logger.entries.filter(({ level }) => level === 'warn')).toHaveLength(1000)
  clock.advance(10_000)
  expect(logger.entries.filter(({ level }) => level === 'warn')).toHaveLength(1001)
  expect(logger.entries.at(-1)?.text).toBe('… 4000 more of dropped: queueFull from others in 10 s')
})

test('of a storm of clients that come and go, maximumLogRate of a second have lines, and the others one', async () => {
  broker.maximumLogRate = 3
  for (let count = 0; count < 5; count += 1) {
    const client = await connectAsync(url, { clientId: `c${count}`, reconnectPeriod: 0 })
    const gone = new Promise(resolve => {
      broker.once('clientDisconnect', resolve)
    })
    await client.endAsync()
    await gone
  }
  const told = (): string[] => logger.entries.map(({ text }) => text).filter(text => text.includes('connected'))
  expect(told()).toHaveLength(6)
  expect(broker.counters.logLinesSummedUp).toBe(4)
  clock.advance(1000)
  expect(told().slice(6)).toEqual([
    '… 2 more clients connected: maximumLogRate is 3',
    '… 2 more clients disconnected: maximumLogRate is 3',
  ])
  const later = await connectAsync(url, { clientId: 'later', reconnectPeriod: 0 })
  expect((await logger.entry(/client later/)).text).toBe('client later connected')
  await later.endAsync()
})

test('what a closing broker has not told yet of a storm is told', async () => {
  broker.maximumLogRate = 1
  for (const clientId of ['a', 'b']) await (await connectAsync(url, { clientId, reconnectPeriod: 0 })).endAsync()
  await broker.close()
  expect(logger.entries.map(({ text }) => text)).toContain('… 1 more clients connected: maximumLogRate is 1')
})
