import { expect, test } from 'vitest'
import { PropertyId, property, propertyValues } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import { puback, pubcomp, publish, pubrec, pubrel, pingreq } from '../support/wire.ts'
import type { QoS } from '../support/wire.ts'
import { publishCases } from './publish.cases.ts'

const levels: readonly QoS[] = [0, 1, 2]
const lasting = property.sessionExpiryInterval(3600)

for (const { title, tags, send, disconnect } of publishCases) {
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe(['#', 2])
    const client = await server.connect({ clientId: 'c' })
    client.send(send, publish({ topic: 'after' }))
    await client.closedWith(...disconnect)
    await watcher.expectNothing()
  })
}

test('QoS 0 is answered with nothing, QoS 1 with PUBACK, QoS 2 with PUBREC', { tags: ['MQTT5-3.3.4-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  client.send(
    publish({ topic: 'a', qos: 0 }),
    publish({ topic: 'a', qos: 1, id: 21 }),
    publish({ topic: 'a', qos: 0 }),
    publish({ topic: 'a', qos: 2, id: 22 }),
    pingreq,
  )
  await client.nextAck('puback', 21)
  await client.nextAck('pubrec', 22)
  await client.next('pingresp')
  client.send(pubrel(22))
  await client.nextAck('pubcomp', 22)
})

test(
  'a PUBLISH is answered as its own QoS demands, whatever its subscribers were granted',
  { tags: ['MQTT5-3.3.4-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    for (const granted of levels) {
      const subscriber = await server.connect({ clientId: `s${granted}` })
      await subscriber.subscribe([`to/${granted}`, granted])
      for (const qos of levels) {
        await client.publishDone({ topic: `to/${granted}`, qos })
        await subscriber.nextPublish()
      }
    }
    await client.expectNothing()
  },
)

