import { expect, test } from 'vitest'
import { readGranted } from '../support/frame.ts'
import { property } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import { subscribe } from '../support/wire.ts'
import type { FilterWish } from '../support/wire.ts'
import { subscribeCases } from './subscribe.cases.ts'

for (const { title, tags, options, send, answer } of subscribeCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker(options)
    const bystander = await server.connect({ clientId: 'bystander' })
    const client = await server.connect({ clientId: 'c' })
    client.send(send)
    if ('codes' in answer) {
      const granted = readGranted(await client.next('suback'), 'suback', 5)
      expect(granted).toMatchObject({ id: 1, reasonCodes: answer.codes })
      await client.expectNothing()
    } else {
      const frames = await client.closed()
      expect(frames.map(({ type, body }) => [type, body[0]])).toEqual([['disconnect', answer.disconnect]])
    }
    await bystander.ping()
  })
}

test(
  'SUBACK has as many codes as SUBSCRIBE had filters, and is the only answer',
  { tags: ['MQTT5-3.8.4-1', 'MQTT5-3.8.4-6'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    for (const count of [1, 3, 20, 300]) {
      const filters = Array.from({ length: count }, (_, index): FilterWish => [`f/${index}`, index % 3])
      client.send(subscribe({ id: count, filters }))
      const granted = readGranted(await client.next('suback'), 'suback', 5)
      expect(granted).toMatchObject({ id: count, reasonCodes: filters.map(([, qos]) => qos) })
      await client.expectNothing()
    }
  },
)

test('what SUBACK grants is what is delivered, what it denies is not', { tags: ['MQTT5-3.8.4-7'] }, async () => {
  const server = await startBroker({
    authorizeSubscribe: (_client, wish) =>
      wish.topic === 'secret' ? null : { ...wish, qos: wish.topic === 'low' ? 0 : wish.qos },
  })
  const client = await server.connect({ clientId: 'c' })
  expect((await client.subscribe(['secret', 2], ['low', 2], ['high', 2])).reasonCodes).toEqual([0x87, 0, 2])
  for (const topic of ['secret', 'low', 'high']) await server.broker.publish({ topic, qos: 2 })
  const deliveries = await client.nextPublishes(2)
  expect(deliveries.map(({ topic, qos }) => [topic, qos])).toEqual([
    ['low', 0],
    ['high', 2],
  ])
  await client.expectNothing()
})

const limited = { clientId: 'c', properties: property.maximumPacketSize(30) }
/** One of them is none, so that there is a reason to give. */
const filtersOf = (count: number): readonly FilterWish[] =>
  Array.from({ length: count }, (_, index) => [index === 1 ? 'a#' : `f/${index}`, 0])

test(
  'SUBACK that just fits Maximum Packet Size has neither Reason String nor User Property',
  { tags: ['MQTT5-3.9.2-1', 'MQTT5-3.9.2-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(limited)
    client.send(subscribe({ id: 9, filters: filtersOf(25) }))
    const { bytes } = await client.next('suback')
    const codes = filtersOf(25).map((_, index) => (index === 1 ? 0x8f : 0))
    // Type, Remaining Length, Packet Identifier, no properties, codes: 30 bytes.
    expect([...bytes]).toEqual([0x90, 28, 0, 9, 0, ...codes])
    await client.ping()
  },
)

test(
  'a SUBSCRIBE whose SUBACK exceeds Maximum Packet Size ends the connection: silence is no answer',
  { tags: ['MQTT5-3.8.4-1', 'MQTT5-3.9.2-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(limited)
    client.send(subscribe({ filters: filtersOf(26) }))
    await client.closedWith(0x95)
  },
)
