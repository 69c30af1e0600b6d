import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker } from '../src/index.ts'
import { CollectingLogger } from './collecting-logger.ts'

let logger: CollectingLogger
let broker: Broker
let url: string
let port: number

beforeEach(async () => {
  logger = new CollectingLogger()
  broker = createBroker({ logger, maximumQueuedMessages: 1 })
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
  expect(await logger.entry(/disconnected$/)).toEqual({
    level: 'info',
    fields: { client: 'kitchen', address },
    text: 'client kitchen disconnected',
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
