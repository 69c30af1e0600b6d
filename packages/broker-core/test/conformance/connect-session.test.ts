import { expect, test } from 'vitest'
import { PropertyId, property, propertyValue } from '../support/property.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { disconnect } from '../support/wire.ts'
import type { ConnectFields } from '../support/wire.ts'

const minute = property.sessionExpiryInterval(60)
const resuming: ConnectFields = { clientId: 'c', cleanStart: false, properties: minute }

/** Leaves a session that lasts a minute behind: subscribed to `kept` at QoS 1, with one message waiting. */
async function leaveSession(server: TestBroker, fields: ConnectFields = resuming): Promise<void> {
  const client = await server.connect(fields)
  await client.subscribe(['kept', 1])
  await server.drop(client)
  await server.broker.publish({ topic: 'kept', payload: 'waited', qos: 1 })
}

test(
  'Clean Start 1 throws the session away, subscriptions and messages, for good',
  { tags: ['MQTT5-3.1.2-4', 'MQTT5-3.1.4-4', 'MQTT5-3.2.2-2'] },
  async () => {
    const server = await startBroker()
    await leaveSession(server)
    const fresh = await server.connect({ ...resuming, cleanStart: true })
    expect(fresh.connack).toMatchObject({ flags: 0, reasonCode: 0 })
    await server.broker.publish({ topic: 'kept', qos: 1 })
    await fresh.expectNothing()
    await server.drop(fresh)
    await server.broker.publish({ topic: 'kept', qos: 1 })
    const later = await server.connect(resuming)
    expect(later.connack.flags).toBe(1)
    await server.broker.publish({ topic: 'kept', qos: 1 })
    await later.expectNothing()
  },
)

test(
  'Clean Start 1 throws away the session of a client that is still connected',
  { tags: ['MQTT5-3.1.2-4', 'MQTT5-3.1.4-4', 'MQTT5-3.1.4-3'] },
  async () => {
    const server = await startBroker()
    const older = await server.connect(resuming)
    await older.subscribe(['kept', 1])
    const newer = await server.connect({ ...resuming, cleanStart: true })
    expect(newer.connack).toMatchObject({ flags: 0, reasonCode: 0 })
    await older.closedWith(0x8e)
    await server.broker.publish({ topic: 'kept', qos: 1 })
    await newer.expectNothing()
  },
)

test(
  'Clean Start 0 goes on with the session, subscriptions and messages',
  { tags: ['MQTT5-3.1.2-5', 'MQTT5-3.1.4-4', 'MQTT5-3.2.2-3'] },
  async () => {
    const server = await startBroker()
    await leaveSession(server)
    const again = await server.connect(resuming)
    expect(again.connack).toMatchObject({ flags: 1, reasonCode: 0 })
    expect(await again.nextPublish()).toMatchObject({ topic: 'kept', payload: 'waited', qos: 1 })
    await server.broker.publish({ topic: 'kept', payload: 'live', qos: 1 })
    expect((await again.nextPublish()).payload).toBe('live')
  },
)

test(
  'Clean Start 0 without a session begins one, which is there the next time',
  { tags: ['MQTT5-3.1.2-6', 'MQTT5-3.2.2-3'] },
  async () => {
    const server = await startBroker()
    const first = await server.connect(resuming)
    expect(first.connack).toMatchObject({ flags: 0, reasonCode: 0 })
    await first.subscribe(['a', 1])
    await server.drop(first)
    const second = await server.connect(resuming)
    expect(second.connack).toMatchObject({ flags: 1, reasonCode: 0 })
    await server.broker.publish({ topic: 'a' })
    await second.nextPublish()
  },
)

test(
  'a session without Session Expiry Interval, or with 0, ends with its connection',
  { tags: ['MQTT5-3.1.2-23', 'MQTT5-3.2.2-3'] },
  async () => {
    const server = await startBroker()
    for (const properties of [[], property.sessionExpiryInterval(0)]) {
      await leaveSession(server, { clientId: 'c', properties })
      const again = await server.connect(resuming)
      expect(again.connack).toMatchObject({ flags: 0, reasonCode: 0 })
      await server.broker.publish({ topic: 'kept', qos: 1 })
      await again.expectNothing()
      // Nothing of this one is left either.
      again.send(disconnect(0, property.sessionExpiryInterval(0)))
      await again.closed()
    }
  },
)

