import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connectAsync } from 'mqtt'
import { onTestFinished, expect, test } from 'vitest'
import createBrokerByDefault, { Broker, createBroker } from '../src/index.ts'
import type { BrokerOptions } from '../src/index.ts'
import { clientEvent } from './client-event.ts'

const anyPort = { port: 0, host: '127.0.0.1' }

function startBroker(options?: BrokerOptions): Broker {
  const broker = createBroker(options)
  onTestFinished(() => broker.close())
  return broker
}

/** A message goes from one connection to another. */
async function expectExchange(publisherUrl: string, subscriberUrl = publisherUrl): Promise<void> {
  const [publisher, subscriber] = [await connectAsync(publisherUrl), await connectAsync(subscriberUrl)]
  await subscriber.subscribeAsync('greeting')
  const received = clientEvent(subscriber, 'message')
  await publisher.publishAsync('greeting', 'hello')
  const [topic, payload] = await received
  expect([topic, payload.toString()]).toEqual(['greeting', 'hello'])
  await Promise.all([publisher.endAsync(), subscriber.endAsync()])
}

test('takes connections at once, without waiting for ready', async () => {
  const { url } = await startBroker().listen(anyPort)
  await expectExchange(url)
})

test('ready settles when the store is open', async () => {
  const broker = startBroker()
  await expect(broker.ready).resolves.toBeUndefined()
})

test('the default export creates a broker whose handle serves a server of node:net', async () => {
  const broker = createBrokerByDefault()
  const server = createServer(broker.handle)
  onTestFinished(async () => {
    server.close()
    await broker.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(broker).toBeInstanceOf(Broker)
  await expectExchange(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

test('clients of different listeners talk to each other', async () => {
  const broker = startBroker()
  const [first, second] = [await broker.listen(anyPort), await broker.listen(anyPort)]
  expect(first.port).not.toBe(second.port)
  await expectExchange(first.url, second.url)
})

test('listen shows an address of all interfaces as localhost', async () => {
  const { url, port } = await startBroker().listen({ port: 0, host: '0.0.0.0' })
  expect(url).toBe(`mqtt://localhost:${port}`)
})

test('close ends clients and listeners, and may be called again in either style', async () => {
  const broker = startBroker()
  const { url, port } = await broker.listen(anyPort)
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 })
  const disconnected = clientEvent(client, 'disconnect')
  const ended = clientEvent(client, 'close')
  await broker.close()
  const [packet] = await disconnected
  expect(packet.reasonCode).toBe(0x8b)
  await ended
  await broker.close()
  await new Promise<void>((resolve, reject) => {
    broker.close(error => (error === undefined ? resolve() : reject(error)))
  })
  expect(broker.closed).toBe(true)
  const successor = startBroker()
  await expect(successor.listen({ ...anyPort, port: port ?? 0 })).resolves.toMatchObject({ port })
})

test('listen on a closed broker, or on one that closes meanwhile, rejects and keeps no port', async () => {
  const broker = startBroker()
  const listening = broker.listen(anyPort)
  const closing = broker.close()
  await expect(listening).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  await closing
  await expect(broker.listen(anyPort)).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
})

test('a broker that never listened closes', async () => {
  await expect(createBroker().close()).resolves.toBeUndefined()
})

test('refuses an option that is out of range, naming it', () => {
  expect(() => createBroker({ maximumQoS: 3 })).toThrow('option maximumQoS is 3, it must be a whole number from 0 to 2')
})
