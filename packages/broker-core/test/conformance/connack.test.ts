import { expect, test } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { readConnack } from '../support/frame.ts'
import type { Connack } from '../support/frame.ts'
import { PropertyId, property, propertyValue, propertyValues } from '../support/property.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { connect, pingreq, publish } from '../support/wire.ts'
import type { ConnectFields } from '../support/wire.ts'
import { connectCases } from './connect.cases.ts'

const minute = property.sessionExpiryInterval(60)

/** ms of silence after which a connection ends, for each second of Keep Alive: one and a half times the interval. MQTT 5.0 §3.1.2.10 */
const msPerKeepAliveSecond = 1500

const resuming: ConnectFields = { clientId: 'c', cleanStart: false, properties: minute }

/** What CONNACK may say. MQTT 5.0 §3.2.2.2 */
const connectReasonCodes = [
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
  0x9c, 0x9d, 0x9f,
]

/** Sends one packet on a connection of its own, and returns the CONNACK that refuses it; the connection must end with it. */
async function refusalOf(server: TestBroker, request: Buffer): Promise<Connack> {
  const client = await server.open()
  client.send(request, pingreq)
  const [refusal, ...rest] = await client.closed()
  if (refusal === undefined) throw new Error('closed without CONNACK')
  expect(rest).toEqual([])
  return readConnack(refusal, 5)
}

/** Lets clients in that have the password; refuses others with the reason code of their user name. */
const byUserName: Partial<BrokerOptions> = {
  authenticate: (_client, username, password) => {
    if (password?.toString() === 'secret') return true
    throw Object.assign(new Error('wrong password'), { reasonCode: Number(username) })
  },
}
const login = { username: 'ann', password: 'secret' }

test('no CONNACK has any of the flags 7 to 1, whatever it says', { tags: ['MQTT5-3.2.2-1'] }, async () => {
  const server = await startBroker(byUserName)
  const accepted = [
    await server.connect({ clientId: 'new', ...login }),
    await server.connect({ clientId: '', ...login, properties: property.sessionExpiryInterval(1) }),
  ]
  for (const { connack } of accepted) expect(connack.flags).toBe(0)
  await server.drop(await server.connect({ ...resuming, ...login }))
  expect((await server.connect({ ...resuming, ...login })).connack.flags).toBe(1)
  for (const { send, answer } of connectCases) {
    if (answer !== 'accepted') expect((await refusalOf(server, send)).flags).toBe(0)
  }
})

test(
  'a CONNACK that refuses has Session Present 0 although there is a session, which stays',
  { tags: ['MQTT5-3.2.2-6', 'MQTT5-3.1.4-2'] },
  async () => {
    const server = await startBroker(byUserName)
    const owner = await server.connect({ ...resuming, ...login })
    await owner.subscribe(['a', 1])
    await server.drop(owner)
    for (const cleanStart of [false, true]) {
      const guess = connect({ ...resuming, cleanStart, username: String(0x86), password: 'guess' })
      expect(await refusalOf(server, guess)).toMatchObject({ flags: 0, reasonCode: 0x86 })
    }
    expect((await server.connect({ ...resuming, ...login })).connack).toMatchObject({ flags: 1, reasonCode: 0 })
  },
)

test(
  'every refusal has a code of 0x80 or above from the list for CONNACK, and ends the connection',
  { tags: ['MQTT5-3.2.2-7', 'MQTT5-3.2.2-8'] },
  async () => {
    const server = await startBroker(byUserName)
    for (let reasonCode = 0; reasonCode <= 0x100; reasonCode += 1) {
      const refusal = await refusalOf(server, connect({ clientId: 'c', username: String(reasonCode) }))
      expect(connectReasonCodes).toContain(refusal.reasonCode)
      expect(refusal.reasonCode).toBeGreaterThanOrEqual(0x80)
      // What CONNACK can say is said.
      if (reasonCode >= 0x80 && connectReasonCodes.includes(reasonCode)) expect(refusal.reasonCode).toBe(reasonCode)
    }
    expect(server.broker.connectedClients).toBe(0)
  },
)

