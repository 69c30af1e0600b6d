import { expect, test } from 'vitest'
import type { Client } from '../src/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { bytes, disconnect, packet } from './support/wire.ts'

/** How clients have left, in their order. */
function reasonsOf(server: TestBroker): string[] {
  const reasons: string[] = []
  server.broker.on('clientDisconnect', (client, reason) => reasons.push(`${client.id} ${reason}`))
  return reasons
}

for (const version of [4, 5] as const) {
  test.for<[reason: string, leave: (client: RawClient, server: TestBroker) => unknown]>([
    ['disconnect', client => client.send(disconnect())],
    ['cut', client => client.socket.destroy()],
    ['cut', client => client.socket.end()],
    ['cut', client => client.socket.resetAndDestroy()],
    ['refusal', client => client.send(bytes(0x00, 0))],
    ['refusal', client => client.send(packet(0x36, 0, 1, 0x61, 0, 1))],
    ['kick', (_client, { broker }) => (broker.clients['c'] as Client).close()],
    ['shutdown', (_client, { broker }) => broker.close()],
  ])(`MQTT ${version}: clientDisconnect tells %s`, async ([reason, leave]) => {
    const server = await startBroker()
    const reasons = reasonsOf(server)
    const client = await server.connect({ version, clientId: 'c' })
    await leave(client, server)
    await expect.poll(() => reasons).toEqual([`c ${reason}`])
  })

  test(`MQTT ${version}: clientDisconnect tells takeOver`, async () => {
    const server = await startBroker()
    const reasons = reasonsOf(server)
    const client = await server.connect({ version, clientId: 'c' })
    await server.connect({ version, clientId: 'c' })
    await client.closed()
    expect(reasons).toEqual(['c takeOver'])
  })

  test(`MQTT ${version}: clientDisconnect tells keepAlive`, async () => {
    const server = await startBrokerWithClock()
    const reasons = reasonsOf(server)
    const client = await server.connect({ version, clientId: 'c', keepAlive: 2 })
    await server.pass(3000 + 750)
    await client.closed()
    expect(reasons).toEqual(['c keepAlive'])
  })

  test(`MQTT ${version}: clientDisconnect tells refusal when a hook has ended it`, async () => {
    const server = await startBroker({
      authorizeSubscribe: () => {
        throw new Error('not now')
      },
    })
    const reasons = reasonsOf(server)
    const client = await server.connect({ version, clientId: 'c' })
    client.send(packet(0x82, 0, 1, version === 5 ? [0] : [], 0, 1, 0x61, 0))
    await client.closed()
    expect(reasons).toEqual(['c refusal'])
  })
}