test(
  'what was not acknowledged comes again with DUP 1 and its identifier, the rest with DUP 0',
  { tags: ['MQTT5-3.3.1-1'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: 's', cleanStart: false, properties: [...lasting, ...property.receiveMaximum(3)] }
    const client = await server.connect(fields)
    await client.subscribe(['a', 2])
    for (const [index, qos] of ([1, 2, 1, 1] as const).entries()) {
      await server.broker.publish({ topic: 'a', qos, payload: `${index}` })
    }
    const sent = await client.nextPublishes(3)
    expect(sent.map(({ dup }) => dup)).toEqual([false, false, false])
    await server.drop(client)
    await server.broker.publish({ topic: 'a', qos: 1, payload: '4' })

    const again = await server.connect({ ...fields, properties: lasting })
    const resent = await again.nextPublishes(5)
    expect(resent.map(({ payload, dup }) => [payload, dup])).toEqual([
      ['0', true],
      ['1', true],
      ['2', true],
      ['3', false],
      ['4', false],
    ])
    expect(resent.slice(0, 3).map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
  },
)

test(
  'DUP of a publisher is not passed on: not live, not queued, not at QoS 0',
  { tags: ['MQTT5-3.3.1-2', 'MQTT5-3.3.1-3'] },
  async () => {
    const server = await startBroker()
    const offline = await server.connect({ clientId: 'offline', cleanStart: false, properties: lasting })
    await offline.subscribe(['a', 2])
    await server.drop(offline)
    const live = await Promise.all(levels.map(granted => server.connect({ clientId: `s${granted}` })))
    for (const [granted, subscriber] of live.entries()) await subscriber.subscribe(['a', granted])
    const publisher = await server.connect({ clientId: 'p' })
    for (const qos of [1, 2] as const) {
      await publisher.publishDone({ topic: 'a', qos, dup: true, retain: true, payload: `${qos}` })
      for (const [granted, subscriber] of live.entries()) {
        expect(await subscriber.nextPublish()).toMatchObject({
          dup: false,
          payload: `${qos}`,
          qos: Math.min(qos, granted),
        })
      }
    }
    const again = await server.connect({ clientId: 'offline', cleanStart: false, properties: lasting })
    expect((await again.nextPublishes(2)).map(({ payload, dup }) => [payload, dup])).toEqual([
      ['1', false],
      ['2', false],
    ])
    const late = await server.connect({ clientId: 'late' })
    await late.subscribe(['a', 2])
    expect(await late.nextPublish()).toMatchObject({ payload: '2', retain: true, dup: false })
  },
)

test(
  'a re-sent message is forwarded with DUP 0 to one subscriber while another gets it again with DUP 1',
  { tags: ['MQTT5-3.3.1-1', 'MQTT5-3.3.1-3'] },
  async () => {
    const server = await startBroker()
    const fields = { cleanStart: false, properties: lasting }
    const first = await server.connect({ ...fields, clientId: 'first' })
    await first.subscribe(['a', 1])
    const second = await server.connect({ ...fields, clientId: 'second' })
    await second.subscribe(['a', 1])
    await server.drop(second)
    await server.broker.publish({ topic: 'a', qos: 1 })
    expect((await first.nextPublish()).dup).toBe(false)
    await server.drop(first)
    expect((await (await server.connect({ ...fields, clientId: 'first' })).nextPublish()).dup).toBe(true)
    expect((await (await server.connect({ ...fields, clientId: 'second' })).nextPublish()).dup).toBe(false)
  },
)

test(
  'one copy, not one for each subscription, and it names every Subscription Identifier',
  { tags: ['MQTT5-3.3.4-3', 'MQTT5-3.3.4-4', 'MQTT5-3.3.4-5'] },
  async () => {
    const server = await startBroker()
    for (const properties of [[], lasting]) {
      const client = await server.connect({ clientId: 'c', properties })
      await client.subscribeWith([['a/#', 0]], property.subscriptionIdentifier(1))
      await client.subscribeWith([['a/+', 2]], property.subscriptionIdentifier(2))
      await client.subscribe(['a/b', 1])
      await client.subscribeWith([['elsewhere', 2]], property.subscriptionIdentifier(3))
      for (const qos of levels) {
        await server.broker.publish({ topic: 'a/b', qos })
        const delivery = await client.nextPublish()
        expect(delivery.qos).toBe(qos)
        const identifiers = propertyValues(delivery.properties, PropertyId.subscriptionIdentifier).map(Number)
        expect(identifiers.toSorted((x, y) => x - y)).toEqual([1, 2])
        await client.expectNothing()
      }
    }
  },
)

test(
  'a delivery names no Subscription Identifier where no matching subscription has one',
  { tags: ['MQTT5-3.3.4-4', 'MQTT5-3.3.4-5'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    await client.subscribeWith([['b', 1]], property.subscriptionIdentifier(1))
    await client.subscribe(['a', 1])
    await server.broker.publish({ topic: 'a', qos: 1 })
    expect((await client.nextPublish()).properties).toEqual([])
    const other = await server.connect({ clientId: 'o' })
    await other.subscribeWith([['a', 1]], property.subscriptionIdentifier(9))
    await server.broker.publish({ topic: 'a', qos: 1 })
    expect((await client.nextPublish()).properties).toEqual([])
    expect(propertyValues((await other.nextPublish()).properties, PropertyId.subscriptionIdentifier)).toEqual([9])
  },
)

test(
  'maxInflightInbound open QoS 2 messages are taken, one more ends the connection with 0x93',
  { tags: ['MQTT5-3.3.4-7'] },
  async () => {
    const server = await startBroker({ maxInflightInbound: 2 })
    const client = await server.connect({ clientId: 'c' })
    expect(propertyValues(client.connack.properties, PropertyId.receiveMaximum)).toEqual([2])
    const open = async (id: number): Promise<void> => {
      client.send(publish({ topic: 'a', qos: 2, id }))
      await client.nextAck('pubrec', id)
    }
    await open(1)
    await open(2)
    // A repetition opens nothing, and QoS 0 does not count.
    client.send(publish({ topic: 'a', qos: 2, id: 2, dup: true }), publish({ topic: 'a' }))
    await client.nextAck('pubrec', 2)
    client.send(pubrel(1))
    await client.nextAck('pubcomp', 1)
    await open(3)
    client.send(publish({ topic: 'a', qos: 2, id: 4 }))
    await client.closedWith(0x93)
  },
)

test(
  'a QoS 2 message that PUBREC refused no longer counts against Receive Maximum',
  { tags: ['MQTT5-3.3.4-7'] },
  async () => {
    const server = await startBroker({
      maxInflightInbound: 1,
      authorizePublish: (_client, { topic }) => {
        if (topic === 'secret') throw new Error('no')
      },
    })
    const client = await server.connect({ clientId: 'c' })
    for (const id of [1, 2]) {
      client.send(publish({ topic: 'secret', qos: 2, id }))
      expect((await client.nextAck('pubrec', id)).reasonCode).toBe(0x87)
    }
    client.send(publish({ topic: 'a', qos: 2, id: 3 }))
    expect((await client.nextAck('pubrec', 3)).reasonCode).toBeLessThan(0x80)
    client.send(publish({ topic: 'a', qos: 2, id: 4 }))
    await client.closedWith(0x93)
  },
)

test(
  'never more than Receive Maximum deliveries are open; each end of one brings the next',
  { tags: ['MQTT5-3.3.4-9'] },
  async () => {
    const server = await startBroker()
    for (const expiry of [[], lasting]) {
      const client = await server.connect({ clientId: 's', properties: [...expiry, ...property.receiveMaximum(2)] })
      await client.subscribe(['a', 2])
      for (const [index, qos] of ([1, 2, 2, 1, 1] as const).entries()) {
        await server.broker.publish({ topic: 'a', qos, payload: `${index}` })
      }
      const [first, second] = await client.nextPublishes(2)
      await client.expectNothing()

      client.send(puback(first?.id ?? 0))
      const third = await client.nextPublish()
      expect(third.payload).toBe('2')
      await client.expectNothing()

      // PUBREC leaves the flow open, PUBCOMP ends it.
      client.send(pubrec(second?.id ?? 0))
      await client.nextAck('pubrel', second?.id ?? 0)
      await client.expectNothing()
      client.send(pubcomp(second?.id ?? 0))
      const fourth = await client.nextPublish()
      expect(fourth.payload).toBe('3')
      await client.expectNothing()

      // PUBREC with an error ends it at once.
      client.send(pubrec(third.id, 0x80))
      expect((await client.nextPublish()).payload).toBe('4')
      await client.expectNothing()
    }
  },
)

test('QoS 0 deliveries are not counted against Receive Maximum', { tags: ['MQTT5-3.3.4-9'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 's', properties: property.receiveMaximum(1) })
  await client.subscribe(['a', 1])
  for (const [qos, payload] of [
    [0, 'first'],
    [1, 'second'],
    [1, 'waits'],
  ] as const) {
    await server.broker.publish({ topic: 'a', qos, payload })
  }
  expect((await client.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['first', 'second'])
  await client.expectNothing()
})

test('a client with a full window still gets every other packet', { tags: ['MQTT5-3.3.4-10'] }, async () => {
  const server = await startBroker()
  for (const expiry of [[], lasting]) {
    const client = await server.connect({ clientId: 's', properties: [...expiry, ...property.receiveMaximum(1)] })
    await client.subscribe(['a', 2])
    for (const payload of ['open', 'waits']) await server.broker.publish({ topic: 'a', qos: 2, payload })
    const { id } = await client.nextPublish()

    await client.ping()
    await client.subscribe(['b', 0])
    await client.unsubscribe('c')
    await client.publishDone({ topic: 'd', qos: 1 })
    await client.publishDone({ topic: 'd', qos: 2 })
    await server.broker.publish({ topic: 'b', payload: 'live' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'b', qos: 0, payload: 'live' })

    client.send(pubrec(id))
    await client.nextAck('pubrel', id)
    client.send(pubcomp(id))
    expect((await client.nextPublish()).payload).toBe('waits')
  }
})