test(
  'refusals by the engine itself have codes from the list for CONNACK',
  { tags: ['MQTT5-3.2.2-7', 'MQTT5-3.2.2-8'] },
  async () => {
    const server = await startBroker({ maximumQoS: 0, retainAvailable: false, maxTopicLevels: 2 })
    for (const [fields, reasonCode] of [
      [{ will: { topic: 'w', qos: 1 } }, 0x9b],
      [{ will: { topic: 'w', retain: true } }, 0x9a],
      [{ will: { topic: 'w/#' } }, 0x90],
      [{ will: { topic: 'a/b/c' } }, 0x90],
      [{ properties: property.authenticationMethod('unknown') }, 0x8c],
      [{ protocolName: 'MQTX' }, 0x84],
    ] as const) {
      expect(await refusalOf(server, connect({ clientId: 'c', ...fields }))).toMatchObject({ flags: 0, reasonCode })
    }
  },
)

test('Maximum QoS is announced when it is 0 or 1, and not otherwise', { tags: ['MQTT5-3.2.2-9'] }, async () => {
  for (const maximumQoS of [0, 1, 2]) {
    const server = await startBroker({ maximumQoS })
    const { connack } = await server.connect({ clientId: 'c' })
    expect(propertyValues(connack.properties, PropertyId.maximumQoS)).toEqual(maximumQoS === 2 ? [] : [maximumQoS])
  }
})

test(
  'a broker without QoS 2 grants less, takes no PUBLISH above its limit and no will',
  { tags: ['MQTT5-3.2.2-10', 'MQTT5-3.2.2-11', 'MQTT5-3.2.2-12'] },
  async () => {
    for (const maximumQoS of [0, 1]) {
      const server = await startBroker({ maximumQoS })
      const watcher = await server.connect({ clientId: 'watcher' })
      const { reasonCodes } = await watcher.subscribe(['a', 0], ['b', 1], ['c', 2], ['w', 2])
      expect(reasonCodes).toEqual([0, maximumQoS, maximumQoS, maximumQoS])
      for (const qos of [1, 2] as const) {
        if (qos <= maximumQoS) continue
        const client = await server.connect({ clientId: 'c' })
        client.send(publish({ topic: 'a', qos }), pingreq)
        await client.closedWith(0x9b)
        const refusal = await refusalOf(server, connect({ clientId: 'c', will: { topic: 'w', qos } }))
        expect(refusal).toMatchObject({ flags: 0, reasonCode: 0x9b })
      }
      await watcher.expectNothing()
    }
  },
)

test(
  'a broker without retained messages says so, and takes neither PUBLISH nor will with RETAIN',
  { tags: ['MQTT5-3.2.2-13', 'MQTT5-3.2.2-14'] },
  async () => {
    const server = await startBroker({ retainAvailable: false })
    const watcher = await server.connect({ clientId: 'watcher' })
    expect(propertyValue(watcher.connack.properties, PropertyId.retainAvailable)).toBe(0)
    await watcher.subscribe('#')
    const client = await server.connect({ clientId: 'c' })
    client.send(publish({ topic: 'a', retain: true }), pingreq)
    await client.closedWith(0x9a)
    const refusal = await refusalOf(server, connect({ clientId: 'c', will: { topic: 'w', retain: true } }))
    expect(refusal).toMatchObject({ flags: 0, reasonCode: 0x9a })
    await watcher.expectNothing()
    const plain = await startBroker()
    const { connack } = await plain.connect({ clientId: 'c' })
    expect(propertyValues(connack.properties, PropertyId.retainAvailable)).toEqual([])
  },
)

test(
  'a packet above the announced Maximum Packet Size ends the connection, one of that size does not',
  { tags: ['MQTT5-3.2.2-15'] },
  async () => {
    const server = await startBroker({ maximumPacketSize: 1024 })
    const client = await server.connect({ clientId: 'c' })
    expect(propertyValue(client.connack.properties, PropertyId.maximumPacketSize)).toBe(1024)
    await client.subscribe('a')
    // First byte, two bytes of Remaining Length, topic, Property Length: 7 bytes beside the payload.
    client.send(publish({ topic: 'a', payload: 'x'.repeat(1017) }))
    expect((await client.next('publish')).bytes.length).toBe(1024)
    client.send(publish({ topic: 'a', payload: 'x'.repeat(1018) }), pingreq)
    const frames = await client.closed()
    expect(frames.map(({ type, body }) => [type, body[0]])).toEqual([['disconnect', 0x95]])
  },
)

