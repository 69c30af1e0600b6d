import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { packet, subscribe, text, unsubscribe } from './support/wire.ts'

eachVersion(({ version, lasting, test: versionTest }) => {
  const none = version === 5 ? [0] : []

  versionTest(
    'one SUBACK answers all filters, in their order, with the identifier',
    {
      tags: [
        'MQTT3-3.8.4-1',
        'MQTT3-3.8.4-2',
        'MQTT3-3.8.4-4',
        'MQTT3-3.8.4-5',
        'MQTT3-3.9.3-1',
        'MQTT5-3.8.4-1',
        'MQTT5-3.8.4-2',
        'MQTT5-3.8.4-5',
        'MQTT5-3.8.4-6',
        'MQTT5-3.9.3-1',
        'MQTT5-2.2.1-6',
        'MQTT5-2.2.2-1',
      ],
    },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      for (const id of [1, 4660, 65_535]) {
        client.send(
          subscribe({
            version,
            id,
            filters: [
              ['a', 2],
              ['b', 0],
              ['c', 1],
              ['a', 0],
            ],
          }),
        )
        const frame = await client.next('suback')
        expect([...frame.body]).toEqual([id >> 8, id & 0xff, ...none, 2, 0, 1, 0])
      }
      await server.broker.publish({ topic: 'a', qos: 2 })
      expect((await client.nextPublish()).qos).toBe(0)
      await client.expectNothing()
    },
  )

  versionTest(
    'UNSUBSCRIBE removes exactly the filters it names',
    {
      tags: [
        'MQTT3-3.10.4-1',
        'MQTT3-3.10.4-4',
        'MQTT3-3.10.4-5',
        'MQTT3-3.10.4-6',
        'MQTT5-3.10.4-1',
        'MQTT5-3.10.4-4',
        'MQTT5-3.10.4-5',
        'MQTT5-3.10.4-6',
        'MQTT5-3.11.3-1',
      ],
    },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('a/+', 'b', 'c')
      client.send(unsubscribe({ version, id: 4660, filters: ['a/b', 'b', 'a/+', 'nothing', 'b'] }))
      const codes = version === 5 ? [0, 0x11, 0, 0, 0x11, 0x11] : []
      expect([...(await client.next('unsuback')).body]).toEqual([0x12, 0x34, ...codes])
      for (const topic of ['a/b', 'b', 'c']) await server.broker.publish({ topic })
      expect((await client.nextPublish()).topic).toBe('c')
      await client.expectNothing()
    },
  )

  versionTest(
    'wrong SUBSCRIBE and UNSUBSCRIBE packets close the connection',
    {
      tags: [
        'MQTT3-2.3.1-1',
        'MQTT3-3.8.1-1',
        'MQTT3-3.8.3-1',
        'MQTT3-3.8.3-3',
        'MQTT3-3.8.3-4',
        'MQTT3-3.10.1-1',
        'MQTT3-3.10.3-1',
        'MQTT3-3.10.3-2',
        'MQTT5-2.2.1-3',
        'MQTT5-3.8.1-1',
        'MQTT5-3.8.3-1',
        'MQTT5-3.8.3-2',
        'MQTT5-3.8.3-5',
        'MQTT5-3.10.1-1',
        'MQTT5-3.10.3-1',
        'MQTT5-3.10.3-2',
      ],
    },
    async () => {
      const server = await startBroker()
      const good = [0, 1, ...none, ...text('a')]
      const wrong = {
        'SUBSCRIBE identifier 0': subscribe({ version, id: 0, filters: [['a', 0]] }),
        'SUBSCRIBE without filters': packet(0x82, 0, 1, none),
        'SUBSCRIBE flags 0': packet(0x80, good, 0),
        'SUBSCRIBE flags 3': packet(0x83, good, 0),
        'SUBSCRIBE QoS 3': packet(0x82, good, 3),
        'SUBSCRIBE reserved bit 6': packet(0x82, good, 0x40),
        'SUBSCRIBE reserved bit 7': packet(0x82, good, 0x80),
        'SUBSCRIBE retain handling 3': packet(0x82, good, 0x30),
        'SUBSCRIBE without options': packet(0x82, good),
        'SUBSCRIBE bad UTF-8': subscribe({ version, filters: [[Buffer.of(0xc3, 0x28), 0]] }),
        'SUBSCRIBE U+0000': subscribe({ version, filters: [['a\0', 0]] }),
        'UNSUBSCRIBE identifier 0': unsubscribe({ version, id: 0, filters: ['a'] }),
        'UNSUBSCRIBE without filters': packet(0xa2, 0, 1, none),
        'UNSUBSCRIBE flags 0': packet(0xa0, good),
        'UNSUBSCRIBE flags 3': packet(0xa3, good),
        'UNSUBSCRIBE bad UTF-8': unsubscribe({ version, filters: [Buffer.of(0xc3, 0x28)] }),
      }
      const bystander = await server.connect({ version, clientId: 'b' })
      for (const [what, wire] of Object.entries(wrong)) {
        const client = await server.connect({ version, clientId: 'c' })
        client.send(wire)
        await client.closedWith(0x81, 0x82).catch((error: unknown) => {
          throw new Error(what, { cause: error })
        })
      }
      await bystander.ping()
    },
  )

  versionTest(
    'a filter that is none is denied, or ends the connection',
    {
      tags: [
        'MQTT3-4.7.1-2',
        'MQTT3-4.7.1-3',
        'MQTT3-4.7.3-1',
        'MQTT5-4.7.1-1',
        'MQTT5-4.7.1-2',
        'MQTT5-4.7.3-1',
        'MQTT5-4.8.2-1',
        'MQTT5-4.8.2-2',
      ],
    },
    async () => {
      const server = await startBroker()
      const wrong = [
        '',
        'a#',
        'a/#/b',
        '#/',
        'a+',
        '+a',
        'a/b+/c',
        '$share//a',
        '$share/g',
        '$share/g/',
        '$share/g+/a',
        '$share/#/a',
      ]
      for (const filter of wrong) {
        const client = await server.connect({ version, clientId: 'c' })
        client.send(
          subscribe({
            version,
            id: 9,
            filters: [
              [filter, 0],
              ['fine', 1],
            ],
          }),
        )
        if (version === 4) await client.closed()
        else expect((await client.nextGranted('suback')).reasonCodes, filter).toEqual([0x8f, 1])
      }
      const client = await server.connect({ version, clientId: 'c' })
      const right = ['#', 'a/#', '+', '+/a', 'a/+', '/', '+/+', '$share/g/#', 'a//b', '$', '$share', '$shared/x']
      expect((await client.subscribe(...right)).reasonCodes).toEqual(right.map(() => 0))
    },
  )

  versionTest('a filter with more than maxTopicLevels levels is denied, or ends the connection', async () => {
    const server = await startBroker({ maxTopicLevels: 3 })
    const client = await server.connect({ version, clientId: 'c' })
    expect((await client.subscribe('a/b/c')).reasonCodes).toEqual([0])
    client.send(subscribe({ version, id: 5, filters: [['a/b/c/d', 0]] }))
    if (version === 5) expect((await client.nextGranted('suback')).reasonCodes).toEqual([0x8f])
    else await client.closed()
  })

  versionTest('what is switched off is denied, and MQTT 5 clients are told', { tags: ['MQTT3-3.8.3-2'] }, async () => {
    const server = await startBroker({ wildcardSubscriptionAvailable: false, sharedSubscriptionAvailable: false })
    const client = await server.connect({ version, clientId: 'c' })
    const { reasonCodes } = await client.subscribe('a/#', '+', '$share/g/a', 'a')
    expect(reasonCodes).toEqual(version === 5 ? [0xa2, 0xa2, 0x9e, 0] : [0x80, 0x80, 0x80, 0])
    if (version === 4) return
    expect(propertyValue(client.connack.properties, PropertyId.wildcardSubscriptionAvailable)).toBe(0)
    expect(propertyValue(client.connack.properties, PropertyId.sharedSubscriptionAvailable)).toBe(0)
  })

  versionTest(
    'maximumQoS lowers what is granted',
    { tags: ['MQTT5-3.2.2-9', 'MQTT5-3.2.2-10', 'MQTT5-3.2.2-11', 'MQTT5-3.2.2-12'] },
    async () => {
      for (const maximumQoS of [0, 1]) {
        const server = await startBroker({ maximumQoS })
        const client = await server.connect({ version, clientId: 'c' })
        const { reasonCodes } = await client.subscribe(['a', 0], ['b', 1], ['c', 2])
        expect(reasonCodes).toEqual([0, maximumQoS, maximumQoS])
        if (version === 5) expect(propertyValue(client.connack.properties, PropertyId.maximumQoS)).toBe(maximumQoS)
        client.publish({ topic: 'a', qos: 2 })
        await client.closedWith(0x9b)
        const will = await server.open()
        const connack = await will.connect({ version, clientId: 'w', will: { topic: 'w', qos: 2 } })
        expect(connack.reasonCode).toBe(version === 5 ? 0x9b : 5)
        await will.closed()
      }
    },
  )

  versionTest(
    'without retainAvailable RETAIN ends the connection',
    { tags: ['MQTT5-3.2.2-13', 'MQTT5-3.2.2-14'] },
    async () => {
      const server = await startBroker({ retainAvailable: false })
      const client = await server.connect({ version, clientId: 'c' })
      if (version === 5) expect(propertyValue(client.connack.properties, PropertyId.retainAvailable)).toBe(0)
      client.publish({ topic: 'a', retain: true, payload: 'x' })
      await client.closedWith(0x9a)
      const will = await server.open()
      const connack = await will.connect({ version, clientId: 'w', will: { topic: 'w', retain: true } })
      expect(connack.reasonCode).toBe(version === 5 ? 0x9a : 5)
    },
  )

  versionTest('a lasting session keeps options and identifiers of its subscriptions', async () => {
    const server = await startBroker()
    const client = await server.connect({ ...lasting, clientId: 's' })
    await client.subscribeWith(
      [['a', version === 5 ? 0x0d : 1]],
      version === 5 ? property.subscriptionIdentifier(5) : [],
    )
    await server.drop(client)
    const again = await server.connect({ ...lasting, clientId: 's' })
    await again.publishDone({ topic: 'a', qos: 1, payload: 'own' }).catch(() => undefined)
    if (version === 4) return
    await server.broker.publish({ topic: 'a', retain: true, qos: 1, payload: 'other' })
    const delivery = await again.nextPublish()
    expect(delivery).toMatchObject({ payload: 'other', retain: true, qos: 1 })
    expect(propertyValue(delivery.properties, PropertyId.subscriptionIdentifier)).toBe(5)
  })
})

