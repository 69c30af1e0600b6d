import { expect, test } from 'vitest'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { connect } from '../support/wire.ts'
import type { ConnectFields } from '../support/wire.ts'
import { connectClient, hex } from './wire-case.ts'

/** Another broker's bridge: the high bit of the protocol level is set. */
function connectBridge(server: TestBroker, version: 3 | 4, fields: ConnectFields = {}): Promise<RawClient> {
  return server.connect({ version, level: 0x80 | version, clientId: 'bridge', ...fields })
}

for (const [name, version] of [
  ['0x83 (MQIsdp)', 3],
  ['0x84 (MQTT)', 4],
] as const) {
  for (const [session, cleanStart] of [
    ['clean', true],
    ['stored', false],
  ] as const) {
    test(`a bridge of level ${name} with a ${session} session gets live messages with the RETAIN flag they were published with`, async () => {
      const server = await startBroker()
      const bridge = await connectBridge(server, version, { cleanStart })
      const ordinary = await connectClient(server, 'ordinary')
      for (const client of [bridge, ordinary]) await client.subscribe(['a', 2])
      const publisher = await connectClient(server, 'p')
      for (const qos of [0, 1, 2] as const) {
        for (const retain of [true, false]) {
          await publisher.publishDone({ topic: 'a', qos, retain, payload: 'x' })
          expect(await bridge.nextPublish()).toMatchObject({ qos, retain })
          expect(await ordinary.nextPublish()).toMatchObject({ qos, retain: false })
        }
      }
    })

    test(`a bridge of level ${name} with a ${session} session does not get its own messages, and all others do`, async () => {
      const server = await startBroker()
      const bridge = await connectBridge(server, version, { cleanStart })
      const other = await connectBridge(server, version, { clientId: 'other bridge', cleanStart })
      const ordinary = await connectClient(server, 'ordinary')
      for (const client of [bridge, other, ordinary]) await client.subscribe(['#', 2])
      for (const qos of [0, 1, 2] as const) {
        await bridge.publishDone({ topic: 'a', qos, payload: `${qos}` })
        for (const client of [other, ordinary]) expect((await client.nextPublish()).payload).toBe(`${qos}`)
        await bridge.expectNothing()
      }
      ordinary.publish({ topic: 'a', payload: 'mine' })
      for (const client of [bridge, other, ordinary]) expect((await client.nextPublish()).payload).toBe('mine')
    })
  }

  test(`a bridge of level ${name} stays one when its session goes on, and CONNACK is as for the version`, async () => {
    const server = await startBroker()
    const before = await connectBridge(server, version, { cleanStart: false })
    await before.subscribe(['a', 1])
    await server.drop(before)
    const publisher = await connectClient(server, 'p')
    await publisher.publishDone({ topic: 'a', qos: 1, retain: true, payload: 'queued' })
    const after = await connectBridge(server, version, { cleanStart: false })
    expect(after.connack.flags).toBe(version === 4 ? 1 : 0)
    expect(await after.nextPublish()).toMatchObject({ payload: 'queued', retain: true })
    await publisher.publishDone({ topic: 'a', qos: 1, retain: true, payload: 'live' })
    expect(await after.nextPublish()).toMatchObject({ payload: 'live', retain: true })
    await after.publishDone({ topic: 'a', qos: 1, payload: 'own' })
    await after.expectNothing()
  })

  test(`a bridge of level ${name} gets retained messages when it subscribes`, async () => {
    const server = await startBroker()
    await server.broker.publish({ topic: 'a', retain: true, payload: 'kept' })
    const bridge = await connectBridge(server, version)
    for (let round = 0; round < 2; round += 1) {
      await bridge.subscribe('a')
      expect(await bridge.nextPublish()).toMatchObject({ payload: 'kept', retain: true })
    }
  })
}

test('protocol levels before MQTT 3.1 with the high bit are refused with return code 1', async () => {
  const server = await startBroker()
  for (const level of [0x80, 0x82]) {
    const client = await server.open()
    client.send(connect({ version: 4, level, clientId: 'b' }))
    expect(hex(await client.closed())).toEqual(['20020001'])
  }
})

test('subscription options of MQTT 5.0 close the connection of a bridge as of any client before MQTT 5.0', async () => {
  const server = await startBroker()
  for (const options of [0x04, 0x08, 0x10]) {
    const bridge = await connectBridge(server, 4)
    bridge.send(Buffer.from([0x82, 6, 0, 1, 0, 1, 0x61, options]))
    expect(await bridge.closed()).toEqual([])
  }
})
