import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import aedes, { Aedes, Broker, Server, createBroker } from '../src/index.ts'

// Every way in which programs written for Aedes make a broker.

async function expectService(broker: Broker): Promise<void> {
  onTestFinished(() => broker.close())
  const server = createServer(broker.handle)
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = await connectAsync(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await client.endAsync()
}

test('aedes(), aedes(options)', async () => {
  await expectService(aedes())
  expect(aedes({ id: 'mine' }).id).toBe('mine')
})

test('new aedes.Server(options), new Server(options), new Aedes(options)', async () => {
  for (const Class of [aedes.Server, aedes.Aedes, Server, Aedes]) {
    const broker = new Class({ id: 'mine' })
    expect(broker).toBeInstanceOf(Broker)
    await expectService(broker)
  }
})

test('createBroker(options), aedes.createBroker(options)', async () => {
  for (const create of [createBroker, aedes.createBroker]) await expectService(create({ id: 'mine' }))
})

test('await Aedes.createBroker(options)', async () => {
  const broker = await Aedes.createBroker({ id: 'mine' })
  expect(broker.id).toBe('mine')
  await expectService(broker)
})

test('await broker.listen() opens no port, and answers the same each time', async () => {
  const broker = new Aedes()
  const listening = broker.listen()
  expect(broker.listen()).toBe(listening)
  await expect(listening).resolves.toBeUndefined()
  await expectService(broker)
})
