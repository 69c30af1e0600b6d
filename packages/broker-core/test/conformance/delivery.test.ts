import { expect, test } from 'vitest'
import { property } from '../support/property.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { puback, pubcomp, pubrec, pubrel } from '../support/wire.ts'
import type { QoS } from '../support/wire.ts'

const lasting = { clientId: 's', cleanStart: false, properties: property.sessionExpiryInterval(3600) } as const

/** A subscriber of `a` at QoS 2 whose session outlives its connection. */
async function subscriberOf(server: TestBroker): Promise<RawClient> {
  const client = await server.connect(lasting)
  await client.subscribe(['a', 2])
  return client
}

test(
  'first bytes of deliveries have QoS, RETAIN only for retained messages, and no DUP, whatever the publisher sent',
  { tags: ['MQTT5-4.3.1-1', 'MQTT5-4.3.2-2', 'MQTT5-4.3.3-2'] },
  async () => {
    const server = await startBroker()
    const publisher = await server.connect({ clientId: 'p' })
    const subscriber = await subscriberOf(server)
    const firstBytes: number[] = []
    const ids: number[] = []
    for (const qos of [0, 1, 2] as const) {
      for (const dup of qos === 0 ? [false] : [false, true]) {
        publisher.publish({ topic: 'a', qos, dup, id: 10 + qos + (dup ? 10 : 0) })
        if (qos > 0) await publisher.nextAck(qos === 1 ? 'puback' : 'pubrec')
        const { bytes, body } = await subscriber.next('publish')
        firstBytes.push(bytes[0] ?? 0)
        if (qos > 0) ids.push(body.readUInt16BE(3))
      }
    }
    expect(firstBytes.map(byte => byte.toString(16))).toEqual(['30', '32', '32', '34', '34'])
    expect(ids).not.toContain(0)
    await publisher.publishDone({ topic: 'r', retain: true, payload: 'kept' })
    await subscriber.subscribe(['r', 0])
    expect((await subscriber.next('publish')).bytes[0]).toBe(0x31)
  },
)

for (const qos of [1, 2] as const) {
  test(
    `unacknowledged QoS ${qos} deliveries have identifiers of their own, also while others are acknowledged`,
    { tags: ['MQTT5-4.3.2-1', 'MQTT5-4.3.3-1'] },
    async () => {
      const server = await startBroker()
      const client = await subscriberOf(server)
      const open = new Set<number>()
      for (let index = 0; index < 60; index += 1) {
        await server.broker.publish({ topic: 'a', qos })
        const { id } = await client.nextPublish()
        expect(id).toBeGreaterThan(0)
        expect(open.has(id)).toBe(false)
        open.add(id)
        if (index % 3 !== 2) continue
        const [oldest = 0] = open
        open.delete(oldest)
        if (qos === 2) {
          client.send(pubrec(oldest))
          await client.nextAck('pubrel', oldest)
        }
        client.send(qos === 1 ? puback(oldest) : pubcomp(oldest))
      }
    },
  )
}

test(
  'a QoS 1 delivery is repeated until PUBACK, through several connections, and then no more',
  { tags: ['MQTT5-4.3.2-3'] },
  async () => {
    const server = await startBroker()
    let client = await subscriberOf(server)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'x' })
    const { id } = await client.nextPublish()
    for (let round = 0; round < 3; round += 1) {
      await server.drop(client)
      client = await server.connect(lasting)
      expect(await client.nextPublish()).toMatchObject({ id, payload: 'x', qos: 1, dup: true })
    }
    client.send(puback(id))
    await client.ping()
    await server.drop(client)
    await (await server.connect(lasting)).expectNothing()
  },
)

test('a QoS 2 delivery is repeated until PUBREC, with the same content', { tags: ['MQTT5-4.3.3-3'] }, async () => {
  const server = await startBroker()
  const client = await subscriberOf(server)
  const publisher = await server.connect({ clientId: 'p' })
  const properties = [...property.userProperty('k', 'v'), ...property.contentType('text/plain')]
  await publisher.publishDone({ topic: 'a', qos: 2, payload: 'x', properties })
  const first = await client.nextPublish()
  await server.drop(client)
  const again = await server.connect(lasting)
  const second = await again.nextPublish()
  expect(second).toEqual({ ...first, dup: true })
  again.send(pubrec(second.id))
  expect(await again.nextAck('pubrel', first.id)).toMatchObject({ reasonCode: 0 })
})

