import { expect } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import { publish, puback, pubcomp, pubrec, pubrel, packet, subscribe, text } from './support/wire.ts'
import type { QoS } from './support/wire.ts'

const levels: readonly QoS[] = [0, 1, 2]

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'a delivery has the lower of the published and the granted QoS',
    { tags: ['MQTT3-3.8.4-6', 'MQTT3-4.3.1-1', 'MQTT3-2.3.1-5', 'MQTT5-3.8.4-8', 'MQTT5-4.3.1-1', 'MQTT5-2.2.1-2'] },
    async () => {
      const server = await startBroker()
      const publisher = await server.connect({ version, clientId: 'p' })
      for (const granted of levels) {
        const subscriber = await server.connect({ version, clientId: `s${granted}` })
        expect((await subscriber.subscribe([`to/${granted}`, granted])).reasonCodes).toEqual([granted])
        for (const qos of levels) {
          await publisher.publishDone({ topic: `to/${granted}`, qos, payload: `${qos}` })
          const delivery = await subscriber.nextPublish()
          expect(delivery).toMatchObject({ payload: `${qos}`, qos: Math.min(qos, granted), dup: false, retain: false })
          expect(delivery.id > 0).toBe(delivery.qos > 0)
        }
      }
    },
  )

  versionTest(
    'QoS 1 is acknowledged with its identifier, which then is free',
    { tags: ['MQTT3-4.3.2-2', 'MQTT3-2.3.1-6', 'MQTT5-4.3.2-4', 'MQTT5-4.3.2-5', 'MQTT5-2.2.1-5'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('a')
      for (const dup of [false, true]) {
        client.publish({ topic: 'a', qos: 1, id: 7, dup, payload: 'x' })
        expect(await client.nextPublish()).toMatchObject({ dup: false })
        expect(await client.nextAck('puback', 7)).toMatchObject({ reasonCode: 0 })
      }
    },
  )

  versionTest(
    'QoS 2 is delivered once, however often it comes before PUBREL',
    { tags: ['MQTT3-4.3.3-2', 'MQTT5-4.3.3-8', 'MQTT5-4.3.3-10', 'MQTT5-4.3.3-11', 'MQTT5-4.3.3-12'] },
    async () => {
      const server = await startBroker()
      const subscriber = await server.connect({ version, clientId: 's' })
      await subscriber.subscribe(['a', 0])
      const client = await server.connect({ version, clientId: 'c' })
      for (let round = 0; round < 2; round += 1) {
        for (const dup of [false, true, true]) {
          client.publish({ topic: 'a', qos: 2, id: 7, dup, payload: `${round}` })
          expect(await client.nextAck('pubrec', 7)).toMatchObject({ reasonCode: 0 })
        }
        client.send(pubrel(7))
        expect(await client.nextAck('pubcomp', 7)).toMatchObject({ reasonCode: 0 })
        expect((await subscriber.nextPublish()).payload).toBe(`${round}`)
      }
      await subscriber.expectNothing()
    },
  )

  versionTest(
    'PUBREL of an unknown identifier gets PUBCOMP',
    { tags: ['MQTT5-3.7.2-1', 'MQTT5-4.3.3-11'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      client.send(pubrel(9))
      expect(await client.nextAck('pubcomp', 9)).toMatchObject({ reasonCode: version === 5 ? 0x92 : 0 })
    },
  )

  versionTest(
    'a QoS 2 delivery goes PUBLISH, PUBREC, PUBREL, PUBCOMP',
    { tags: ['MQTT3-4.3.3-1', 'MQTT3-3.6.1-1', 'MQTT5-4.3.3-2', 'MQTT5-4.3.3-4', 'MQTT5-3.6.2-1'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe(['a', 2])
      await server.broker.publish({ topic: 'a', qos: 2, payload: 'x' })
      const { id, qos } = await client.nextPublish()
      expect(qos).toBe(2)
      for (let repeat = 0; repeat < 2; repeat += 1) {
        client.send(pubrec(id))
        expect(await client.nextAck('pubrel', id)).toMatchObject({ reasonCode: 0 })
      }
      client.send(pubcomp(id), pubcomp(id), puback(id))
      await client.expectNothing()
    },
  )

  versionTest(
    'PUBREC of an unknown identifier gets PUBREL; PUBACK and PUBCOMP of one are ignored',
    { tags: ['MQTT5-3.6.2-1'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      client.send(puback(500), pubcomp(501), pubrec(502))
      expect(await client.nextAck('pubrel', 502)).toMatchObject({ reasonCode: version === 5 ? 0x92 : 0 })
      await client.expectNothing()
    },
  )

  versionTest(
    'unacknowledged deliveries have different identifiers, and are not sent again',
    { tags: ['MQTT3-2.3.1-4', 'MQTT5-2.2.1-4', 'MQTT5-4.3.2-1', 'MQTT5-4.3.3-1'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe(['a/#', 2])
      for (const qos of [1, 2, 1, 2, 1] as const) await server.broker.publish({ topic: `a/${qos}`, qos })
      const ids = (await client.nextPublishes(5)).map(({ id }) => id)
      expect(new Set(ids).size).toBe(5)
      expect(ids).not.toContain(0)
      await client.expectNothing()
    },
  )

  versionTest(
    'overlapping subscriptions bring one copy, with the highest QoS',
    { tags: ['MQTT3-3.3.5-1', 'MQTT5-3.3.4-2'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe(['a/#', 0], ['a/+', 2], ['a/b', 1])
      await server.broker.publish({ topic: 'a/b', qos: 2, payload: 'x' })
      expect(await client.nextPublish()).toMatchObject({ qos: 2, payload: 'x' })
      await client.expectNothing()
    },
  )

  versionTest(
    'a topic arrives only where a filter matches it',
    { tags: ['MQTT3-3.3.2-3', 'MQTT5-3.3.2-3'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('a/+')
      for (const topic of ['a/b', 'a/b/c', 'c', 'a', 'a/']) await server.broker.publish({ topic })
      expect((await client.nextPublishes(2)).map(({ topic }) => topic)).toEqual(['a/b', 'a/'])
      await client.expectNothing()
    },
  )

  versionTest(
    'leading wildcards do not match topics that begin with $',
    { tags: ['MQTT3-4.7.2-1', 'MQTT5-4.7.2-1'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('#', '+/x', '+/#')
      const reader = await server.connect({ version, clientId: 'r' })
      await reader.subscribe('$t/#')
      const publisher = await server.connect({ version, clientId: 'p' })
      await publisher.publishDone({ topic: '$t/x', payload: 'dollar' })
      await client.expectNothing()
      expect((await reader.nextPublish()).topic).toBe('$t/x')
    },
  )

  versionTest('$SYS/ is not for clients to publish to', async () => {
    const server = await startBroker()
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('$SYS/x')
    for (const qos of levels) {
      const client = await server.connect({ version, clientId: 'c' })
      client.publish({ topic: '$SYS/x', qos, id: 3 })
      if (qos > 0) {
        const { reasonCode } = await client.nextAck(qos === 1 ? 'puback' : 'pubrec', 3)
        expect(reasonCode).toBe(version === 5 ? 0x87 : 0)
      }
      if (qos === 2 && version === 4) {
        client.send(pubrel(3))
        await client.nextAck('pubcomp', 3)
      }
      // It may stay.
      await client.ping()
      await client.expectNothing()
    }
    await server.broker.publish({ topic: '$SYS/x', payload: 'own' })
    expect((await watcher.nextPublish()).payload).toBe('own')
    await watcher.expectNothing()
  })

  versionTest(
    'topics are compared as they are',
    { tags: ['MQTT3-4.7.3-4', 'MQTT3-1.5.3-3', 'MQTT5-4.7.3-4', 'MQTT5-1.5.4-3'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      const topics = ['A', '/a', 'a//b', 'e\u0301', '\ufeffx', '__proto__', 'constructor', 'a/ b', ' ']
      await client.subscribe(...topics)
      for (const topic of ['a', 'a/b', '\u00e9', 'x', '', ...topics].filter(name => name !== '')) {
        await server.broker.publish({ topic })
      }
      expect((await client.nextPublishes(topics.length)).map(({ topic }) => topic)).toEqual(topics)
      await client.expectNothing()
    },
  )

  versionTest(
    'wrong PUBLISH packets close the connection',
    {
      tags: [
        'MQTT3-3.3.1-4',
        'MQTT3-3.3.1-2',
        'MQTT3-3.3.2-1',
        'MQTT3-3.3.2-2',
        'MQTT3-1.5.3-1',
        'MQTT3-1.5.3-2',
        'MQTT3-2.3.1-1',
        'MQTT3-4.7.3-1',
        'MQTT5-3.3.1-4',
        'MQTT5-3.3.1-2',
        'MQTT5-3.3.2-1',
        'MQTT5-3.3.2-2',
        'MQTT5-1.5.4-1',
        'MQTT5-1.5.4-2',
        'MQTT5-2.2.1-3',
        'MQTT5-4.7.3-1',
      ],
    },
    async () => {
      const server = await startBroker()
      const watcher = await server.connect({ version, clientId: 'w' })
      await watcher.subscribe('#')
      const wrong = {
        'QoS 3': publish({ version, topic: 'a', qos: 2, firstByte: 0x36 }),
        'DUP at QoS 0': publish({ version, topic: 'a', firstByte: 0x38 }),
        'no topic': publish({ version, topic: '' }),
        'wildcard +': publish({ version, topic: 'a/+/b' }),
        'wildcard #': publish({ version, topic: '#' }),
        'U+0000': publish({ version, topic: 'a\0b' }),
        surrogate: publish({ version, topic: Buffer.of(0xed, 0xa0, 0x80) }),
        'bad UTF-8': publish({ version, topic: Buffer.of(0xc3, 0x28) }),
        'identifier 0': publish({ version, topic: 'a', qos: 1, id: 0 }),
        'cut short': packet(0x32, text('a'), 0),
        'topic beyond its end': packet(0x30, 0, 9, 0x61),
      }
      for (const [what, wire] of Object.entries(wrong)) {
        const client = await server.connect({ version, clientId: 'c' })
        client.send(wire, publish({ version, topic: 'after' }))
        await client.closedWith(0x81, 0x82, 0x90).catch((error: unknown) => {
          throw new Error(what, { cause: error })
        })
      }
      await watcher.expectNothing()
    },
  )

  versionTest('a topic with more than maxTopicLevels levels closes the connection', async () => {
    const server = await startBroker({ maxTopicLevels: 3 })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('a/b/c', '#')
    client.publish({ topic: 'a/b/c' })
    await client.nextPublish()
    client.publish({ topic: 'a/b/c/d' })
    await client.closedWith(0x90)
  })

  versionTest(
    'messages of one publisher keep their order at every QoS',
    { tags: ['MQTT3-4.6.0-6', 'MQTT5-4.6.0-5', 'MQTT5-4.6.0-6'] },
    async () => {
      const server = await startBroker()
      const subscriber = await server.connect({ version, clientId: 's' })
      await subscriber.subscribe(['n/#', 2])
      const publishers = await Promise.all(['a', 'b'].map(clientId => server.connect({ version, clientId })))
      for (const publisher of publishers) {
        const frames = Array.from({ length: 200 }, (_, index) =>
          publish({
            version,
            topic: `n/${publisher.clientId}`,
            qos: levels[index % 3] ?? 0,
            id: index + 1,
            payload: `${index}`,
          }),
        )
        publisher.send(...frames)
      }
      const seen = new Map<string, number>()
      for (let count = 0; count < 400; count += 1) {
        const { topic, qos, payload } = await subscriber.nextPublish()
        const key = `${topic} ${qos}`
        expect(Number(payload)).toBeGreaterThan(seen.get(key) ?? -1)
        seen.set(key, Number(payload))
      }
      expect([...seen.values()].toSorted((x, y) => x - y)).toEqual([197, 197, 198, 198, 199, 199])
    },
  )

  versionTest('a client receives its own messages', async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    client.send(subscribe({ version, filters: [['a', 0]] }), publish({ version, topic: 'a', payload: 'me' }))
    await client.next('suback')
    expect((await client.nextPublish()).payload).toBe('me')
  })

  versionTest('payloads of every size arrive unchanged', async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['a', 1])
    for (const size of [0, 1, 121, 122, 123, 127, 128, 16_383, 16_384, 70_000, 300_000]) {
      const payload = Buffer.alloc(size, size % 251)
      client.send(publish({ version, topic: 'a', qos: size % 2 === 0 ? 0 : 1, id: 5, payload }))
      const frames = [await client.next()]
      if (size % 2 === 1) frames.push(await client.next())
      const delivered = frames.find(({ type }) => type === 'publish')?.body
      expect(delivered?.subarray(delivered.length - size).equals(payload)).toBe(true)
    }
  })
})