test('No Local on a shared subscription is a protocol error', { tags: ['MQTT5-3.8.3-4'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  client.send(subscribe({ filters: [['$share/g/a', 0x04]] }))
  await client.closedWith(0x82)
})

test('subscriptionIdentifiersAvailable false: a SUBSCRIBE with one ends the connection with 0xA1', async () => {
  const server = await startBroker({ subscriptionIdentifiersAvailable: false })
  const client = await server.connect({ clientId: 'c' })
  expect(propertyValue(client.connack.properties, PropertyId.subscriptionIdentifiersAvailable)).toBe(0)
  client.send(subscribe({ filters: [['a', 0]], properties: property.subscriptionIdentifier(1) }))
  await client.closedWith(0xa1)
})

test('Subscription Identifier 0, or two of them, are protocol errors', async () => {
  const server = await startBroker()
  for (const properties of [
    [0x0b, 0],
    [0x0b, 1, 0x0b, 2],
  ]) {
    const client = await server.connect({ clientId: 'c' })
    client.send(subscribe({ filters: [['a', 0]], properties }))
    await client.closedWith(0x82)
  }
})

test('a SUBSCRIBE without a Subscription Identifier takes the one of the replaced subscription away', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribeWith(['a'], property.subscriptionIdentifier(9))
  await client.subscribe('a')
  await server.broker.publish({ topic: 'a' })
  expect((await client.nextPublish()).properties).toEqual([])
})
