import { expect, test } from 'vitest'
import { describeFrame, readReason } from '../support/frame.ts'
import type { Frame, Reason } from '../support/frame.ts'
import { PropertyId, property, propertyValue, propertyValues } from '../support/property.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { connect, disconnect, packet, pingreq, publish, subscribe } from '../support/wire.ts'
import { beforeConnackCases, disconnectCases } from './disconnect.cases.ts'

/** What a server may say. MQTT 5.0 §3.14.2.1 */
const serverCodes = [
  0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
  0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
]

/** The last frame is the only DISCONNECT, with a code for servers and without Session Expiry Interval. */
function onlyDisconnect(frames: readonly Frame[]): Reason {
  const types = frames.map(({ type }) => type)
  expect(types.indexOf('disconnect'), frames.map(frame => describeFrame(frame)).join(', ')).toBe(frames.length - 1)
  const reason = readReason(frames.at(-1) as Frame, 'disconnect')
  expect(serverCodes).toContain(reason.reasonCode)
  expect(propertyValue(reason.properties, PropertyId.sessionExpiryInterval)).toBeUndefined()
  return reason
}

for (const { title, tags, options, send, reasonCode } of disconnectCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker(options)
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('will', 'after')
    const will = { topic: 'will', payload: 'w' }
    const client = await server.connect({ clientId: 'c', will })
    client.send(send, publish({ topic: 'after' }))
    expect(onlyDisconnect(await client.closed()).reasonCode).toBe(reasonCode)
    // What came behind has no effect; the others are served as before.
    expect((await watcher.nextPublish()).topic).toBe('will')
    await watcher.expectNothing()
  })
}

for (const { title, tags, options, send } of beforeConnackCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker(options)
    const client = await server.open()
    client.send(send, pingreq, publish({ topic: 'a', qos: 1 }))
    const frames = await client.closed()
    expect(frames.length).toBeLessThanOrEqual(1)
    // Its code says no, in the form of any version.
    for (const { type, body } of frames) expect([type, body[0], body[1] === 0]).toEqual(['connack', 0, false])
  })
}

test(
  'a connection whose CONNECT is still being judged gets no DISCONNECT when another one takes its identifier',
  { tags: ['MQTT5-3.14.0-1'] },
  async () => {
    let judged = 0
    const server = await startBroker({
      authenticate: () => {
        judged += 1
        return judged > 1 || new Promise<boolean>(() => undefined)
      },
    })
    const waiting = await server.open()
    waiting.send(connect({ clientId: 'x' }))
    const newer = await server.connect({ clientId: 'x' })
    await newer.ping()
    await server.broker.close()
    expect(await waiting.closed()).toEqual([])
    expect(onlyDisconnect(await newer.closed()).reasonCode).toBe(0x8b)
  },
)

test('a client that stays silent is told so with 0x8D', { tags: ['MQTT5-3.14.2-1', 'MQTT5-3.14.2-2'] }, async () => {
  const server = await startBrokerWithClock()
  const properties = property.sessionExpiryInterval(100)
  const client = await server.connect({ clientId: 'c', keepAlive: 10, properties })
  server.clock.advance(16_000)
  expect(onlyDisconnect(await client.closed()).reasonCode).toBe(0x8d)
})

test(
  'a client that is taken over is told so with 0x8E, although its session goes on',
  { tags: ['MQTT5-3.14.2-1', 'MQTT5-3.14.2-2'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: 'c', cleanStart: false, properties: property.sessionExpiryInterval(100) }
    const older = await server.connect(fields)
    await server.connect(fields)
    expect(onlyDisconnect(await older.closed()).reasonCode).toBe(0x8e)
  },
)

test(
  'a client that the program sends away is told so, and where to go',
  { tags: ['MQTT5-3.14.2-1', 'MQTT5-3.14.2-2'] },
  async () => {
    const server = await startBroker()
    const seen: unknown[] = []
    for (const close of [{}, { reasonCode: 0x9d, serverReference: 'there.example' }]) {
      server.broker.once('clientReady', client => client.close(close))
      const client = await server.connect({ clientId: 'c' })
      const { reasonCode, properties } = onlyDisconnect(await client.closed())
      seen.push([reasonCode, propertyValue(properties, PropertyId.serverReference)])
    }
    expect(seen).toEqual([
      [0x98, undefined],
      [0x9d, 'there.example'],
    ])
  },
)

