import { expect } from 'vitest'
import { eachVersion } from './each-version.ts'
import { property } from './property.ts'
import type { TestBroker } from './start-broker.ts'
import { publish, puback, pubcomp, pubrec, pubrel } from './wire.ts'
import type { QoS } from './wire.ts'

/** Properties of a session that outlives its connection, with this Receive Maximum. */
function receiveMaximum(count: number): readonly number[] {
  return [...property.sessionExpiryInterval(3600), ...property.receiveMaximum(count)]
}

/** What holds for sessions, whatever the store is made of. `start` makes a broker on the store under test. */
export function sessionSuite(start: () => Promise<TestBroker>): void {
  eachVersion(({ version, lasting, test }) => {
    test(
      'a session goes on after the connection was lost',
      {
        tags: [
          'MQTT3-3.1.2-4',
          'MQTT3-3.2.2-2',
          'MQTT3-3.2.2-3',
          'MQTT5-3.1.2-5',
          'MQTT5-3.1.2-6',
          'MQTT5-3.1.2-23',
          'MQTT5-3.2.2-3',
        ],
      },
      async () => {
        const server = await start()
        const client = await server.connect({ ...lasting, clientId: 's' })
        expect(client.connack.sessionPresent).toBe(false)
        await client.subscribe(['a', 1])
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        expect(again.connack.sessionPresent).toBe(true)
        await server.broker.publish({ topic: 'a', payload: 'live' })
        expect((await again.nextPublish()).payload).toBe('live')
      },
    )

    for (const [name, fields] of [
      ['that outlasts its connection', lasting],
      ['that ends with its connection', { version, cleanStart: true }],
    ] as const) {
      test(`Packet Identifiers of a session ${name} begin with 1`, async () => {
        const server = await start()
        const client = await server.connect({ ...fields, clientId: 's' })
        await client.subscribe(['a', 1])
        for (const id of [1, 2]) {
          await server.broker.publish({ topic: 'a', qos: 1, payload: '' })
          expect((await client.nextPublish()).id).toBe(id)
          client.send(puback(id))
        }
      })
    }

    test(
      'a clean start throws the session away, queue and all',
      { tags: ['MQTT3-3.1.2-6', 'MQTT3-3.2.2-1', 'MQTT5-3.1.2-4', 'MQTT5-3.2.2-2'] },
      async () => {
        const server = await start()
        const client = await server.connect({ ...lasting, clientId: 's' })
        await client.subscribe(['a', 1])
        await server.drop(client)
        await server.broker.publish({ topic: 'a', qos: 1 })
        const fresh = await server.connect({ ...lasting, clientId: 's', cleanStart: true })
        expect(fresh.connack.sessionPresent).toBe(false)
        await server.broker.publish({ topic: 'a', qos: 1 })
        await fresh.expectNothing()
      },
    )

    test(
      'a session without expiry ends with its connection',
      { tags: ['MQTT3-3.1.2-6', 'MQTT5-3.1.2-23'] },
      async () => {
        const server = await start()
        const client = await server.connect({ version, clientId: 's', cleanStart: true })
        await client.subscribe(['a', 1])
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        expect(again.connack.sessionPresent).toBe(false)
        await server.broker.publish({ topic: 'a', qos: 1 })
        await again.expectNothing()
      },
    )

    test(
      'QoS 1 and 2 messages wait for who is offline, QoS 0 messages do not',
      { tags: ['MQTT3-3.1.2-5', 'MQTT3-4.5.0-1', 'MQTT5-4.5.0-1'] },
      async () => {
        const server = await start()
        const clients = await Promise.all(['s1', 's2'].map(clientId => server.connect({ ...lasting, clientId })))
        for (const client of clients) {
          await client.subscribe(['a', 2])
          await server.drop(client)
        }
        const publisher = await server.connect({ version, clientId: 'p' })
        for (const qos of [0, 1, 2, 1] as const) await publisher.publishDone({ topic: 'a', qos, payload: `${qos}` })
        for (const { clientId } of clients) {
          const again = await server.connect({ ...lasting, clientId })
          const deliveries = await again.nextPublishes(3)
          expect(deliveries.map(({ payload, qos, dup }) => [payload, qos, dup])).toEqual([
            ['1', 1, false],
            ['2', 2, false],
            ['1', 1, false],
          ])
          await again.expectNothing()
        }
      },
    )

    test('a long queue arrives whole and in order', { tags: ['MQTT3-4.6.0-6', 'MQTT5-4.6.0-5'] }, async () => {
      const server = await start()
      const client = await server.connect({ ...lasting, clientId: 's' })
      await client.subscribe(['a', 1])
      await server.drop(client)
      const count = 1500
      const publisher = await server.connect({ version, clientId: 'p' })
      const frames = Array.from({ length: count }, (_, index) =>
        publish({ version, topic: 'a', qos: 1, id: index + 1, payload: `${index}` }),
      )
      for (let from = 0; from < count; from += 500) {
        publisher.send(...frames.slice(from, from + 500))
        for (let index = from; index < from + 500; index += 1) await publisher.nextAck('puback', index + 1)
      }
      const again = await server.connect({ ...lasting, clientId: 's' })
      for (let index = 0; index < count; index += 1) {
        const { id, payload } = await again.nextPublish()
        expect(payload).toBe(`${index}`)
        again.send(puback(id))
      }
      await again.expectNothing()
    })

    test(
      'what was not acknowledged comes again, with DUP, the same identifiers and in order',
      {
        tags: [
          'MQTT3-3.3.1-1',
          'MQTT3-4.4.0-1',
          'MQTT3-4.6.0-1',
          'MQTT3-4.3.2-1',
          'MQTT5-3.3.1-1',
          'MQTT5-4.4.0-1',
          'MQTT5-4.3.2-3',
          'MQTT5-4.3.3-3',
        ],
      },
      async () => {
        const server = await start()
        const client = await server.connect({ ...lasting, clientId: 's' })
        await client.subscribe(['a', 2])
        const levels: readonly QoS[] = [1, 2, 1, 2, 1]
        for (const [index, qos] of levels.entries())
          await server.broker.publish({ topic: 'a', qos, payload: `${index}` })
        const first = await client.nextPublishes(5)
        expect(first.every(({ dup }) => !dup)).toBe(true)
        client.send(puback(first[2]?.id ?? 0))
        await client.ping()
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        const expected = first.filter((_, index) => index !== 2).map(({ id, payload, qos }) => [id, payload, qos, true])
        const second = await again.nextPublishes(4)
        expect(second.map(({ id, payload, qos, dup }) => [id, payload, qos, dup])).toEqual(expected)
        for (const { id, qos } of second) again.send(qos === 1 ? puback(id) : pubrec(id))
        for (const { id } of second.filter(({ qos }) => qos === 2)) {
          await again.nextAck('pubrel', id)
          again.send(pubcomp(id))
        }
        await again.ping()
        await server.drop(again)
        const last = await server.connect({ ...lasting, clientId: 's' })
        await last.expectNothing()
      },
    )

    test(
      'after PUBREC only PUBREL is repeated',
      { tags: ['MQTT3-4.3.3-1', 'MQTT5-4.3.3-5', 'MQTT5-4.3.3-6'] },
      async () => {
        const server = await start()
        const client = await server.connect({ ...lasting, clientId: 's' })
        await client.subscribe(['a', 2])
        await server.broker.publish({ topic: 'a', qos: 2 })
        const { id } = await client.nextPublish()
        client.send(pubrec(id))
        await client.nextAck('pubrel', id)
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        await again.nextAck('pubrel', id)
        again.send(pubcomp(id))
        await again.ping()
        await server.drop(again)
        await (await server.connect({ ...lasting, clientId: 's' })).expectNothing()
      },
    )

    test(
      'a received QoS 2 identifier is remembered across connections',
      { tags: ['MQTT3-4.3.3-2', 'MQTT5-4.3.3-10'] },
      async () => {
        const server = await start()
        const watcher = await server.connect({ version, clientId: 'w' })
        await watcher.subscribe(['a', 0])
        const client = await server.connect({ ...lasting, clientId: 's' })
        client.publish({ topic: 'a', qos: 2, id: 5, payload: 'once' })
        await client.nextAck('pubrec', 5)
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        again.publish({ topic: 'a', qos: 2, id: 5, dup: true, payload: 'once' })
        await again.nextAck('pubrec', 5)
        again.send(pubrel(5))
        await again.nextAck('pubcomp', 5)
        expect((await watcher.nextPublish()).payload).toBe('once')
        await watcher.expectNothing()
      },
    )

    test('a clean start forgets received QoS 2 identifiers', async () => {
      const server = await start()
      const watcher = await server.connect({ version, clientId: 'w' })
      await watcher.subscribe(['a', 0])
      const client = await server.connect({ ...lasting, clientId: 's' })
      client.publish({ topic: 'a', qos: 2, id: 5, payload: 'first' })
      await client.nextAck('pubrec', 5)
      await server.drop(client)
      const again = await server.connect({ ...lasting, clientId: 's', cleanStart: true })
      again.publish({ topic: 'a', qos: 2, id: 5, payload: 'second' })
      await again.nextAck('pubrec', 5)
      expect((await watcher.nextPublishes(2)).map(({ payload }) => payload)).toEqual(['first', 'second'])
    })

    test('each identifier has a session of its own', { tags: ['MQTT3-3.1.3-2', 'MQTT5-3.1.3-2'] }, async () => {
      const server = await start()
      for (const clientId of ['x', 'y', '__proto__']) {
        const client = await server.connect({ ...lasting, clientId })
        await client.subscribe([`for/${clientId}`, 1])
        await server.drop(client)
      }
      for (const clientId of ['x', 'y', '__proto__']) {
        await server.broker.publish({ topic: `for/${clientId}`, qos: 1, payload: clientId })
      }
      for (const clientId of ['x', 'y', '__proto__']) {
        const client = await server.connect({ ...lasting, clientId })
        expect((await client.nextPublish()).payload).toBe(clientId)
        await client.expectNothing()
      }
    })

    test(
      'UNSUBSCRIBE ends the queueing, not what is queued',
      { tags: ['MQTT3-3.10.4-2', 'MQTT3-3.10.4-3', 'MQTT5-3.10.4-2', 'MQTT5-3.10.4-3'] },
      async () => {
        const server = await start()
        const client = await server.connect({ ...lasting, clientId: 's' })
        await client.subscribe(['a', 2])
        await server.broker.publish({ topic: 'a', qos: 2, payload: 'begun' })
        const { id } = await client.nextPublish()
        await client.unsubscribe('a')
        await server.broker.publish({ topic: 'a', qos: 2, payload: 'after' })
        await client.expectNothing()
        await server.drop(client)
        const again = await server.connect({ ...lasting, clientId: 's' })
        expect(await again.nextPublish()).toMatchObject({ id, payload: 'begun', dup: true })
        again.send(pubrec(id))
        await again.nextAck('pubrel', id)
        again.send(pubcomp(id))
        await again.expectNothing()
      },
    )

    test('acknowledgements of a row of publishes come in their order', async () => {
      const server = await start()
      const client = await server.connect({ ...lasting, clientId: 's' })
      await client.subscribe(['other', 1])
      const ids = Array.from({ length: 100 }, (_, index) => index + 1)
      client.send(
        ...ids.map(id =>
          publish({ version, topic: `t/${id % 7}`, qos: id % 3 === 0 ? 2 : 1, id, retain: id % 5 === 0 }),
        ),
      )
      for (const id of ids) await client.nextAck(id % 3 === 0 ? 'pubrec' : 'puback', id)
    })

    test('a subscription gets the retained messages, also queued ones, and each once', async () => {
      const server = await start()
      for (const qos of [0, 1, 2] as const)
        await server.broker.publish({ topic: `r/${qos}`, qos, retain: true, payload: `${qos}` })
      const client = await server.connect({ ...lasting, clientId: 's' })
      await client.subscribe(['r/+', 2])
      const deliveries = await client.nextPublishes(3)
      expect(deliveries.map(({ payload, qos, retain }) => `${payload} ${qos} ${retain}`).toSorted()).toEqual([
        '0 0 true',
        '1 1 true',
        '2 2 true',
      ])
      await client.expectNothing()
    })
  })

  eachVersion(({ version, test }) => {
    if (version !== 5) return
    test(
      'never more than Receive Maximum messages are unacknowledged, and the others wait',
      { tags: ['MQTT5-3.3.4-9', 'MQTT5-4.9.0-1', 'MQTT5-4.9.0-2'] },
      async () => {
        const server = await start()
        for (const properties of [receiveMaximum(3), property.receiveMaximum(3)]) {
          const client = await server.connect({ clientId: 's', properties })
          await client.subscribe(['a', 2])
          for (let index = 0; index < 10; index += 1) {
            await server.broker.publish({ topic: 'a', qos: index % 2 === 0 ? 1 : 2, payload: `${index}` })
          }
          const open = [...(await client.nextPublishes(3))]
          await client.expectNothing()
          for (let index = 3; index < 10; index += 1) {
            const done = open.shift()
            if (done?.qos === 2) {
              client.send(pubrec(done.id))
              await client.nextAck('pubrel', done.id)
              await client.expectNothing()
              client.send(pubcomp(done.id))
            } else client.send(puback(done?.id ?? 0))
            const next = await client.nextPublish()
            expect(next.payload).toBe(`${index}`)
            open.push(next)
          }
          await client.expectNothing()
        }
      },
    )

    test('a resumed session keeps to the new Receive Maximum', async () => {
      const server = await start()
      const client = await server.connect({ clientId: 's', cleanStart: false, properties: receiveMaximum(100) })
      await client.subscribe(['a', 1])
      for (let index = 0; index < 10; index += 1)
        await server.broker.publish({ topic: 'a', qos: 1, payload: `${index}` })
      await client.nextPublishes(10)
      await server.drop(client)
      const again = await server.connect({ clientId: 's', cleanStart: false, properties: receiveMaximum(2) })
      for (let index = 0; index < 10; index += 2) {
        const pair = await again.nextPublishes(2)
        expect(pair.map(({ payload }) => payload)).toEqual([`${index}`, `${index + 1}`])
        await again.expectNothing()
        again.send(...pair.map(({ id }) => puback(id)))
      }
      await again.expectNothing()
    })

    test('a full window holds up nothing else', { tags: ['MQTT5-3.3.4-10', 'MQTT5-4.9.0-3'] }, async () => {
      const server = await start()
      const client = await server.connect({ clientId: 's', properties: receiveMaximum(1) })
      await client.subscribe(['a', 1])
      for (let index = 0; index < 3; index += 1) await server.broker.publish({ topic: 'a', qos: 1 })
      await client.nextPublish()
      await client.subscribe(['b', 0])
      const id = client.publish({ topic: 'b', qos: 1, payload: 'through' })
      const frames = [await client.next(), await client.next()].map(({ type }) => type)
      expect(frames.toSorted()).toEqual(['puback', 'publish'])
      expect(id).toBeGreaterThan(0)
      await client.expectNothing()
    })

    test('Session Expiry 0 on the second connection: what waited is still delivered, then the session ends', async () => {
      const server = await start()
      const client = await server.connect({ clientId: 's', cleanStart: false, properties: receiveMaximum(10) })
      await client.subscribe(['a', 1])
      await server.broker.publish({ topic: 'a', qos: 1, payload: 'open' })
      const open = await client.nextPublish()
      await server.drop(client)
      await server.broker.publish({ topic: 'a', qos: 1, payload: 'waited' })
      const second = await server.connect({ clientId: 's', cleanStart: false })
      expect(second.connack.sessionPresent).toBe(true)
      const deliveries = await second.nextPublishes(2)
      expect(deliveries.map(({ payload, dup }) => [payload, dup])).toEqual([
        ['open', true],
        ['waited', false],
      ])
      expect(deliveries[0]?.id).toBe(open.id)
      second.send(...deliveries.map(({ id }) => puback(id)))
      await server.broker.publish({ topic: 'a', qos: 1, payload: 'live' })
      expect((await second.nextPublish()).payload).toBe('live')
      await server.drop(second)
      const third = await server.connect({ clientId: 's', cleanStart: false })
      expect(third.connack.sessionPresent).toBe(false)
    })
  })
}
