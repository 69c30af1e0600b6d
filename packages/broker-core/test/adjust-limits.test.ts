import { expect, test } from 'vitest'
import { BrokerError, adjustableLimits } from '../src/index.ts'
import { readConnack } from './support/frame.ts'
import { startBroker } from './support/start-broker.ts'
import { connect } from './support/wire.ts'

test('limits of messages, queues and clients may be changed while the broker runs', async () => {
  const server = await startBroker()
  const { broker } = server
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a', payload: '123', qos: 1 })
  broker.adjustLimits({ maximumPayloadSize: 2, maximumSessions: 1, maximumConnections: 7 })
  expect(await client.nextAck('puback', client.publish({ topic: 'a', payload: '123', qos: 1 }))).toMatchObject({
    reasonCode: 0x95,
  })
  const refused = await server.open()
  refused.send(connect({ clientId: 'more' }))
  expect(readConnack(await refused.next('connack'), 5).reasonCode).toBe(0x89)
  expect(broker.maximumConnections).toBe(7)
  broker.adjustLimits({ maximumPayloadSize: undefined, maximumSessions: 0 })
  await client.publishDone({ topic: 'a', payload: '123', qos: 1 })
  await (await server.connect({ clientId: 'more' })).ping()
  expect(broker.maximumConnections).toBe(7)
})

test('the limits of queues hold for the store at once', async () => {
  const server = await startBroker()
  const lasting = { cleanStart: false, properties: [0x11, 0, 0, 0x0e, 0x10] } as const
  const sleeper = await server.connect({ ...lasting, clientId: 's' })
  await sleeper.subscribe(['a', 1])
  await server.drop(sleeper)
  server.broker.adjustLimits({ maximumQueuedMessages: 2, queueOverflow: 'dropNewest' })
  for (const payload of ['1', '2', '3']) await server.broker.publish({ topic: 'a', payload, qos: 1 })
  const back = await server.connect({ ...lasting, clientId: 's' })
  expect((await back.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['1', '2'])
  await back.expectNothing()
})

test('upgradeOutgoingQoS counts from the next message on', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['a', 1])
  const publisher = await server.connect({ clientId: 'p' })
  publisher.publish({ topic: 'a' })
  expect(await client.nextPublish()).toMatchObject({ qos: 0 })
  server.broker.adjustLimits({ upgradeOutgoingQoS: true })
  publisher.publish({ topic: 'a' })
  expect(await client.nextPublish()).toMatchObject({ qos: 1 })
})

test('a limit that was told to clients, or is built into tables, is refused, as is a wrong value; nothing changes then', async () => {
  const { broker } = await startBroker()
  const change = (limits: object) => () => broker.adjustLimits(limits)
  expect(change({ maximumConnections: 5, maximumPacketSize: 1000 })).toThrow(BrokerError)
  expect(change({ maximumConnections: 5, maxTopicLevels: 5 })).toThrow('option maxTopicLevels of adjustLimits')
  expect(change({ maximumConnections: 5, keepaliveLimit: -1 })).toThrow('option keepaliveLimit is -1')
  expect(broker.maximumConnections).toBe(0)
  expect(adjustableLimits).not.toContain('maxInflightInbound')
})
