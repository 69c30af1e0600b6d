import { once } from 'node:events'
import { connect, createServer } from 'node:net'
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

test('without new: Server(options), Aedes(options)', async () => {
  for (const make of [Server, Aedes, aedes.Server, aedes.Aedes]) {
    const broker = make({ id: 'mine' })
    expect(broker.id).toBe('mine')
    expect(broker).toBeInstanceOf(make)
    await expectService(broker)
  }
})

test('instanceof and extends take each name for the same class', async () => {
  class Mine extends Aedes {
    readonly name = 'mine'
  }
  class Other extends aedes {}
  for (const broker of [new Mine(), await Mine.createBroker(), new Other(), new aedes(), aedes()]) {
    for (const Class of [Aedes, Server, Broker, aedes]) expect(broker).toBeInstanceOf(Class)
    await expectService(broker)
  }
  expect(new Mine().name).toBe('mine')
  expect(await Mine.createBroker()).toBeInstanceOf(Mine)
})

test('new aedes(options) is a value of the type aedes', async () => {
  const broker: aedes = new aedes({ id: 'mine' })
  const other: Aedes = broker
  await expectService(other)
})

test('persistence: null and mq: null are the default parts', async () => {
  await expectService(aedes({ persistence: null, mq: null }))
})

test('keepaliveLimit and connectTimeout can be set while the broker runs, within their range', async () => {
  const broker = aedes()
  broker.keepaliveLimit = 60
  broker.connectTimeout = 100
  expect(broker).toMatchObject({ keepaliveLimit: 60, connectTimeout: 100 })
  expect(() => {
    broker.keepaliveLimit = -1
  }).toThrow('option keepaliveLimit is -1, it must be a whole number from 0 to 65535')
  expect(broker.keepaliveLimit).toBe(60)
  const server = createServer(broker.handle)
  onTestFinished(async () => {
    server.close()
    await broker.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(connectAsync(`mqtt://127.0.0.1:${port}`, { keepalive: 61, reconnectPeriod: 0 })).rejects.toMatchObject({
    code: 2,
  })
  const silent = connect(port, '127.0.0.1')
  const [, error] = (await once(broker, 'connectionError')) as [unknown, Error]
  expect(error.message).toBe('connect did not arrive in time')
  await once(silent.resume(), 'close')
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