test(
  'Topic Alias Maximum is announced, and an alias above it ends the connection',
  { tags: ['MQTT5-3.2.2-17', 'MQTT5-3.2.2-18'] },
  async () => {
    for (const topicAliasMaximum of [0, 3]) {
      const server = await startBroker({ topicAliasMaximum })
      const client = await server.connect({ clientId: 'c' })
      const announced = propertyValue(client.connack.properties, PropertyId.topicAliasMaximum) ?? 0
      expect(announced).toBe(topicAliasMaximum)
      await client.subscribe('a')
      if (topicAliasMaximum > 0) {
        client.publish({ topic: 'a', properties: property.topicAlias(topicAliasMaximum) })
        await client.nextPublish()
      }
      client.send(publish({ topic: 'a', properties: property.topicAlias(topicAliasMaximum + 1) }), pingreq)
      await client.closedWith(0x94)
    }
  },
)

test(
  'a refusal that would be too large goes without Reason String and User Properties',
  { tags: ['MQTT5-3.2.2-19', 'MQTT5-3.2.2-20'] },
  async () => {
    const server = await startBroker(byUserName)
    const refuse = async (size: number): Promise<Connack & { readonly size: number }> => {
      const client = await server.open()
      const properties = property.maximumPacketSize(size)
      client.send(connect({ clientId: 'c', username: String(0x8a), properties }))
      const frame = await client.next('connack')
      expect(await client.closed()).toEqual([])
      return { ...readConnack(frame, 5), size: frame.bytes.length }
    }
    const whole = await refuse(1000)
    expect(propertyValue(whole.properties, PropertyId.reasonString)).toBe('wrong password')
    expect(await refuse(whole.size)).toEqual(whole)
    const short = await refuse(whole.size - 1)
    expect(short).toMatchObject({ reasonCode: 0x8a, properties: [] })
    expect(short.size).toBeLessThan(whole.size)
  },
)

test(
  'a client is never sent a CONNACK above its Maximum Packet Size: it is not let in',
  { tags: ['MQTT5-3.2.2-20', 'MQTT5-3.2.0-1'] },
  async () => {
    const server = await startBroker()
    const sizeOf = async (size: number): Promise<number> => {
      const client = await server.open()
      client.send(connect({ clientId: 'c', properties: property.maximumPacketSize(size) }))
      return (await client.next('connack')).bytes.length
    }
    const whole = await sizeOf(1000)
    expect(await sizeOf(whole)).toBe(whole)
    const client = await server.open()
    client.send(connect({ clientId: 'c', properties: property.maximumPacketSize(whole - 1) }), pingreq)
    expect(await client.closed()).toEqual([])
  },
)

test(
  'CONNACK has no Server Keep Alive unless the broker has a limit, and the value that counts is kept',
  { tags: ['MQTT5-3.2.2-22'] },
  async () => {
    for (const [keepaliveLimit, expected] of [
      [0, 20],
      [10, 10],
    ] as const) {
      const server = await startBrokerWithClock({ keepaliveLimit })
      const client = await server.connect({ clientId: 'c', keepAlive: 20 })
      const told = propertyValue(client.connack.properties, PropertyId.serverKeepAlive)
      expect(told).toBe(keepaliveLimit === 0 ? undefined : keepaliveLimit)
      server.clock.advance(expected * msPerKeepAliveSecond - 1)
      expect(server.broker.client('c')?.connected).toBe(true)
      server.clock.advance(1001)
      await client.closedWith(0x8d)
    }
  },
)

test(
  'CONNACK is the first packet also while retained and waiting messages, and the will of the older connection, are due',
  { tags: ['MQTT5-3.2.0-1'] },
  async () => {
    const server = await startBroker()
    const older = await server.connect({ ...resuming, will: { topic: 'own/will', payload: 'will' } })
    await older.subscribe(['own/#', 1])
    await server.broker.publish({ topic: 'own/live', qos: 1, payload: 'waits' })
    await older.nextPublish()
    const newer = await server.open()
    newer.send(connect(resuming))
    expect(readConnack(await newer.next(), 5)).toMatchObject({ flags: 1, reasonCode: 0 })
    const { payload } = await newer.nextPublish()
    expect(payload).toBe('waits')
  },
)
