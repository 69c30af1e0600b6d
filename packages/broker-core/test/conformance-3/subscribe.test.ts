import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { packet, text } from '../support/wire.ts'
import { brokenSubscribeCases, subackCases } from './subscribe.cases.ts'
import { connectClient, connectLasting, hex, testConnected } from './wire-case.ts'

testConnected(subackCases)
testConnected(brokenSubscribeCases)

test(
  'filters of one SUBSCRIBE bring what each of them would bring, and a repeated one counts once',
  { tags: ['MQTT3-3.8.4-4'] },
  async () => {
    const server = await startBroker()
    const client = await connectClient(server, 'c')
    await client.subscribe(['a', 0], ['b', 1], ['a', 2])
    for (const topic of ['a', 'b', 'c']) await server.broker.publish({ topic, qos: 2 })
    expect((await client.nextPublishes(2)).map(({ topic, qos }) => [topic, qos])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    await client.expectNothing()
  },
)

test('a filter that is denied brings nothing, neither retained nor live', { tags: ['MQTT3-3.8.4-5'] }, async () => {
  const server = await startBroker({ authorizeSubscribe: (_client, wish) => (wish.topic === 'no' ? null : wish) })
  await server.broker.publish({ topic: 'no', retain: true, payload: 'kept' })
  const client = await connectClient(server, 'c')
  expect((await client.subscribe(['no', 1], ['yes', 1])).reasonCodes).toEqual([0x80, 1])
  for (const topic of ['no', 'yes']) await server.broker.publish({ topic })
  expect((await client.nextPublish()).topic).toBe('yes')
  await client.expectNothing()
})

for (const [name, connect] of [
  ['clean', connectClient],
  ['stored', connectLasting],
] as const) {
  test(
    `in a ${name} session, subscribing again replaces the subscription and brings retained messages again`,
    { tags: ['MQTT3-3.8.4-3'] },
    async () => {
      const server = await startBroker()
      await server.broker.publish({ topic: 'a', qos: 2, retain: true, payload: 'kept' })
      const client = await connect(server, 'c')
      for (const qos of [0, 1, 2, 1] as const) {
        await client.subscribe(['a', qos])
        expect(await client.nextPublish()).toMatchObject({ payload: 'kept', qos, retain: true })
        await server.broker.publish({ topic: 'a', qos: 2, payload: 'live' })
        expect(await client.nextPublish()).toMatchObject({ payload: 'live', qos, retain: false })
        await client.expectNothing()
      }
    },
  )

  test(
    `in a ${name} session, no message is lost while subscriptions are replaced`,
    { tags: ['MQTT3-3.8.4-3'] },
    async () => {
      const server = await startBroker()
      const client = await connect(server, 'c')
      await client.subscribe(['a', 1])
      const publisher = await connectClient(server, 'p')
      const payloads = Array.from({ length: 50 }, (_, index) => `${index}`)
      for (const [index, payload] of payloads.entries()) {
        publisher.publish({ topic: 'a', qos: 1, payload })
        client.send(packet(0x82, 0, index + 1, text('a'), 1 + (index % 2)))
      }
      for (const _ of payloads) await publisher.nextAck('puback')
      const arrived: string[] = []
      let subacks = 0
      while (arrived.length < payloads.length || subacks < payloads.length) {
        const frame = await client.next()
        if (frame.type === 'suback') subacks += 1
        // QoS 1: topic of three bytes, identifier of two.
        else arrived.push(frame.body.toString('utf8', 5))
      }
      expect(arrived).toEqual(payloads)
      await client.expectNothing()
    },
  )
}

test(
  'the delivery has the lower of the published and the granted QoS, in its first byte',
  { tags: ['MQTT3-3.8.4-6', 'MQTT3-4.3.1-1', 'MQTT3-2.3.1-5', 'MQTT3-2.3.1-1'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    for (const granted of [0, 1, 2]) {
      const client = await connectClient(server, 'c')
      await client.subscribe(['a', granted])
      for (const qos of [0, 1, 2] as const) {
        await publisher.publishDone({ topic: 'a', qos, payload: '!' })
        const frame = await client.next()
        if (Math.min(qos, granted) === 0) expect(hex([frame])).toEqual(['300400016121'])
        else {
          expect(frame.bytes[0]).toBe(0x30 | (Math.min(qos, granted) << 1))
          expect(frame.body.length).toBe(6)
          expect(frame.body.readUInt16BE(3)).toBeGreaterThan(0)
        }
      }
    }
  },
)