test('PUBREL answers a PUBREC below 0x80, and only such a one', { tags: ['MQTT5-4.3.3-4'] }, async () => {
  const server = await startBroker()
  const client = await subscriberOf(server)
  for (const [reasonCode, answered] of [
    [0x00, true],
    [0x10, true],
    [0x80, false],
    [0x99, false],
  ] as const) {
    await server.broker.publish({ topic: 'a', qos: 2 })
    const { id } = await client.nextPublish()
    client.send(pubrec(id, reasonCode))
    if (answered) {
      expect(await client.nextAck('pubrel', id)).toMatchObject({ reasonCode: 0 })
      client.send(pubcomp(id))
    }
    await client.expectNothing()
  }
})

test(
  'PUBREL is repeated until PUBCOMP, and the PUBLISH never again',
  { tags: ['MQTT5-4.3.3-5', 'MQTT5-4.3.3-6'] },
  async () => {
    const server = await startBroker()
    let client = await subscriberOf(server)
    await server.broker.publish({ topic: 'a', qos: 2, payload: 'released' })
    await server.broker.publish({ topic: 'a', qos: 2, payload: 'not released' })
    const [first, second] = (await client.nextPublishes(2)).map(({ id }) => id)
    client.send(pubrec(first ?? 0))
    await client.nextAck('pubrel', first)
    for (let round = 0; round < 2; round += 1) {
      await server.drop(client)
      client = await server.connect(lasting)
      await client.nextAck('pubrel', first)
      expect(await client.nextPublish()).toMatchObject({ id: second, payload: 'not released', dup: true })
      // A late PUBREC gets PUBREL once more, nothing else.
      client.send(pubrec(first ?? 0))
      await client.nextAck('pubrel', first)
      await client.expectNothing()
    }
    client.send(pubcomp(first ?? 0), pubrec(second ?? 0))
    await client.nextAck('pubrel', second)
    client.send(pubcomp(second ?? 0))
    await client.ping()
    await server.drop(client)
    await (await server.connect(lasting)).expectNothing()
  },
)

test(
  'a delivery that has begun outlives the expiry of its message, through every step',
  { tags: ['MQTT5-4.3.3-7'] },
  async () => {
    const server = await startBrokerWithClock()
    const client = await subscriberOf(server)
    const publisher = await server.connect({ clientId: 'p' })
    const properties = property.messageExpiryInterval(1)
    await publisher.publishDone({ topic: 'a', qos: 2, payload: 'begun', properties })
    const { id } = await client.nextPublish()
    await server.drop(client)
    await publisher.publishDone({ topic: 'a', qos: 2, payload: 'never sent', properties })
    await server.pass(5000)
    const again = await server.connect(lasting)
    expect(await again.nextPublish()).toMatchObject({ id, payload: 'begun', dup: true })
    again.send(pubrec(id))
    expect(await again.nextAck('pubrel', id)).toMatchObject({ reasonCode: 0 })
    again.send(pubcomp(id))
    await again.expectNothing()
  },
)

