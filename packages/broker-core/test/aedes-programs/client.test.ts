import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Client } from '../../src/index.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { pingreq, publish } from '../support/wire.ts'

// What programs written for Aedes use of a client, one test for each.

async function pair(
  server: TestBroker,
  fields = {},
): Promise<{ client: Client; peer: Awaited<ReturnType<TestBroker['connect']>> }> {
  const peer = await server.connect({ version: 4, clientId: 'c', ...fields })
  const client = server.broker.clients['c']
  if (client === undefined) throw new Error('no client c')
  return { client, peer }
}

test('id is null until the identifier is accepted; version, clean, connecting, connected, closed', async () => {
  const early: unknown[] = []
  const server = await startBroker({
    preConnect(client) {
      early.push([client.id, client.version, client.clean, client.connecting, client.connected, client.connackSent])
      return true
    },
  })
  const { client } = await pair(server, { cleanStart: false })
  expect(early).toEqual([[null, null, true, true, false, false]])
  expect(client).toMatchObject({ id: 'c', version: 4, clean: false, connecting: false, connected: true, closed: false })
  expect(client).toMatchObject({ connackSent: true, errored: false })
  const left = server.gone('c')
  client.close()
  await left
  expect(client).toMatchObject({ connecting: false, connected: false, closed: true })
})

test('conn, req, broker, will', async () => {
  const server = await startBroker()
  const { client } = await pair(server, { will: { topic: 'w', payload: 'gone', qos: 1 } })
  expect(client.broker).toBe(server.broker)
  expect(client.conn.destroyed).toBe(false)
  expect(client.req).toBeUndefined()
  expect(client.will).toMatchObject({ topic: 'w', payload: Buffer.from('gone'), qos: 1 })
})

test('errored: an error ended it; its event error comes only to who listens', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  const errors: Error[] = []
  client.on('error', error => errors.push(error))
  peer.send(Buffer.of(0xf0, 0))
  await peer.closed()
  expect(client.errored).toBe(true)
  expect(errors).toHaveLength(1)
})

test('publish: to this client alone, at every QoS; retain is not kept', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  const other = await server.connect({ clientId: 'other' })
  await other.subscribe('#')
  for (const qos of [0, 1, 2] as const) await client.publish({ topic: 'a', payload: `${qos}`, qos, retain: true })
  const got = await peer.nextPublishes(3)
  expect(got.map(({ payload, qos, retain }) => [payload, qos, retain])).toEqual([
    ['0', 0, false],
    ['1', 1, false],
    ['2', 2, false],
  ])
  await other.expectNothing()
})

test('publish: of a lasting session survives its connection', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server, { cleanStart: false })
  await client.publish({ topic: 'a', payload: 'x', qos: 1 })
  await peer.nextPublish()
  await server.drop(peer)
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect(await again.nextPublish()).toMatchObject({ payload: 'x', dup: true })
})

test('publish: after it has left, the callback has the error', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  await server.drop(peer)
  const error = await new Promise<Error | undefined>(resolve => {
    client.publish({ topic: 'a', qos: 1 }, resolve)
  })
  expect(error?.message).toContain('connection closed')
})

test('subscribe: one, a list, an object, a packet; with a messageId SUBACK is sent, with 0 none', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  await client.subscribe({ topic: 'a', qos: 0 })
  await client.subscribe([{ topic: 'b', qos: 0 }])
  await client.subscribe({ subscriptions: [{ topic: 'd', qos: 0 }], messageId: 0 })
  await peer.expectNothing()
  await client.subscribe({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: 'e', qos: 1 }] })
  expect(await peer.nextGranted('suback')).toMatchObject({ id: 7, reasonCodes: [1] })
  for (const topic of ['a', 'b', 'd', 'e']) await server.broker.publish({ topic })
  expect((await peer.nextPublishes(4)).map(({ topic }) => topic)).toEqual(['a', 'b', 'd', 'e'])
})

test('subscribe, publish: inside the listeners of client and clientReady', async () => {
  const server = await startBroker()
  const failed: Error[] = []
  server.broker.on('client', client => {
    client.subscribe({ topic: 'a', qos: 0 }).catch(error => failed.push(error))
  })
  server.broker.on('clientReady', client => {
    client
      .subscribe({ topic: 'b', qos: 0 })
      .then(async () => client.publish({ topic: 'hello' }))
      .catch(error => failed.push(error))
  })
  const peer = await server.connect({ clientId: 'c' })
  expect((await peer.nextPublish()).topic).toBe('hello')
  for (const topic of ['a', 'b']) await server.broker.publish({ topic })
  expect((await peer.nextPublishes(2)).map(({ topic }) => topic)).toEqual(['a', 'b'])
  expect(failed).toEqual([])
})

test('unsubscribe: a text, a list, objects, a packet; with a messageId UNSUBACK is sent', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  await peer.subscribe('a', 'b', 'd', 'e')
  await client.unsubscribe('a')
  await client.unsubscribe([{ topic: 'b' }])
  await client.unsubscribe({ unsubscriptions: ['d'] })
  await peer.expectNothing()
  await client.unsubscribe({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['e'] })
  await peer.next('unsuback')
  for (const topic of ['a', 'b', 'd', 'e']) await server.broker.publish({ topic })
  await peer.expectNothing()
})

test('close: calls back, also the second time; the will is sent', async () => {
  const server = await startBroker()
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('w')
  const { client } = await pair(server, { will: { topic: 'w', payload: 'gone' } })
  for (let time = 0; time < 2; time++) {
    await new Promise<void>(resolve => {
      client.close(resolve)
    })
  }
  expect((await watcher.nextPublish()).payload).toBe('gone')
})

test('pause, resume: nothing is read in between', async () => {
  const server = await startBroker()
  const { client, peer } = await pair(server)
  const seen: string[] = []
  await server.broker.subscribe('a', () => void seen.push('a'))
  client.pause()
  peer.send(publish({ version: 4, topic: 'a' }), pingreq)
  await server.broker.publish({ topic: 'b' })
  expect(seen).toEqual([])
  client.resume()
  await peer.next('pingresp')
  expect(seen).toEqual(['a'])
})

test('emptyOutgoingQueue: calls back', async () => {
  const server = await startBroker()
  const { client } = await pair(server)
  await new Promise<void>(resolve => {
    client.emptyOutgoingQueue(() => resolve())
  })
})

test('waitForDrain: calls back when the connection takes more, with an error when it has ended', async () => {
  const server = await startBroker()
  const stream = new PassThrough({ writableHighWaterMark: 1 })
  const client = server.broker.handle(stream)
  const drained = (): Promise<Error | undefined> =>
    new Promise(resolve => {
      client.waitForDrain(resolve)
    })
  expect(await drained()).toBeUndefined()
  const blocked = new PassThrough({ highWaterMark: 1 })
  const full = server.broker.handle(blocked)
  blocked.pause()
  blocked.write('xx')
  const ended = new Promise<Error | undefined>(resolve => {
    full.waitForDrain(resolve)
  })
  blocked.destroy()
  expect((await ended)?.message).toContain('connection closed')
  stream.destroy()
  await new Promise(setImmediate)
  expect((await drained())?.message).toContain('connection closed')
})