test(
  'a session outlives its connection for its Session Expiry Interval, not longer',
  { tags: ['MQTT5-3.1.2-23'] },
  async () => {
    const server = await startBrokerWithClock()
    await leaveSession(server)
    await server.pass(59_000)
    const inTime = await server.connect(resuming)
    expect(inTime.connack.flags).toBe(1)
    expect((await inTime.nextPublish()).payload).toBe('waited')
    // The time starts anew with the end of this connection.
    await server.pass(120_000)
    await server.drop(inTime)
    await server.pass(62_000)
    const late = await server.connect(resuming)
    expect(late.connack.flags).toBe(0)
    await late.expectNothing()
  },
)

test(
  'a Session Expiry Interval that is more milliseconds than 32 bits hold is kept',
  { tags: ['MQTT5-3.1.2-23'] },
  async () => {
    const server = await startBrokerWithClock()
    // The first is 704 ms in the lower 32 bits of its milliseconds; the last one means for ever.
    for (const seconds of [4_294_968, 0x80000000, 0xffffffff]) {
      const fields = { ...resuming, clientId: `c${seconds}`, properties: property.sessionExpiryInterval(seconds) }
      await server.drop(await server.connect(fields))
      await server.pass(5_000)
      const again = await server.connect(fields)
      expect(again.connack.flags).toBe(1)
    }
  },
)

test(
  'each client identifier has a session of its own, also where they differ by little',
  { tags: ['MQTT5-3.1.3-2'] },
  async () => {
    const server = await startBroker()
    const identifiers = ['a', 'A', 'a ', 'b', 'é', 'e\u0301', 'constructor', '1', '01']
    for (const [index, clientId] of identifiers.entries()) {
      const client = await server.connect({ ...resuming, clientId })
      expect(client.connack.flags).toBe(0)
      await client.subscribe([`own/${index}`, 1])
      await server.drop(client)
    }
    for (const index of identifiers.keys()) await server.broker.publish({ topic: `own/${index}`, qos: 1 })
    for (const [index, clientId] of identifiers.entries()) {
      const client = await server.connect({ ...resuming, clientId })
      expect(client.connack.flags).toBe(1)
      expect((await client.nextPublish()).topic).toBe(`own/${index}`)
      await client.expectNothing()
    }
  },
)

test(
  'the session of an assigned client identifier is resumed with that identifier',
  { tags: ['MQTT5-3.1.3-6', 'MQTT5-3.1.3-7', 'MQTT5-3.2.2-16'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: '', properties: minute }
    const first = await server.connect(fields)
    const second = await server.connect(fields)
    const assigned = propertyValue(first.connack.properties, PropertyId.assignedClientIdentifier)
    expect(assigned).toMatch(/./)
    expect(propertyValue(second.connack.properties, PropertyId.assignedClientIdentifier)).not.toBe(assigned)
    await first.subscribe(['mine', 1])
    await server.drop(first)
    await server.broker.publish({ topic: 'mine', qos: 1 })
    const again = await server.connect({ ...resuming, clientId: String(assigned) })
    expect(again.connack).toMatchObject({ flags: 1, reasonCode: 0 })
    expect(propertyValue(again.connack.properties, PropertyId.assignedClientIdentifier)).toBeUndefined()
    expect((await again.nextPublish()).topic).toBe('mine')
    await second.ping()
  },
)

test(
  'an empty client identifier gets a new one although a session with such an identifier waits',
  { tags: ['MQTT5-3.2.2-16'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: '', cleanStart: false, properties: minute }
    const first = await server.connect(fields)
    await server.drop(first)
    const second = await server.connect(fields)
    expect(second.connack.flags).toBe(0)
    expect(second.clientId).not.toBe(first.clientId)
  },
)