test(
  'a QoS 1 PUBLISH is acknowledged with its identifier, and is with everyone by then',
  { tags: ['MQTT5-4.3.2-4'] },
  async () => {
    const server = await startBroker()
    const away = await subscriberOf(server)
    await server.drop(away)
    const client = await server.connect({ clientId: 'c' })
    for (const id of [1, 7, 65_535]) {
      client.publish({ topic: 'a', qos: 1, id, payload: `${id}` })
      expect(await client.nextAck('puback', id)).toMatchObject({ reasonCode: 0 })
    }
    const back = await server.connect(lasting)
    expect((await back.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['1', '7', '65535'])
  },
)

test(
  'after its PUBACK an identifier stands for a new message, although DUP is set',
  { tags: ['MQTT5-4.3.2-5'] },
  async () => {
    const server = await startBroker()
    const subscriber = await subscriberOf(server)
    const client = await server.connect({ clientId: 'c' })
    for (const payload of ['first', 'second', 'second']) {
      client.publish({ topic: 'a', qos: 1, id: 7, dup: payload === 'second', payload })
      await client.nextAck('puback', 7)
    }
    expect((await subscriber.nextPublishes(3)).map(({ payload }) => payload)).toEqual(['first', 'second', 'second'])
  },
)

for (const granted of [0, 1, 2] as const satisfies readonly QoS[]) {
  test(
    `a QoS 2 message that is repeated before PUBREL reaches a QoS ${granted} subscriber once`,
    { tags: ['MQTT5-4.3.3-8', 'MQTT5-4.3.3-10', 'MQTT5-4.3.3-11', 'MQTT5-4.3.3-12'] },
    async () => {
      const server = await startBroker()
      const subscriber = await server.connect({ clientId: 's' })
      await subscriber.subscribe(['a', granted])
      const client = await server.connect({ clientId: 'c' })
      for (const payload of ['first', 'second']) {
        for (const dup of [false, true, true]) {
          client.publish({ topic: 'a', qos: 2, id: 7, dup, payload })
          expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0 })
        }
        // PUBREL repeated: the same answer to each, the second time that nothing was found.
        client.send(pubrel(7), pubrel(7))
        expect(await client.nextAck('pubcomp', 7)).toMatchObject({ reasonCode: 0 })
        expect(await client.nextAck('pubcomp', 7)).toMatchObject({ reasonCode: 0x92 })
      }
      expect((await subscriber.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['first', 'second'])
      await subscriber.expectNothing()
    },
  )
}

test(
  'after a PUBREC with an error code the identifier stands for a new message',
  { tags: ['MQTT5-4.3.3-9'] },
  async () => {
    const server = await startBroker({
      authorizePublish: (_client, { payload }) => {
        if (payload.toString() === 'no') throw new Error('no')
      },
    })
    const subscriber = await subscriberOf(server)
    const client = await server.connect({ clientId: 'c' })
    client.publish({ topic: 'a', qos: 2, id: 7, payload: 'no' })
    expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0x87 })
    for (const dup of [false, true]) {
      client.publish({ topic: 'a', qos: 2, id: 7, dup, payload: 'yes' })
      expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0 })
    }
    client.send(pubrel(7))
    expect(await client.nextAck('pubcomp', 7)).toMatchObject({ reasonCode: 0 })
    expect((await subscriber.nextPublish()).payload).toBe('yes')
    await subscriber.expectNothing()
  },
)

test('a refused QoS 2 identifier does not count against Receive Maximum', { tags: ['MQTT5-4.3.3-9'] }, async () => {
  const server = await startBroker({
    maxInflightInbound: 1,
    authorizePublish: (_client, { topic }) => {
      if (topic === 'no') throw new Error('no')
    },
  })
  const client = await server.connect({ clientId: 'c' })
  for (const id of [1, 2, 3]) {
    client.publish({ topic: 'no', qos: 2, id })
    expect(await client.nextAck('pubrec', id)).toMatchObject({ reasonCode: 0x87 })
  }
  client.publish({ topic: 'yes', qos: 2, id: 4 })
  expect((await client.nextAck('pubrec', 4)).reasonCode).toBeLessThan(0x80)
})

test('the acknowledgements of a QoS 2 message go on after it has expired', { tags: ['MQTT5-4.3.3-13'] }, async () => {
  const server = await startBrokerWithClock()
  const subscriber = await subscriberOf(server)
  const client = await server.connect({ clientId: 'c' })
  const properties = property.messageExpiryInterval(1)
  client.publish({ topic: 'a', qos: 2, id: 7, payload: 'x', properties })
  expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0 })
  await server.pass(10_000)
  client.publish({ topic: 'a', qos: 2, id: 7, dup: true, payload: 'x', properties })
  expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0 })
  client.send(pubrel(7))
  expect(await client.nextAck('pubcomp', 7)).toMatchObject({ reasonCode: 0 })
  expect((await subscriber.nextPublish()).payload).toBe('x')
  await subscriber.expectNothing()
})
