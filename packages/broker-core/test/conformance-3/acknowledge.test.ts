import { expect, test } from 'vitest'
import { readAcknowledgement, readPublish } from '../support/frame.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { pingreq, puback, pubcomp, pubrec, pubrel } from '../support/wire.ts'
import type { QoS } from '../support/wire.ts'
import { connectClient, connectLasting, connectWatcher, hex } from './wire-case.ts'

/** A session that is subscribed to 'a' at QoS 2, and has got these messages without acknowledging them. */
async function withUnacknowledged(server: TestBroker, levels: readonly QoS[]): Promise<RawClient> {
  const client = await connectLasting(server, 's')
  await client.subscribe(['a', 2])
  const publisher = await connectClient(server, 'p')
  for (const [index, qos] of levels.entries()) await publisher.publishDone({ topic: 'a', qos, payload: `${index}` })
  return client
}

test(
  'unacknowledged deliveries have identifiers of their own, also when there are more after a reconnect',
  { tags: ['MQTT3-2.3.1-4', 'MQTT3-4.3.2-1', 'MQTT3-4.3.3-1'] },
  async () => {
    const server = await startBroker()
    const client = await withUnacknowledged(server, [1, 2, 1, 2, 1])
    const before = (await client.nextPublishes(5)).map(({ id }) => id)
    expect(new Set(before).size).toBe(5)
    await server.drop(client)
    const again = await connectLasting(server, 's')
    expect((await again.nextPublishes(5)).map(({ id }) => id)).toEqual(before)
    for (let index = 0; index < 5; index += 1) await server.broker.publish({ topic: 'a', qos: 1 })
    const more = (await again.nextPublishes(5)).map(({ id }) => id)
    expect(new Set([...before, ...more]).size).toBe(10)
    expect([...before, ...more]).not.toContain(0)
  },
)

test(
  'while one delivery stays unacknowledged, its identifier is not used for others, even when all others were used',
  { tags: ['MQTT3-2.3.1-4', 'MQTT3-4.3.2-1'] },
  async () => {
    const server = await startBroker()
    const client = await connectClient(server, 'c')
    await client.subscribe(['a', 1])
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'kept open' })
    const { id: open } = await client.nextPublish()
    const used = new Set<number>()
    // All identifiers but the open one and 0, in batches that the window has room for.
    for (let left = 65_534; left > 0; left -= 999) {
      const batch = Math.min(left, 999)
      for (let index = 0; index < batch; index += 1) void server.broker.publish({ topic: 'a', qos: 1 })
      const ids = (await client.nextPublishes(batch)).map(({ id }) => id)
      for (const id of ids) used.add(id)
      client.send(...ids.map(id => puback(id)))
      await client.ping()
    }
    expect(used.has(open) || used.has(0)).toBe(false)
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'next' })
    client.send(pingreq, puback(open), pingreq)
    const frames = [await client.next(), await client.next(), await client.next()]
    const [before] = frames.slice(
      0,
      frames.findIndex(({ type }) => type === 'pingresp'),
    )
    if (before !== undefined) expect(readPublish(before, 4).id).not.toBe(open)
    expect(frames.filter(({ type }) => type === 'publish').map(frame => readPublish(frame, 4).payload)).toEqual([
      'next',
    ])
  },
)

test(
  'a QoS 1 delivery comes again with the same identifier and DUP 1 until PUBACK, and not after it',
  { tags: ['MQTT3-4.3.2-1', 'MQTT3-3.3.1-1', 'MQTT3-4.4.0-1'] },
  async () => {
    const server = await startBroker()
    const client = await withUnacknowledged(server, [1])
    const first = await client.next()
    expect(first.bytes[0]).toBe(0x32)
    await client.expectNothing()
    await server.drop(client)
    for (let round = 0; round < 2; round += 1) {
      const again = await connectLasting(server, 's')
      const repeated = await again.next()
      expect(repeated.bytes[0]).toBe(0x3a)
      expect(repeated.body).toEqual(first.body)
      if (round === 1) again.send(puback(first.body.readUInt16BE(3)))
      await again.expectNothing()
      await server.drop(again)
    }
    const last = await connectLasting(server, 's')
    expect(last.connack.sessionPresent).toBe(true)
    await last.expectNothing()
  },
)

test(
  'a QoS 2 delivery comes again with DUP 1 until PUBREC, then PUBREL until PUBCOMP, then nothing',
  { tags: ['MQTT3-4.3.3-1', 'MQTT3-3.3.1-1', 'MQTT3-4.4.0-1', 'MQTT3-2.3.1-6', 'MQTT3-3.6.1-1'] },
  async () => {
    const server = await startBroker()
    const client = await withUnacknowledged(server, [2])
    const first = await client.next()
    expect(first.bytes[0]).toBe(0x34)
    await server.drop(client)
    const second = await connectLasting(server, 's')
    const repeated = await second.next()
    expect(repeated.bytes[0]).toBe(0x3c)
    expect(repeated.body).toEqual(first.body)
    const id = first.body.readUInt16BE(3)
    second.send(pubrec(id))
    const release = `6202${first.body.toString('hex', 3, 5)}`
    expect(hex([await second.next()])).toEqual([release])
    await server.drop(second)
    for (let round = 0; round < 2; round += 1) {
      const third = await connectLasting(server, 's')
      expect(hex([await third.next()])).toEqual([release])
      if (round === 1) third.send(pubcomp(id))
      await third.expectNothing()
      await server.drop(third)
    }
    await (await connectLasting(server, 's')).expectNothing()
  },
)

