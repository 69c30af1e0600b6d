import { expect, test } from 'vitest'
import { readGranted } from '../support/frame.ts'
import { property } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import { puback, pubcomp, pubrec, unsubscribe } from '../support/wire.ts'
import { unsubscribeCases } from './unsubscribe.cases.ts'

const lasting = { cleanStart: false, properties: property.sessionExpiryInterval(3600) } as const

for (const { title, tags, send, answer } of unsubscribeCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe('a/+', 'b', 'c', '$share/g/d')
    client.send(send)
    if ('codes' in answer) {
      const granted = readGranted(await client.next('unsuback'), 'unsuback', 5)
      expect(granted).toMatchObject({ id: 1, reasonCodes: answer.codes })
      await client.expectNothing()
    } else {
      const frames = await client.closed()
      expect(frames.map(({ type, body }) => [type, body[0]])).toEqual([['disconnect', answer.disconnect]])
    }
  })
}

test(
  'UNSUBACK has the identifier of its UNSUBSCRIBE, also when nothing was subscribed',
  { tags: ['MQTT5-3.10.4-4', 'MQTT5-3.10.4-5'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    for (const id of [1, 4660, 65_535]) {
      client.send(unsubscribe({ id, filters: ['nothing'] }))
      expect(readGranted(await client.next('unsuback'), 'unsuback', 5)).toMatchObject({ id, reasonCodes: [0x11] })
      await client.expectNothing()
    }
  },
)

test(
  'after UNSUBACK nothing that matches is queued, live or while the client is away',
  { tags: ['MQTT5-3.10.4-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', ...lasting })
    await client.subscribe(['a/+', 2], ['b', 2], ['$share/g/c', 2])
    await client.unsubscribe('a/+', '$share/g/c')
    for (const qos of [0, 1, 2] as const) {
      for (const topic of ['a/x', 'c']) await server.broker.publish({ topic, qos })
    }
    await client.expectNothing()
    await server.drop(client)
    for (const topic of ['a/x', 'c', 'b']) await server.broker.publish({ topic, qos: 1 })
    const again = await server.connect({ clientId: 'c', ...lasting })
    expect((await again.nextPublish()).topic).toBe('b')
    await again.expectNothing()
  },
)

test(
  'a filter that still matches keeps delivering when another one is removed',
  { tags: ['MQTT5-3.10.4-1', 'MQTT5-3.10.4-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe(['a/+', 2], ['a/#', 0])
    await client.unsubscribe('a/+')
    await server.broker.publish({ topic: 'a/x', qos: 2, payload: 'still' })
    expect(await client.nextPublish()).toMatchObject({ payload: 'still', qos: 0 })
    await client.expectNothing()
  },
)

for (const cleanStart of [true, false]) {
  const kind = cleanStart ? 'ends with its connection' : 'lasts'
  test(
    `QoS 1 and 2 deliveries begun before UNSUBSCRIBE are completed, in a session that ${kind}`,
    { tags: ['MQTT5-3.10.4-3'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ ...(cleanStart ? {} : lasting), clientId: 'c' })
      await client.subscribe(['a', 2])
      for (const qos of [2, 1, 2] as const) await server.broker.publish({ topic: 'a', qos })
      const [first, second, third] = await client.nextPublishes(3)
      if (first === undefined || second === undefined || third === undefined) throw new Error('three deliveries')
      client.send(pubrec(first.id))
      await client.nextAck('pubrel', first.id)
      await client.unsubscribe('a')
      client.send(pubcomp(first.id), puback(second.id), pubrec(third.id))
      expect(await client.nextAck('pubrel', third.id)).toMatchObject({ reasonCode: 0 })
      client.send(pubcomp(third.id))
      await client.expectNothing()
    },
  )
}

test(
  'UNSUBACK that just fits Maximum Packet Size has neither Reason String nor User Property',
  { tags: ['MQTT5-3.11.2-1', 'MQTT5-3.11.2-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(30) })
    const filters = Array.from({ length: 25 }, (_, index) => `f/${index}`)
    client.send(unsubscribe({ id: 9, filters }))
    const { bytes } = await client.next('unsuback')
    // Type, Remaining Length, Packet Identifier, no properties, codes: 30 bytes.
    expect([...bytes]).toEqual([0xb0, 28, 0, 9, 0, ...filters.map(() => 0x11)])
    await client.ping()
  },
)

test(
  'an UNSUBSCRIBE whose UNSUBACK exceeds Maximum Packet Size ends the connection: silence is no answer',
  { tags: ['MQTT5-3.10.4-4', 'MQTT5-3.11.2-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(30) })
    client.send(unsubscribe({ filters: Array.from({ length: 26 }, (_, index) => `f/${index}`) }))
    await client.closedWith(0x95)
  },
)
