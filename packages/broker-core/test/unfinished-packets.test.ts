import { expect, test } from 'vitest'
import type { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { connect, pingreq, publish } from './support/wire.ts'
import type { Version } from './support/wire.ts'

/** A PUBLISH without its last byte. */
function unfinished(size: number, version: Version = 5): Buffer {
  return publish({ version, topic: 'a', payload: 'x'.repeat(size) }).subarray(0, -1)
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
}

for (const version of [3, 4, 5] as const) {
  test(`MQTT ${version}: a packet that is not complete within packetTimeout ends the connection`, async () => {
    const server = await startBrokerWithClock({ packetTimeout: 10_000 })
    const client = await server.connect({ version, clientId: 'c', keepAlive: 0 })
    const patient = await server.connect({ version, clientId: 'patient', keepAlive: 0 })
    client.send(unfinished(100_000, version))
    await settled()
    await server.pass(9500)
    await patient.ping()
    // More of the same packet does not give it more time.
    client.send(Buffer.alloc(1))
    await server.pass(250)
    expect(server.broker.connectedClients).toBe(2)
    client.send(unfinished(100_000, version))
    await settled()
    await server.pass(12_000)
    await client.closedWith(0x97)
    await patient.ping()
    expect(server.broker.counters.errors).toEqual({ PACKET_TIMEOUT: 1 })
  })
}

test('two bytes of a packet are as unfinished as many', async () => {
  const server = await startBrokerWithClock({ packetTimeout: 10_000 })
  const client = await server.connect({ clientId: 'c' })
  client.send(Buffer.of(0x30, 0x80))
  await settled()
  await server.pass(10_500)
  await client.closedWith(0x97)
})

test('packets that are complete in time may be cut anywhere for ever', async () => {
  const server = await startBrokerWithClock({ packetTimeout: 1000 })
  const client = await server.connect({ clientId: 'c' })
  for (let round = 0; round < 20; round += 1) {
    // The end of one packet and the beginning of the next.
    client.send(round === 0 ? unfinished(100) : Buffer.concat([Buffer.alloc(1), unfinished(100)]))
    await settled()
    await server.pass(500)
  }
  client.send(Buffer.alloc(1))
  await client.ping()
})

test('with packetTimeout 0 it may take for ever', async () => {
  const server = await startBrokerWithClock({ packetTimeout: 0 })
  const client = await server.connect({ clientId: 'c' })
  client.send(unfinished(1000))
  await settled()
  await server.pass(3_600_000)
  client.send(Buffer.alloc(1))
  await client.ping()
})

test('a client whose packets are not read is not late with them', async () => {
  const server = await startBrokerWithClock({ packetTimeout: 1000 })
  const client = await server.connect({ clientId: 'c' })
  client.send(unfinished(1000))
  await settled()
  const there = server.broker.client('c')
  there?.pause()
  await server.pass(5000)
  there?.resume()
  client.send(Buffer.alloc(1))
  await client.ping()
})

test('unfinished packets of all clients hold maximumUnfinishedBytes: who holds most for longest goes, nobody else', async () => {
  const limit = 1_000_000
  const server = await startBroker({ maximumUnfinishedBytes: limit })
  const small: RawClient[] = []
  for (let index = 0; index < 5; index += 1) {
    const client = await server.connect({ clientId: `small${index}` })
    client.send(unfinished(10_000))
    small.push(client)
  }
  const large: RawClient[] = []
  for (let index = 0; index < 10; index += 1) {
    const client = await server.connect({ clientId: `large${index}` })
    client.send(unfinished(300_000))
    large.push(client)
    await settled()
  }
  await Promise.all(large.slice(0, 7).map(client => client.closedWith(0x97)))
  expect(server.broker.counters.errors['UNFINISHED_BYTES_EXCEEDED']).toBeGreaterThanOrEqual(7)
  for (const client of small) {
    client.send(Buffer.alloc(1))
    await client.ping()
  }
})

test('what CONNECT has not completed counts as well, and is given back when the peer leaves', async () => {
  const server = await startBroker({ maximumUnfinishedBytes: 200_000 })
  const whole = connect({ clientId: 'c', username: 'u', password: 'x'.repeat(60_000) })
  for (let round = 0; round < 20; round += 1) {
    const client = await server.open()
    client.send(whole.subarray(0, -1))
    await settled()
    client.socket.destroy()
    await settled()
  }
  const client = await server.connect({ clientId: 'c' })
  client.send(unfinished(90_000), Buffer.alloc(1), pingreq)
  await client.next('pingresp')
  expect(server.broker.counters.errors).toEqual({})
})
