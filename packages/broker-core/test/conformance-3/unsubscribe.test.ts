import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { puback, pubcomp, pubrec } from '../support/wire.ts'
import { unsubscribeCases } from './unsubscribe.cases.ts'
import { connectClient, connectLasting, testConnected } from './wire-case.ts'

testConnected(unsubscribeCases)

test('only a filter that is the same character by character is removed', { tags: ['MQTT3-3.10.4-1'] }, async () => {
  const server = await startBroker()
  const client = await connectClient(server, 'c')
  await client.subscribe('a/+')
  for (const filter of ['a/b', 'a/#', 'A/+', 'a/+/', '/a/+', '#', '+/+']) await client.unsubscribe(filter)
  await server.broker.publish({ topic: 'a/b' })
  expect((await client.nextPublish()).topic).toBe('a/b')
  await client.unsubscribe('a/+')
  await server.broker.publish({ topic: 'a/b' })
  await client.expectNothing()
})

test(
  'several filters of one UNSUBSCRIBE are all removed, and no others',
  { tags: ['MQTT3-3.10.4-6', 'MQTT3-3.10.3-1'] },
  async () => {
    const server = await startBroker()
    const client = await connectClient(server, 'c')
    await client.subscribe('a', 'b', 'c')
    await client.unsubscribe('a', 'unknown', 'c')
    for (const topic of ['a', 'b', 'c']) await server.broker.publish({ topic })
    expect((await client.nextPublish()).topic).toBe('b')
    await client.expectNothing()
  },
)

test('after UNSUBACK no new message comes at any QoS, live or stored', { tags: ['MQTT3-3.10.4-2'] }, async () => {
  const server = await startBroker()
  const client = await connectLasting(server, 'c')
  await client.subscribe(['a', 2])
  await client.unsubscribe('a')
  const publisher = await connectClient(server, 'p')
  for (const qos of [0, 1, 2] as const) await publisher.publishDone({ topic: 'a', qos })
  await client.expectNothing()
  await server.drop(client)
  await publisher.publishDone({ topic: 'a', qos: 1 })
  const again = await connectLasting(server, 'c')
  expect(again.connack.sessionPresent).toBe(true)
  await again.expectNothing()
})

test(
  'deliveries that had begun before UNSUBSCRIBE are completed, also after a reconnect',
  { tags: ['MQTT3-3.10.4-3'] },
  async () => {
    const server = await startBroker()
    const client = await connectLasting(server, 'c')
    await client.subscribe(['a', 2])
    for (const qos of [1, 2, 2] as const) await server.broker.publish({ topic: 'a', qos, payload: `${qos}` })
    const [first, second, third] = await client.nextPublishes(3)
    await client.unsubscribe('a')
    client.send(pubrec(third?.id ?? 0))
    await client.nextAck('pubrel', third?.id ?? 0)
    await server.drop(client)
    const again = await connectLasting(server, 'c')
    const frames = [await again.next(), await again.next(), await again.next()]
    expect(frames.map(({ type, body }) => [type, body.readUInt16BE(type === 'publish' ? 3 : 0)])).toEqual([
      ['publish', first?.id],
      ['publish', second?.id],
      ['pubrel', third?.id],
    ])
    again.send(puback(first?.id ?? 0), pubrec(second?.id ?? 0))
    await again.nextAck('pubrel', second?.id ?? 0)
    again.send(pubcomp(second?.id ?? 0), pubcomp(third?.id ?? 0))
    await again.expectNothing()
    await server.drop(again)
    await (await connectLasting(server, 'c')).expectNothing()
  },
)
