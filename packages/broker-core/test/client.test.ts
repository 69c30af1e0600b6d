import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { readReason } from './support/frame.ts'
import { PropertyId, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { puback } from './support/wire.ts'

function clientOf(server: TestBroker, id: string): Client {
  const client = server.broker.client(id)
  if (client === undefined) throw new Error(`no client ${id}`)
  return client
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('tells who it is', async () => {
    const server = await startBroker()
    const will = { topic: 'w', payload: 'p', qos: 1 }
    const raw = await server.connect({ version, clientId: 'c', keepAlive: 30, cleanStart: true, will })
    const client = clientOf(server, 'c')
    expect(client).toMatchObject({
      id: 'c',
      version,
      clean: true,
      keepalive: 30,
      connected: true,
      connecting: false,
      closed: false,
    })
    expect(client.broker).toBe(server.broker)
    expect(client.will).toMatchObject({ topic: 'w', qos: 1 })
    expect((client.conn as { remotePort?: number }).remotePort).toBe(raw.socket.localPort)
  })

  versionTest('publish sends to this client alone, at each QoS, without RETAIN', async () => {
    const server = await startBroker()
    const one = await server.connect({ version, clientId: 'one' })
    const other = await server.connect({ version, clientId: 'other' })
    for (const client of [one, other]) await client.subscribe(['#', 2])
    for (const qos of [0, 1, 2] as const) {
      await clientOf(server, 'one').publish({ topic: 'direct', qos, retain: true, payload: `${qos}` })
      expect(await one.nextPublish()).toMatchObject({
        topic: 'direct',
        qos,
        payload: `${qos}`,
        retain: false,
        dup: false,
      })
    }
    await other.expectNothing()
    expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
  })

  versionTest('what publish sends to a lasting session survives the connection', async () => {
    const server = await startBroker()
    const raw = await server.connect({ ...lasting, clientId: 's' })
    await clientOf(server, 's').publish({ topic: 'direct', qos: 1, payload: 'x' })
    const { id } = await raw.nextPublish()
    await server.drop(raw)
    const again = await server.connect({ ...lasting, clientId: 's' })
    expect(await again.nextPublish()).toMatchObject({ id, dup: true, payload: 'x' })
    again.send(puback(id))
    await again.ping()
  })

  versionTest('subscribe and unsubscribe act as if the client had asked, in every form', async () => {
    const server = await startBroker()
    const raw = await server.connect({ ...lasting, clientId: 's' })
    const client = clientOf(server, 's')
    await client.subscribe({ topic: 'one', qos: 1 })
    await client.subscribe([
      { topic: 'two', qos: 0 },
      { topic: 'three', qos: 2 },
    ])
    await raw.expectNothing()
    await client.subscribe({ subscriptions: [{ topic: 'four', qos: 1 }], messageId: 42 })
    const suback = await raw.next('suback')
    expect([...suback.body]).toEqual(version === 5 ? [0, 42, 0, 1] : [0, 42, 1])
    for (const topic of ['one', 'two', 'three', 'four']) {
      await server.broker.publish({ topic, qos: 2 })
      expect((await raw.nextPublish()).topic).toBe(topic)
    }
    await client.unsubscribe('one')
    await client.unsubscribe(['two', { topic: 'three' }])
    await raw.expectNothing()
    await client.unsubscribe({ unsubscriptions: ['four'], messageId: 43 })
    expect([...(await raw.next('unsuback')).body.subarray(0, 2)]).toEqual([0, 43])
    for (const topic of ['one', 'two', 'three', 'four']) await server.broker.publish({ topic, qos: 2 })
    await raw.expectNothing()
  })

  versionTest('subscribe brings retained messages, and works inside listeners', async () => {
    const server = await startBroker()
    await server.broker.publish({ topic: 'r', retain: true, payload: 'kept' })
    server.broker.on('clientReady', (client: Client) => void client.subscribe({ topic: 'r', qos: 0 }))
    const raw = await server.connect({ version, clientId: 'c' })
    expect(await raw.nextPublish()).toMatchObject({ topic: 'r', retain: true, payload: 'kept' })
  })

  versionTest('callbacks instead of promises, never before the call has returned', async () => {
    const server = await startBroker()
    const raw = await server.connect({ version, clientId: 'c' })
    const client = clientOf(server, 'c')
    const order: string[] = []
    await new Promise<void>(resolve => {
      client.publish({ topic: 'a' }, error => order.push(`published ${error}`))
      client.subscribe({ topic: 'b', qos: 0 }, error => order.push(`subscribed ${error}`))
      client.unsubscribe('b', error => {
        order.push(`unsubscribed ${error}`)
        resolve()
      })
      order.push('returned')
    })
    expect(order).toEqual(['returned', 'published undefined', 'subscribed undefined', 'unsubscribed undefined'])
    await raw.nextPublish()
  })

  versionTest('close tells the reason, calls back each time, and the connection is gone', async () => {
    const server = await startBroker()
    const raw = await server.connect({ version, clientId: 'c' })
    const client = clientOf(server, 'c')
    await new Promise<void>(resolve => {
      client.close({ reasonCode: 0x9c, serverReference: 'elsewhere' }, resolve)
    })
    const frames = await raw.closed()
    if (version === 5) {
      const [frame] = frames
      if (frame === undefined) throw new Error('no DISCONNECT')
      const reason = readReason(frame, 'disconnect')
      expect(reason.reasonCode).toBe(0x9c)
      expect(propertyValue(reason.properties, PropertyId.serverReference)).toBe('elsewhere')
    } else expect(frames).toEqual([])
    await new Promise<void>(resolve => {
      client.close(resolve)
    })
    expect(client).toMatchObject({ closed: true, connected: false })
  })

  versionTest('a closed client refuses with CONNECTION_CLOSED', async () => {
    const server = await startBroker()
    const raw = await server.connect({ version, clientId: 'c' })
    const client = clientOf(server, 'c')
    await server.drop(raw)
    const refusal = { code: 'CONNECTION_CLOSED', message: expect.stringContaining('connection closed') as string }
    await expect(client.publish({ topic: 'a' })).rejects.toMatchObject(refusal)
    await expect(client.subscribe({ topic: 'a', qos: 0 })).rejects.toMatchObject(refusal)
    await expect(client.unsubscribe('a')).rejects.toMatchObject(refusal)
    const error = await new Promise<Error | undefined>(resolve => {
      client.publish({ topic: 'a' }, resolve)
    })
    expect(error).toMatchObject(refusal)
  })

  versionTest('what cannot be published or subscribed is refused, and the connection stays', async () => {
    const server = await startBroker()
    const raw = await server.connect({ version, clientId: 'c' })
    const client = clientOf(server, 'c')
    await expect(client.publish({ topic: 'a', qos: 3 as 2 })).rejects.toMatchObject({ code: 'PACKET_INVALID' })
    await expect(client.publish({ topic: 'a/#' })).rejects.toBeInstanceOf(Error)
    await raw.expectNothing()
  })

  versionTest('pause holds the client back, resume goes on with everything', async () => {
    const server = await startBroker()
    const raw = await server.connect({ version, clientId: 'c' })
    const client = clientOf(server, 'c')
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('a')
    client.pause()
    for (let index = 0; index < 50; index += 1) raw.publish({ topic: 'a', payload: `${index}` })
    await watcher.ping()
    client.resume()
    expect((await watcher.nextPublishes(50)).map(({ payload }) => payload)).toEqual(
      Array.from({ length: 50 }, (_, index) => `${index}`),
    )
  })
})

