import { expect, test } from 'vitest'
import type { BrokerError } from '../src/index.ts'
import { startBroker } from './support/start-broker.ts'
import {
  connect,
  packet,
  auth,
  disconnect,
  propertySet,
  publish,
  subscribe,
  text,
  u16,
  unsubscribe,
} from './support/wire.ts'

/** User properties without a name or a value, which is the least that one takes. */
function many(count: number): readonly number[] {
  return Array.from({ length: count }, () => [0x26, 0, 0, 0, 0]).flat()
}

/** A packet whose body may end with reason code and properties. */
function withReason(firstByte: number, head: readonly number[], properties: readonly number[]): Buffer {
  return packet(firstByte, head, 0, propertySet(5, properties))
}

const packets: Readonly<Record<string, (properties: readonly number[]) => Buffer>> = {
  PUBLISH: properties => publish({ topic: 'a', properties }),
  PUBACK: properties => withReason(0x40, u16(1), properties),
  PUBREC: properties => withReason(0x50, u16(1), properties),
  PUBREL: properties => withReason(0x62, u16(1), properties),
  PUBCOMP: properties => withReason(0x70, u16(1), properties),
  SUBSCRIBE: properties => subscribe({ filters: [['a', 0]], properties }),
  UNSUBSCRIBE: properties => unsubscribe({ filters: ['a'], properties }),
  DISCONNECT: properties => disconnect(0, properties),
  AUTH: properties => auth(0x19, [0x15, ...text('m'), ...properties]),
}

for (const [name, make] of Object.entries(packets)) {
  test(`${name} with more user properties than maximumUserPropertiesPerPacket ends the connection`, async () => {
    const server = await startBroker({ maximumUserPropertiesPerPacket: 20 })
    const codes: string[] = []
    server.broker.on('clientError', (_client, error) => codes.push((error as BrokerError).code))
    const client = await server.connect({ clientId: 'c' })
    client.send(make(many(21)))
    await client.closedWith(0x97)
    expect(codes).toEqual(['TOO_MANY_USER_PROPERTIES'])
  })
}

test.each(['PUBLISH', 'PUBREL', 'SUBSCRIBE', 'UNSUBSCRIBE'])('%s may have as many as that', async name => {
  const server = await startBroker({ maximumUserPropertiesPerPacket: 20 })
  const client = await server.connect({ clientId: 'c' })
  // Long ones as well, which are more bytes than the number may have at least.
  const long = Array.from({ length: 10 }, () => [0x26, ...text('name'), ...text('value of a property')]).flat()
  client.send(packets[name]?.([...many(10), ...long]) ?? Buffer.alloc(0))
  if (name !== 'PUBLISH') await client.next()
  await client.ping()
})

test.each([
  ['CONNECT', { properties: many(21) }],
  ['a will', { will: { topic: 'w', properties: many(21) } }],
])('%s with more of them is refused', async (_name, fields) => {
  const server = await startBroker({ maximumUserPropertiesPerPacket: 20 })
  const client = await server.open()
  client.send(connect({ clientId: 'c', ...fields }))
  expect((await client.next('connack')).body[1]).toBe(0x97)
  const other = await server.connect({
    clientId: 'c',
    properties: many(20),
    will: { topic: 'w', properties: many(20) },
  })
  await other.ping()
})
