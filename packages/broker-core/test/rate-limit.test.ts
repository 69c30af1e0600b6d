import { expect, test } from 'vitest'
import { startBrokerWithClock } from './support/start-broker.ts'
import { pingreq, publish } from './support/wire.ts'

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
}

for (const version of [3, 4, 5] as const) {
  test(`MQTT ${version}: more packets in a second than maximumPacketRate are read later, in order, and nothing is lost`, async () => {
    const server = await startBrokerWithClock({ maximumPacketRate: 100 })
    const subscriber = await server.connect({ clientId: 's' })
    await subscriber.subscribe('a')
    const other = await server.connect({ clientId: 'other' })
    const client = await server.connect({ version, clientId: 'c' })
    const count = 350
    client.send(
      ...Array.from({ length: count }, (_, index) => publish({ version, topic: 'a', payload: String(index) })),
    )
    await settled()
    // CONNECT is one of them.
    expect(server.broker.counters.publishesReceived).toBe(99)
    await other.ping()
    await server.pass(1000)
    await settled()
    expect(server.broker.counters.publishesReceived).toBeGreaterThan(150)
    expect(server.broker.counters.publishesReceived).toBeLessThanOrEqual(200)
    await server.pass(4000)
    await settled()
    const received = await subscriber.nextPublishes(count)
    expect(received.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: count }, (_, index) => index))
    expect(server.broker.counters.readingRested).toBeGreaterThan(0)
    expect(server.broker.counters.errors).toEqual({})
    await client.ping()
  })

  test(`MQTT ${version}: who goes on like that for rateTimeout is ended`, async () => {
    const server = await startBrokerWithClock({ maximumPacketRate: 10, rateTimeout: 10_000 })
    const client = await server.connect({ version, clientId: 'c' })
    client.send(...Array.from({ length: 1000 }, () => pingreq))
    await settled()
    for (let second = 0; second < 9; second += 1) {
      await server.pass(1000)
      await settled()
    }
    expect(server.broker.connectedClients).toBe(1)
    await server.pass(3000)
    await client.closedWith(0x96)
    expect(server.broker.counters.errors).toEqual({ PACKET_RATE_EXCEEDED: 1 })
  })
}

test('bytes are limited likewise, by large packets as by small ones', async () => {
  const server = await startBrokerWithClock({ maximumByteRate: 10_000, rateTimeout: 20_000 })
  const client = await server.connect({ clientId: 'c' })
  client.send(publish({ topic: 'a', payload: 'x'.repeat(50_000) }), pingreq)
  await settled()
  expect(server.broker.counters.publishesReceived).toBe(1)
  await server.pass(3000)
  await server.pass(2500)
  await client.next('pingresp')
  for (let second = 0; second < 25; second += 1) {
    client.send(publish({ topic: 'a', payload: 'x'.repeat(20_000) }))
    await settled()
    await server.pass(1000)
  }
  await client.closedWith(0x97)
  expect(server.broker.counters.errors).toEqual({ BYTE_RATE_EXCEEDED: 1 })
})

test('a client that keeps to its rate on the whole stays for ever', async () => {
  const server = await startBrokerWithClock({ maximumPacketRate: 10, rateTimeout: 5000 })
  const client = await server.connect({ clientId: 'c' })
  for (let round = 0; round < 20; round += 1) {
    client.send(...Array.from({ length: 12 }, () => pingreq))
    await settled()
    await server.pass(3000)
    for (let answer = 0; answer < 12; answer += 1) await client.next('pingresp')
  }
  expect(server.broker.counters.readingRested).toBeGreaterThan(0)
})
