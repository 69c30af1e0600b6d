import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { packet, pingreq, publish } from '../support/wire.ts'

test(
  'each PINGREQ is answered with one PINGRESP of two bytes, in its place among the answers',
  { tags: ['MQTT5-3.12.4-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    client.send(pingreq, publish({ topic: 'a', qos: 1, id: 3 }), pingreq, pingreq)
    const frames = [await client.next(), await client.next(), await client.next(), await client.next()]
    expect(frames.map(({ type }) => type)).toEqual(['pingresp', 'puback', 'pingresp', 'pingresp'])
    for (const { type, bytes } of frames) if (type === 'pingresp') expect([...bytes]).toEqual([0xd0, 0])
  },
)

test('PINGREQ in single bytes is answered once it is whole', { tags: ['MQTT5-3.12.4-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  client.send(pingreq.subarray(0, 1))
  const other = await server.connect({ clientId: 'o' })
  await other.ping()
  client.send(pingreq.subarray(1))
  await client.next('pingresp')
  await client.expectNothing()
})

test('PINGREQ with flags or a body is malformed, and gets no PINGRESP', async () => {
  const server = await startBroker()
  for (const wrong of [packet(0xc1), packet(0xcf), packet(0xc0, 0)]) {
    const client = await server.connect({ clientId: 'c' })
    client.send(wrong)
    const frames = await client.closed()
    expect(frames.map(({ type, body }) => [type, body[0]])).toEqual([['disconnect', 0x81]])
  }
})
