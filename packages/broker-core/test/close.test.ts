import { connect as openSocket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Broker, BrokerError } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { connect } from './support/wire.ts'

test('close ends every connection with 0x8B, at any phase, and calls back', async () => {
  const server = await startBroker()
  const silent = await server.open()
  const client = await server.connect({ clientId: 'c' })
  await new Promise<void>((resolve, reject) => {
    server.broker.close(error => (error === undefined ? resolve() : reject(error)))
  })
  await client.closedWith(0x8b)
  expect(await silent.closed()).toEqual([])
  expect(server.broker.closed).toBe(true)
  await server.broker.close()
})

test('after close everything is refused with BROKER_CLOSED, and new streams are destroyed', async () => {
  const server = await startBroker()
  const { broker } = server
  await broker.close()
  await expect(broker.publish({ topic: 'a' })).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  await expect(broker.subscribe('a', () => undefined)).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  const late = openSocket(server.port, '127.0.0.1')
  late.on('error', () => undefined)
  await new Promise(resolve => {
    late.once('close', resolve)
  })
})

test('close may be called from a hook', async () => {
  const server = await startBroker({
    authenticate() {
      void this.close()
      return true
    },
  })
  const client = await server.open()
  client.send(connect({ clientId: 'c' }))
  await client.closed()
  await server.broker.close()
  expect(server.broker.connectedClients).toBe(0)
})

test('a broker whose store does not open says so, and refuses its connections', async () => {
  const store = new MemoryPersistence()
  store.open = () => {
    throw new Error('no disk')
  }
  const errors: Error[] = []
  const broker = new Broker({ persistence: store })
  broker.on('error', (error: Error) => errors.push(error))
  await expect(broker.ready).rejects.toThrow('no disk')
  await new Promise(setImmediate)
  expect(errors).toEqual([expect.any(BrokerError)])
  expect(errors[0]).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('no disk') as string })
})

test('plugins are attached when the broker opens and detached when it closes', async () => {
  const order: string[] = []
  const server = await startBroker({
    plugins: [
      {
        name: 'one',
        attach: broker => {
          order.push(`attach ${broker.id}`)
          return () => {
            order.push('detach')
          }
        },
      },
    ],
    id: 'x',
  })
  await server.broker.close()
  expect(order).toEqual(['attach x', 'detach'])
})

test('a stream that is gone when it is handed over is let go at once', async () => {
  const server = await startBrokerWithClock()
  const errors: unknown[] = []
  server.broker.on('connectionError', (_client, error) => errors.push(error))
  const stream = new PassThrough()
  stream.destroy()
  await new Promise(setImmediate)
  const client = server.broker.handle(stream)
  expect(client.closed).toBe(true)
  await server.pass(60_000)
  expect(errors).toEqual([])
})

test('what fails while the broker closes is told before it says that it is closed', async () => {
  const persistence = new MemoryPersistence()
  persistence.close = () => {
    throw new Error('store')
  }
  const detach = (): never => {
    throw new Error('plugin')
  }
  const broker = new Broker({ persistence, plugins: [{ name: 'p', attach: () => detach }] })
  const told: string[] = []
  broker.on('error', error => told.push('code' in error ? String(error.code) : error.message))
  broker.on('closed', () => told.push('closed'))
  await broker.ready
  await broker.close()
  expect(told).toEqual(['PLUGIN_FAILED', 'STORE_FAILED', 'closed'])
})
