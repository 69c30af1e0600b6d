import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { puback, pubcomp, pubrec } from './support/wire.ts'
import type { ConnectFields, QoS } from './support/wire.ts'

async function memberOf(server: TestBroker, group: string, qos: number, fields: ConnectFields): Promise<RawClient> {
  const client = await server.connect(fields)
  expect((await client.subscribe([group, qos])).reasonCodes).toEqual([qos])
  return client
}

/** What has arrived until now. */
async function payloads(client: RawClient): Promise<readonly string[]> {
  client.send(Buffer.of(0xc0, 0))
  const seen: string[] = []
  for (let frame = await client.next(); frame.type !== 'pingresp'; frame = await client.next()) {
    const topicEnd = 2 + frame.body.readUInt16BE()
    const idEnd = topicEnd + ((frame.flags & 6) > 0 ? 2 : 0)
    seen.push(frame.body.subarray(client.version === 5 ? idEnd + 1 : idEnd).toString())
  }
  return seen
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('members take turns, and each message goes to one of them', async () => {
    const server = await startBroker()
    for (const [qos, size] of [0, 1, 2].flatMap(level => [2, 3, 4].map(count => [level, count] as const))) {
      const ids = Array.from({ length: size }, (_, index) => `${index}`)
      const members = await Promise.all(ids.map(clientId => memberOf(server, '$share/g/a', qos, { version, clientId })))
      for (let index = 0; index < 12; index += 1) {
        await server.broker.publish({ topic: 'a', qos: qos as QoS, payload: `${index}` })
      }
      const seen = await Promise.all(members.map(payloads))
      expect(seen.map(list => list.length)).toEqual(ids.map(() => 12 / size))
      expect(
        seen
          .flat()
          .map(Number)
          .toSorted((x, y) => x - y),
      ).toEqual(Array.from({ length: 12 }, (_, index) => index))
      await Promise.all(members.map(member => server.drop(member)))
    }
  })

  versionTest('groups and plain subscriptions each get their copy', async () => {
    const server = await startBroker()
    const clients = [
      await memberOf(server, '$share/one/a', 1, { version, clientId: 'x' }),
      await memberOf(server, '$share/two/a', 1, { version, clientId: 'y' }),
      await memberOf(server, '$share/__proto__/a', 1, { version, clientId: 'p' }),
      await memberOf(server, 'a', 1, { version, clientId: 'z' }),
    ]
    for (const qos of [0, 1] as const) {
      await server.broker.publish({ topic: 'a', qos, payload: `${qos}` })
      for (const client of clients) expect((await client.nextPublish()).payload).toBe(`${qos}`)
    }
    for (const client of clients) await client.expectNothing()
  })

  versionTest('a member with a full window starves nobody: the others get what is new', async () => {
    const server = await startBroker({ maximumInflight: 2 })
    const busy = await memberOf(server, '$share/g/a', 1, { version, clientId: 'busy' })
    const idle = await memberOf(server, '$share/g/a', 1, { version, clientId: 'idle' })
    for (let index = 0; index < 20; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    for (let index = 0; index < 18; index += 1) idle.send(puback((await idle.nextPublish()).id))
    await idle.expectNothing()
    expect(await payloads(busy)).toHaveLength(2)
  })

  versionTest('when all are full, messages wait in the group and go to who has room first', async () => {
    const server = await startBroker({ maximumInflight: 1 })
    const one = await memberOf(server, '$share/g/a', 1, { version, clientId: 'one' })
    const two = await memberOf(server, '$share/g/a', 1, { version, clientId: 'two' })
    for (let index = 0; index < 6; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    const held = await one.nextPublish()
    await one.expectNothing()
    const order: string[] = []
    for (let index = 0; index < 5; index += 1) {
      const { id, payload } = await two.nextPublish()
      order.push(payload)
      two.send(puback(id))
    }
    await two.expectNothing()
    expect([held.payload, ...order].toSorted()).toEqual(['0', '1', '2', '3', '4', '5'])
    expect(order).toEqual(order.toSorted())
  })

  versionTest('unacknowledged QoS 1 messages of a member that leaves go to the others, in order', async () => {
    const server = await startBroker()
    for (const base of [{ version }, lasting]) {
      const leaving = await memberOf(server, '$share/g/a', 1, { ...base, clientId: 'leaving' })
      for (let index = 0; index < 4; index += 1)
        await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
      const first = await leaving.nextPublishes(4)
      leaving.send(puback(first[1]?.id ?? 0))
      await leaving.ping()
      const staying = await memberOf(server, '$share/g/a', 1, { version, clientId: 'staying' })
      await server.drop(leaving)
      const rest = await staying.nextPublishes(3)
      expect(rest.map(({ payload }) => payload)).toEqual(['0', '2', '3'])
      staying.send(...rest.map(({ id }) => puback(id)))
      await staying.expectNothing()
      const back = await server.connect({ ...base, clientId: 'leaving' })
      await back.expectNothing()
      await server.drop(back)
      await server.drop(staying)
      await server.drop(await server.connect({ version, clientId: 'leaving', cleanStart: true }))
    }
  })

  versionTest(
    'a QoS 2 delivery that has begun stays with its member, and is completed on its return',
    { tags: ['MQTT5-4.8.2-4'] },
    async () => {
      const server = await startBroker()
      const leaving = await memberOf(server, '$share/g/a', 2, { ...lasting, clientId: 'leaving' })
      await server.broker.publish({ topic: 'a', qos: 2, payload: 'begun' })
      const { id } = await leaving.nextPublish()
      const staying = await memberOf(server, '$share/g/a', 2, { version, clientId: 'staying' })
      await server.drop(leaving)
      await staying.expectNothing()
      const back = await server.connect({ ...lasting, clientId: 'leaving' })
      expect(await back.nextPublish()).toMatchObject({ id, payload: 'begun', dup: true })
      back.send(pubrec(id))
      await back.nextAck('pubrel', id)
      back.send(pubcomp(id))
      await back.expectNothing()
      await staying.expectNothing()
    },
  )

  versionTest(
    'a QoS 2 delivery that has begun ends with the session of its member',
    { tags: ['MQTT5-4.8.2-5'] },
    async () => {
      const server = await startBroker()
      const leaving = await memberOf(server, '$share/g/a', 2, { version, clientId: 'leaving' })
      await server.broker.publish({ topic: 'a', qos: 2, payload: 'begun' })
      await leaving.nextPublish()
      const staying = await memberOf(server, '$share/g/a', 2, { version, clientId: 'staying' })
      await server.drop(leaving)
      await staying.expectNothing()
    },
  )

  versionTest('messages wait in a group whose lasting members are all offline', async () => {
    const server = await startBroker()
    const member = await memberOf(server, '$share/g/a', 1, { ...lasting, clientId: 'm' })
    await server.drop(member)
    for (let index = 0; index < 3; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
    const back = await server.connect({ ...lasting, clientId: 'm' })
    expect((await back.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['0', '1', '2'])
    await back.expectNothing()
  })

  versionTest('a member that unsubscribes gets nothing more', async () => {
    const server = await startBroker()
    const one = await memberOf(server, '$share/g/a', 1, { version, clientId: 'one' })
    const two = await memberOf(server, '$share/g/a', 1, { version, clientId: 'two' })
    await one.unsubscribe('$share/g/a')
    for (let index = 0; index < 4; index += 1) await server.broker.publish({ topic: 'a', qos: (index % 2) as 0 | 1 })
    await one.expectNothing()
    await two.nextPublishes(4)
    await two.unsubscribe('$share/g/a')
    await server.broker.publish({ topic: 'a', qos: 1 })
    await two.expectNothing()
  })

  versionTest('a member gets messages at the QoS it was granted', { tags: ['MQTT5-4.8.2-3'] }, async () => {
    const server = await startBroker()
    const low = await memberOf(server, '$share/g/a', 0, { version, clientId: 'low' })
    const high = await memberOf(server, '$share/g/a', 1, { version, clientId: 'high' })
    for (let index = 0; index < 2; index += 1) await server.broker.publish({ topic: 'a', qos: 2 })
    expect((await low.nextPublish()).qos).toBe(0)
    expect((await high.nextPublish()).qos).toBe(1)
  })
})

test('an error code in PUBACK discards the message', { tags: ['MQTT5-4.8.2-6'] }, async () => {
  const server = await startBroker()
  const one = await memberOf(server, '$share/g/a', 1, { clientId: 'one' })
  await server.broker.publish({ topic: 'a', qos: 1 })
  const { id } = await one.nextPublish()
  const two = await memberOf(server, '$share/g/a', 1, { clientId: 'two' })
  one.send(puback(id, 0x80))
  await one.ping()
  await server.drop(one)
  await two.expectNothing()
})

test('a shared delivery has the Subscription Identifier of its member', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribeWith([['$share/g/a', 1]], property.subscriptionIdentifier(42))
  for (const qos of [0, 1] as const) {
    await server.broker.publish({ topic: 'a', qos })
    const { properties } = await client.nextPublish()
    expect(propertyValue(properties, PropertyId.subscriptionIdentifier)).toBe(42)
  }
})

test('a message too large for one member does not stop the group', async () => {
  const server = await startBroker()
  const small = await memberOf(server, '$share/g/a', 1, {
    clientId: 'small',
    properties: property.maximumPacketSize(40),
  })
  for (const size of [100, 10]) await server.broker.publish({ topic: 'a', qos: 1, payload: 'x'.repeat(size) })
  expect((await small.nextPublish()).payload).toHaveLength(10)
})

test('sticky keeps the messages of one publisher together', async () => {
  const server = await startBroker({ sharedSubscriptionStrategy: 'sticky' })
  const members = await Promise.all(['x', 'y', 'z'].map(clientId => memberOf(server, '$share/g/a', 1, { clientId })))
  for (const clientId of ['p1', 'p2', 'p3', 'p4']) {
    const publisher = await server.connect({ clientId })
    for (const qos of [0, 1, 0, 1] as const) await publisher.publishDone({ topic: 'a', qos, payload: clientId })
  }
  const seen = await Promise.all(members.map(payloads))
  for (const publisher of ['p1', 'p2', 'p3', 'p4']) {
    expect(seen.filter(list => list.includes(publisher))).toHaveLength(1)
  }
  expect(seen.flat()).toHaveLength(16)
})

test('leastInflight prefers who has the fewest unacknowledged messages', async () => {
  const server = await startBroker({ sharedSubscriptionStrategy: 'leastInflight' })
  const lazy = await memberOf(server, '$share/g/a', 1, { clientId: 'lazy' })
  const eager = await memberOf(server, '$share/g/a', 1, { clientId: 'eager' })
  for (let index = 0; index < 2; index += 1) await server.broker.publish({ topic: 'a', qos: 1 })
  eager.send(puback((await eager.nextPublish()).id))
  for (let index = 0; index < 5; index += 1) {
    await eager.ping()
    await server.broker.publish({ topic: 'a', qos: 1 })
    eager.send(puback((await eager.nextPublish()).id))
  }
  expect(await payloads(lazy)).toHaveLength(1)
})

test('random loses nothing', async () => {
  const server = await startBroker({ sharedSubscriptionStrategy: 'random' })
  const members = await Promise.all(['x', 'y'].map(clientId => memberOf(server, '$share/g/a', 1, { clientId })))
  for (let index = 0; index < 20; index += 1) await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
  expect((await Promise.all(members.map(payloads))).flat()).toHaveLength(20)
})
