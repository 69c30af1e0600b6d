import { expect, test } from 'vitest'
import { property } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { auth, puback, pubcomp, pubrec, pubrel } from '../support/wire.ts'
import type { ConnectFields, QoS } from '../support/wire.ts'

const receiveMaximum = (count: number): ConnectFields => ({ clientId: 'c', properties: property.receiveMaximum(count) })
const lasting = (count: number): ConnectFields => ({
  clientId: 'c',
  cleanStart: false,
  properties: [...property.receiveMaximum(count), ...property.sessionExpiryInterval(3600)],
})

async function publishMany(server: TestBroker, count: number, qos: QoS = 1): Promise<void> {
  for (let index = 0; index < count; index += 1) await server.broker.publish({ topic: 'a', qos, payload: `${index}` })
}

for (const [kind, fields] of [
  ['ends with its connection', receiveMaximum(3)],
  ['lasts', lasting(3)],
] as const) {
  for (const filter of ['a', '$share/g/a']) {
    test(
      `a client of ${filter} gets as many QoS 1 and 2 messages as its Receive Maximum, in a session that ${kind}`,
      { tags: ['MQTT5-4.9.0-1', 'MQTT5-4.9.0-2'] },
      async () => {
        const server = await startBroker()
        const client = await server.connect(fields)
        await client.subscribe([filter, 2])
        await publishMany(server, 5, 1)
        await publishMany(server, 5, 2)
        const open = [...(await client.nextPublishes(3))]
        await client.expectNothing()
        // Each acknowledgement brings one more, and one only.
        for (let count = 3; count < 10; count += 1) {
          const done = open.shift()
          if (done?.qos === 2) {
            client.send(pubrec(done.id))
            await client.nextAck('pubrel', done.id)
            await client.expectNothing()
          }
          client.send(done?.qos === 2 ? pubcomp(done.id) : puback(done?.id ?? 0))
          open.push(await client.nextPublish())
          await client.expectNothing()
        }
      },
    )
  }
}

test(
  'Receive Maximum 1: the next message comes after PUBACK, PUBCOMP, or an error code in PUBREC, not after PUBREC 0x00',
  { tags: ['MQTT5-4.9.0-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(receiveMaximum(1))
    await client.subscribe(['a', 2])
    for (const qos of [1, 2, 2, 1] as const) await server.broker.publish({ topic: 'a', qos })
    const first = await client.nextPublish()
    await client.expectNothing()
    client.send(puback(first.id))
    const second = await client.nextPublish()
    client.send(pubrec(second.id))
    await client.nextAck('pubrel', second.id)
    await client.expectNothing()
    client.send(pubcomp(second.id))
    const third = await client.nextPublish()
    client.send(pubrec(third.id, 0x80))
    expect((await client.nextPublish()).qos).toBe(1)
    await client.expectNothing()
  },
)

test(
  'acknowledgements of what was never sent bring no more than Receive Maximum allows',
  { tags: ['MQTT5-4.9.0-1', 'MQTT5-4.9.0-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(receiveMaximum(2))
    await client.subscribe(['a', 1])
    await publishMany(server, 6)
    const open = await client.nextPublishes(2)
    const unknown = open.map(({ id }) => id + 1000)
    client.send(...unknown.map(id => puback(id)), ...unknown.map(id => pubcomp(id)))
    await client.expectNothing()
    client.send(...open.map(({ id }) => puback(id)), ...open.map(({ id }) => puback(id)))
    await client.nextPublishes(2)
    await client.expectNothing()
  },
)

test('retained messages keep to Receive Maximum', { tags: ['MQTT5-4.9.0-1', 'MQTT5-4.9.0-2'] }, async () => {
  const server = await startBroker()
  for (let index = 0; index < 5; index += 1) {
    await server.broker.publish({ topic: `r/${index}`, qos: 1, retain: true, payload: `${index}` })
  }
  const client = await server.connect(receiveMaximum(2))
  await client.subscribe(['r/#', 1])
  const topics = new Set<string>()
  let open = await client.nextPublishes(2)
  await client.expectNothing()
  for (const count of [2, 1]) {
    for (const { topic, id } of open) {
      topics.add(topic)
      client.send(puback(id))
    }
    open = await client.nextPublishes(count)
    await client.expectNothing()
  }
  for (const { topic } of open) topics.add(topic)
  expect(topics.size).toBe(5)
})

test(
  'what is sent again on a new connection counts against its Receive Maximum',
  { tags: ['MQTT5-4.9.0-1', 'MQTT5-4.9.0-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect(lasting(10))
    await client.subscribe(['a', 2])
    await publishMany(server, 6, 2)
    const begun = await client.nextPublishes(6)
    await server.drop(client)
    const again = await server.connect(lasting(2))
    for (const { id, payload } of begun.slice(0, 4)) {
      const repeated = await again.nextPublish()
      expect(repeated).toMatchObject({ id, payload, dup: true })
      if (id === begun[0]?.id) continue
      // One stays open from here on; the others go round beside it.
      await again.expectNothing()
      again.send(pubrec(id))
      await again.nextAck('pubrel', id)
      again.send(pubcomp(id))
    }
    await again.nextPublish()
    await again.expectNothing()
  },
)

for (const qos of [1, 2] as const) {
  test(
    `with QoS ${qos} messages up to Receive Maximum unacknowledged everything else goes on`,
    { tags: ['MQTT5-4.9.0-3'] },
    async () => {
      const server = await startBroker({
        authenticateEnhanced: (_client, { step }) => ({ done: step !== 'reauthenticate', data: Buffer.from('?') }),
      })
      const method = property.authenticationMethod('m')
      const client = await server.connect({ clientId: 'c', properties: [...property.receiveMaximum(1), ...method] })
      await client.subscribe(['a', 2])
      await publishMany(server, 3, qos)
      const { id } = await client.nextPublish()
      await client.ping()
      expect((await client.subscribe(['b', 2], ['d', 0])).reasonCodes).toEqual([2, 0])
      expect((await client.unsubscribe('b')).reasonCodes).toEqual([0])
      client.publish({ topic: 'other', qos: 1, id: 50 })
      await client.nextAck('puback', 50)
      client.publish({ topic: 'other', qos: 2, id: 51 })
      await client.nextAck('pubrec', 51)
      client.send(pubrel(51))
      await client.nextAck('pubcomp', 51)
      client.send(auth(0x19, method))
      await client.next('auth')
      client.send(auth(0x18, method))
      await client.next('auth')
      // QoS 0 needs no quota.
      await server.broker.publish({ topic: 'd', payload: 'at most once' })
      expect((await client.nextPublish()).payload).toBe('at most once')
      await client.expectNothing()
      if (qos === 2) {
        client.send(pubrec(id))
        await client.nextAck('pubrel', id)
      }
      client.send(qos === 1 ? puback(id) : pubcomp(id))
      expect((await client.nextPublish()).payload).toBe('1')
    },
  )
}