test(
  'a QoS 2 delivery that was completed on one connection does not come again, and makes room for the next',
  { tags: ['MQTT3-4.3.3-1', 'MQTT3-4.4.0-1'] },
  async () => {
    const server = await startBroker({ maximumInflight: 1 })
    const client = await withUnacknowledged(server, [2, 2, 1])
    for (const payload of ['0', '1']) {
      const delivery = await client.nextPublish()
      expect(delivery.payload).toBe(payload)
      await client.expectNothing()
      client.send(pubrec(delivery.id))
      await client.nextAck('pubrel', delivery.id)
      await client.expectNothing()
      client.send(pubcomp(delivery.id))
    }
    const { id } = await client.nextPublish()
    client.send(puback(id))
    await client.expectNothing()
    await server.drop(client)
    await (await connectLasting(server, 's')).expectNothing()
  },
)

test('on a connection that lives nothing is sent again', { tags: ['MQTT3-3.3.1-1'] }, async () => {
  const server = await startBroker()
  const client = await withUnacknowledged(server, [1, 2])
  const deliveries = await client.nextPublishes(2)
  expect(deliveries.map(({ dup }) => dup)).toEqual([false, false])
  await client.subscribe(['b', 2])
  await client.expectNothing()
})

test(
  'after a reconnect PUBLISH and PUBREL that are open come again with their identifiers and in their order',
  { tags: ['MQTT3-4.4.0-1', 'MQTT3-4.1.0-1', 'MQTT3-4.6.0-1', 'MQTT3-3.3.1-1'] },
  async () => {
    const server = await startBroker()
    const client = await withUnacknowledged(server, [1, 2, 2, 1, 2, 1])
    const first = await client.nextPublishes(6)
    const ids = first.map(({ id }) => id)
    const at = (index: number): number => ids[index] ?? 0
    client.send(pubrec(at(2)), puback(at(3)))
    await client.nextAck('pubrel', at(2))
    await server.drop(client)
    const again = await connectLasting(server, 's')
    const frames = [await again.next(), await again.next(), await again.next(), await again.next(), await again.next()]
    const publishes = frames.filter(({ type }) => type === 'publish')
    expect(publishes.map(({ bytes }) => bytes[0])).toEqual([0x3a, 0x3c, 0x3c, 0x3a])
    expect(publishes.map(({ body }) => body.readUInt16BE(3))).toEqual([at(0), at(1), at(4), at(5)])
    expect(publishes.map(({ body }) => body.toString('utf8', 5))).toEqual(['0', '1', '4', '5'])
    const release = frames.find(({ type }) => type === 'pubrel')
    expect(release === undefined ? 0 : readAcknowledgement(release, 'pubrel', 4).id).toBe(at(2))
    await again.expectNothing()
  },
)

test('a clean session brings nothing of what was open', { tags: ['MQTT3-3.1.2-6', 'MQTT3-4.4.0-1'] }, async () => {
  const server = await startBroker()
  const client = await withUnacknowledged(server, [1, 2])
  await client.nextPublishes(2)
  await server.drop(client)
  await (await connectClient(server, 's')).expectNothing()
  await (await connectLasting(server, 's')).expectNothing()
})

test('PUBRELs come in the order of the PUBRECs', { tags: ['MQTT3-4.6.0-4', 'MQTT3-4.6.0-6'] }, async () => {
  const server = await startBroker()
  const client = await withUnacknowledged(server, [2, 2, 2])
  const ids = (await client.nextPublishes(3)).map(({ id }) => id)
  const order = [ids[1] ?? 0, ids[2] ?? 0, ids[0] ?? 0]
  client.send(...order.map(id => pubrec(id)))
  for (const id of order) await client.nextAck('pubrel', id)
  await client.expectNothing()
})

test(
  'a QoS 2 message is delivered once however often it comes, until PUBREL frees its identifier',
  { tags: ['MQTT3-4.3.3-2'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const client = await connectClient(server, 'c')
    for (const payload of ['one', 'two']) {
      for (const dup of [false, true, true]) {
        client.publish({ topic: 'a', qos: 2, id: 7, dup, payload })
        expect(hex([await client.next()])).toEqual(['50020007'])
      }
      client.send(pubrel(7))
      expect(hex([await client.next()])).toEqual(['70020007'])
      expect((await watcher.nextPublish()).payload).toBe(payload)
      await watcher.expectNothing()
    }
  },
)

test(
  'a QoS 2 identifier is remembered across a reconnect, until PUBREL',
  { tags: ['MQTT3-4.3.3-2', 'MQTT3-4.1.0-1'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const client = await connectLasting(server, 's')
    client.publish({ topic: 'a', qos: 2, id: 7, payload: 'one' })
    await client.nextAck('pubrec', 7)
    await server.drop(client)
    const again = await connectLasting(server, 's')
    again.publish({ topic: 'a', qos: 2, id: 7, dup: true, payload: 'one' })
    await again.nextAck('pubrec', 7)
    await server.drop(again)
    const third = await connectLasting(server, 's')
    third.send(pubrel(7))
    await third.nextAck('pubcomp', 7)
    await third.publishDone({ topic: 'a', qos: 2, id: 7, payload: 'two' })
    expect((await watcher.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['one', 'two'])
    await watcher.expectNothing()
  },
)

test(
  'PUBREL of an unknown identifier is answered with PUBCOMP',
  { tags: ['MQTT3-4.3.3-2', 'MQTT3-2.3.1-6'] },
  async () => {
    const server = await startBroker()
    const client = await connectClient(server, 'c')
    client.send(pubrel(4660))
    expect(hex([await client.next()])).toEqual(['70021234'])
  },
)