for (const style of ['throws', 'rejects'] as const) {
  test(
    `a hook's reason code that DISCONNECT does not have becomes one that it has, when the hook ${style}`,
    { tags: ['MQTT5-3.14.2-1', 'MQTT5-4.13.2-1'] },
    async () => {
      for (const reasonCode of [0x84, 0x85, 0x86, 0x88, 0x8a, 0x8c, 0x91, 0x92, 0xff]) {
        const error = Object.assign(new Error('not you'), { reasonCode })
        const server = await startBroker({
          authorizeSubscribe: () => {
            if (style === 'throws') throw error
            return Promise.reject(error)
          },
        })
        const client = await server.connect({ clientId: 'c' })
        client.send(subscribe({ filters: [['a', 0]] }))
        expect(onlyDisconnect(await client.closed()).reasonCode).toBeGreaterThanOrEqual(0x80)
      }
    },
  )
}

test(
  'a reason code of the program that DISCONNECT does not have closes the connection all the same',
  { tags: ['MQTT5-3.14.2-1', 'MQTT5-4.13.2-1'] },
  async () => {
    const server = await startBroker()
    server.broker.once('clientReady', client => client.close({ reasonCode: 0x84 }))
    const client = await server.connect({ clientId: 'c' })
    onlyDisconnect(await client.closed())
  },
)

test(
  'DISCONNECT stays within Maximum Packet Size, without Reason String and User Property',
  { tags: ['MQTT5-3.14.2-3', 'MQTT5-3.14.2-4'] },
  async () => {
    const server = await startBroker()
    const wide = await server.connect({ clientId: 'w' })
    wide.send(connect({ clientId: 'w' }))
    const full = onlyDisconnect(await wide.closed())
    expect(propertyValue(full.properties, PropertyId.reasonString)).toMatch(/\w/)

    // 20 bytes hold the CONNACK, but not the reason.
    const narrow = await server.connect({ clientId: 'n', properties: property.maximumPacketSize(20) })
    narrow.send(connect({ clientId: 'n' }))
    const frames = await narrow.closed()
    expect(frames[0]?.bytes.length).toBeLessThanOrEqual(20)
    const bare = onlyDisconnect(frames)
    expect(bare.reasonCode).toBe(0x82)
    for (const id of [PropertyId.reasonString, PropertyId.userProperty]) {
      expect(propertyValues(bare.properties, id)).toEqual([])
    }
  },
)

test(
  'a CONNACK that exceeds Maximum Packet Size ends the connection, and nothing else comes in its place',
  { tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.0-1'] },
  async () => {
    const server = await startBroker({ responseInformation: 'reply/'.repeat(20) })
    const client = await server.open()
    const properties = [...property.maximumPacketSize(30), ...property.requestResponseInformation(1)]
    client.send(connect({ clientId: 'c', properties }), pingreq)
    for (const { bytes } of await client.closed()) expect(bytes.length).toBeLessThanOrEqual(30)
  },
)

test(
  'after DISCONNECT nothing is sent, and the connection ends without any act of the client',
  { tags: ['MQTT5-3.14.4-1', 'MQTT5-3.14.4-2'] },
  async () => {
    const server = await startBroker()
    const publisher = await server.connect({ clientId: 'p' })
    const burst = Array.from({ length: 200 }, () => publish({ topic: 'a', payload: 'x'.repeat(100) }))
    const older = await server.connect({ clientId: 'c' })
    await older.subscribe('a')
    publisher.send(...burst)
    const newer = await server.connect({ clientId: 'c' })
    await newer.subscribe('a')
    publisher.send(...burst, pingreq)
    await publisher.next('pingresp')
    expect(onlyDisconnect(await older.closed()).reasonCode).toBe(0x8e)

    // Its own messages in front of the mistake and behind it, in one write.
    const own = publish({ topic: 'a', payload: 'own' })
    newer.send(own, packet(0xd0), own, pingreq, subscribe({ filters: [['b', 0]] }))
    publisher.send(...burst, pingreq)
    expect(onlyDisconnect(await newer.closed()).reasonCode).toBe(0x82)
    await publisher.next('pingresp')
  },
)

test(
  'DISCONNECT 0x00 discards the Will, in either form; 0x04 and every other code publish it',
  { tags: ['MQTT5-3.14.4-3'] },
  async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('will')
    const goodbyes = [
      disconnect(),
      disconnect(0),
      disconnect(0, []),
      disconnect(0x04),
      disconnect(0x80),
      disconnect(0x93, []),
    ]
    for (const [index, goodbye] of goodbyes.entries()) {
      const client = await server.connect({ clientId: 'c', will: { topic: 'will', payload: `${index}` } })
      const left = server.gone('c')
      client.send(goodbye)
      expect(await client.closed()).toEqual([])
      await left
    }
    expect((await watcher.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['3', '4', '5'])
    await watcher.expectNothing()
  },
)
