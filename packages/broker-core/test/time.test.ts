import { expect, test } from 'vitest'
import { systemClock } from '@x/contract'
import { Broker } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { startBrokerWithClock } from './support/start-broker.ts'

/** Two ticks of the deadline wheel. */
const slack = 500

test.each([200_000, -200_000])(
  'a machine time that is set by %i ms drops nobody and delays no deadline',
  async step => {
    const server = await startBrokerWithClock({ connectTimeout: 30_000 })
    const client = await server.connect({ clientId: 'c', keepAlive: 10 })
    const silent = await server.open()
    server.clock.setMachineTime(step)
    server.clock.advance(14_999)
    await client.ping()
    expect(silent.socket.readableEnded).toBe(false)
    server.clock.advance(15_000 + slack)
    await client.closedWith(0x8d)
    expect(await silent.closed()).toEqual([])
  },
)

test.each([200_000, -200_000])(
  'a machine time that is set by %i ms changes nothing for what expires in a running process',
  async step => {
    const server = await startBrokerWithClock()
    const properties = property.sessionExpiryInterval(100)
    const sleeper = await server.connect({ clientId: 's', properties })
    await sleeper.subscribe(['a', 1])
    await server.drop(sleeper)
    const publisher = await server.connect({ clientId: 'p' })
    const expiry = property.messageExpiryInterval(50)
    await publisher.publishDone({ topic: 'a', qos: 1, payload: 'queued', properties: expiry })
    await publisher.publishDone({ topic: 'r', qos: 1, retain: true, payload: 'retained', properties: expiry })
    server.clock.setMachineTime(step)
    server.clock.advance(40_000)
    const again = await server.connect({ clientId: 's', cleanStart: false, properties })
    expect(again.connack.sessionPresent).toBe(true)
    const queued = await again.nextPublish()
    expect([queued.payload, propertyValue(queued.properties, PropertyId.messageExpiryInterval)]).toEqual(['queued', 10])
    await again.subscribe('r')
    expect((await again.nextPublish()).payload).toBe('retained')
    server.clock.advance(11_000)
    await again.subscribe('r')
    await again.expectNothing()
    await server.drop(again)
    server.clock.advance(100_000 + 2000)
    const late = await server.connect({ clientId: 's', cleanStart: false, properties })
    expect(late.connack.sessionPresent).toBe(false)
  },
)

test('a process that stood still blames nobody for its own silence', async () => {
  const server = await startBrokerWithClock({ connectTimeout: 1500 })
  const properties = property.sessionExpiryInterval(10)
  const away = await server.connect({ clientId: 'away', properties })
  await server.drop(away)
  const client = await server.connect({ clientId: 'c', keepAlive: 1 })
  const slow = await server.open()
  server.clock.advance(500)
  server.clock.standStill(60_000)
  server.clock.advance(250)
  await client.ping()
  expect(slow.socket.readableEnded).toBe(false)
  const back = await server.connect({ clientId: 'away', cleanStart: false, properties })
  expect(back.connack.sessionPresent).toBe(true)
  server.clock.advance(1500 + slack)
  await client.closedWith(0x8d)
  await slow.closed()
})

test('a clock without monotonic time is refused, and the sentence names the option', () => {
  const { monotonic: _left, ...clock } = systemClock
  const options = { persistence: new MemoryPersistence(), clock } as never
  expect(() => new Broker(options)).toThrow(/option clock .* monotonic/)
})
