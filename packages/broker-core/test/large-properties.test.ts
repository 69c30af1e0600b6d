import { expect, test } from 'vitest'
import { readReason } from './support/frame.ts'
import { property } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { packet, subscribe, u16, unsubscribe, variableInteger } from './support/wire.ts'

/** 5 bytes each. */
function userProperties(count: number): readonly number[] {
  return Array.from({ length: count }, () => property.userProperty('', '')).flat()
}

const many = userProperties(30_000)
const withProperties = (firstByte: number, head: readonly number[]): Buffer =>
  packet(firstByte, head, variableInteger(many.length), many)

const packets: Readonly<Record<string, Buffer>> = {
  SUBSCRIBE: subscribe({ filters: [['a', 0]], properties: many }),
  UNSUBSCRIBE: unsubscribe({ filters: ['a'], properties: many }),
  PUBACK: withProperties(0x40, [...u16(1), 0]),
  PUBREC: withProperties(0x50, [...u16(1), 0]),
  PUBREL: withProperties(0x62, [...u16(1), 0]),
  PUBCOMP: withProperties(0x70, [...u16(1), 0]),
  DISCONNECT: withProperties(0xe0, [0]),
  AUTH: withProperties(0xf0, [0x19]),
}

for (const [name, bytes] of Object.entries(packets)) {
  test(`150 000 bytes of properties in ${name} end the connection with 0x95`, async () => {
    const server = await startBroker()
    const client = await server.connect({ version: 5, clientId: 'c' })
    client.send(bytes)
    expect(readReason(await client.next('disconnect'), 'disconnect').reasonCode).toBe(0x95)
  })
}

test('a SUBSCRIBE that is large by its filters is taken', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 5, clientId: 'c' })
  const filters = Array.from({ length: 2000 }, (_, index) => [`${'x'.repeat(100)}${index}`, 0] as const)
  client.send(subscribe({ filters, properties: userProperties(10) }))
  expect((await client.next('suback')).body.length).toBe(2003)
})