test('the request that came with the stream is there as req', async () => {
  const server = await startBroker()
  const stream = new PassThrough()
  const request = { url: '/mqtt' }
  const client = server.broker.handle(stream, request)
  expect(client.req).toBe(request)
  expect(client).toMatchObject({ id: null, version: null, connecting: true })
  stream.destroy()
})

test("what is sent on a program's socket does not wait for the acknowledgement of what was sent before", async () => {
  const { broker } = await startBroker()
  const delays: unknown[] = []
  const server = createServer(socket => {
    const set = socket.setNoDelay.bind(socket)
    socket.setNoDelay = noDelay => {
      delays.push(noDelay)
      return set(noDelay)
    }
    broker.handle(socket)
  }).listen(0)
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port)
  await once(server, 'connection')
  expect(delays).toEqual([true])
  socket.destroy()
  server.close()
})

test("whoever waits for the stream's drain is told once when the connection ends", async () => {
  const server = await startBroker()
  await server.connect({ clientId: 'c' })
  const client = clientOf(server, 'c')
  const heard: string[] = []
  client.conn.on('drain', () => heard.push('drain'))
  await new Promise<void>(resolve => {
    client.close(resolve)
    client.close()
  })
  expect(heard).toEqual(['drain'])
})

test('pause and resume within a hook leave the client read', async () => {
  const server = await startBroker({
    authorizePublish: client => {
      client?.pause()
      client?.resume()
    },
  })
  const client = await server.connect({ clientId: 'c' })
  for (let round = 0; round < 3; round += 1) await client.publishDone({ topic: 'a', qos: 1 })
})
