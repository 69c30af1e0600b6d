import { expect, test } from 'vitest'
import { Broker } from '../src/index.ts'
import type { BrokerOptions, Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { PropertyId, property, propertyValue, propertyValues } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { puback, subscribe } from './support/wire.ts'

function refusing(): never {
  throw Object.assign(new Error('no'), { reasonCode: 0x99 })
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('packets take effect in order while a hook is asynchronous', async () => {
    const server = await startBroker({
      authorizePublish: async (_client, packet) => {
        for (let turns = Number(packet.payload.toString()) % 5; turns > 0; turns -= 1) await new Promise(setImmediate)
      },
    })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    for (let index = 0; index < 30; index += 1) client.publish({ topic: 'a', payload: `${index}` })
    await client.publishDone({ topic: 'end', qos: 1 }).catch(() => undefined)
    expect((await client.nextPublishes(29)).map(({ payload }) => payload)).toEqual(
      Array.from({ length: 29 }, (_, index) => `${index + 1}`),
    )
  })

  versionTest('a right that was taken away ends a subscription when the session is resumed', async () => {
    const denied = new Set<string>()
    const server = await startBroker({
      authorizeSubscribe: (_client, subscription) => (denied.has(subscription.topic) ? null : subscription),
    })
    const client = await server.connect({ ...lasting, clientId: 's' })
    await client.subscribe(['a', 1], ['b', 1], ['$share/g/c', 1])
    await server.drop(client)
    denied.add('a').add('$share/g/c')
    const again = await server.connect({ ...lasting, clientId: 's' })
    for (const topic of ['a', 'c', 'b']) await server.broker.publish({ topic, qos: 1 })
    expect((await again.nextPublish()).topic).toBe('b')
    await again.expectNothing()
  })

  versionTest('authorizeForward decides for each delivery: live, retained, queued', async () => {
    const server = await startBroker({
      authorizeForward(client, packet) {
        expect(this).toBeInstanceOf(Broker)
        if (packet.payload.toString() === 'secret') return null
        return {
          ...packet,
          topic: `${client.id}/${packet.topic}`,
          payload: Buffer.from(`${packet.payload.toString()}!`),
        }
      },
    })
    for (const [topic, payload] of [
      ['r/1', 'secret'],
      ['r/2', 'open'],
    ] as const) {
      await server.broker.publish({ topic, payload, retain: true, qos: 1 })
    }
    const client = await server.connect({ ...lasting, clientId: 's' })
    await client.subscribe(['#', 1])
    expect(await client.nextPublish()).toMatchObject({ topic: 's/r/2', payload: 'open!', retain: true })
    for (const qos of [0, 1] as const) {
      await server.broker.publish({ topic: 'a', payload: 'secret', qos })
      await server.broker.publish({ topic: 'a', payload: 'open', qos })
      expect(await client.nextPublish()).toMatchObject({ topic: 's/a', payload: 'open!', qos })
    }
    await client.ping()
    await server.drop(client)
    await server.broker.publish({ topic: 'q', payload: 'secret', qos: 1 })
    await server.broker.publish({ topic: 'q', payload: 'open', qos: 1 })
    const again = await server.connect({ ...lasting, clientId: 's' })
    const queued = (await again.nextPublishes(3)).map(({ topic, payload }) => [topic, payload])
    expect(queued.at(-1)).toEqual(['s/q', 'open!'])
    expect(queued.flat()).not.toContain('secret!')
    await again.expectNothing()
  })

  versionTest(
    'authorizeForward decides for shared subscriptions, whether or not the session outlives the connection',
    async () => {
      const server = await startBroker({
        authorizeForward: (_client, packet) => {
          if (packet.payload.toString() === 'secret') return null
          return { ...packet, payload: Buffer.from(`${packet.payload.toString()}!`) }
        },
      })
      for (const fields of [{ version }, lasting]) {
        for (const qos of [0, 1] as const) {
          const client = await server.connect({ ...fields, clientId: 'c' })
          await client.subscribe(['$share/g/a', qos])
          await server.broker.publish({ topic: 'a', payload: 'secret', qos })
          await server.broker.publish({ topic: 'a', payload: 'open', qos })
          const delivery = await client.nextPublish()
          expect(delivery).toMatchObject({ payload: 'open!', qos })
          if (qos === 1) client.send(puback(delivery.id))
          await client.expectNothing()
          // What was refused is settled, not kept for somebody else.
          expect((await server.persistence.counts()).queuedMessages).toBe(0)
        }
      }
    },
  )

  versionTest('a throw in authorizeForward costs that delivery, not the broker', async () => {
    const server = await startBroker({
      authorizeForward: (client, packet) => {
        if (client.id === 'bad') throw new Error('oops')
        return packet
      },
    })
    const good = await server.connect({ version, clientId: 'good' })
    await good.subscribe(['a', 1])
    const bad = await server.connect({ version, clientId: 'bad' })
    await bad.subscribe(['a', 1])
    const publisher = await server.connect({ version, clientId: 'p' })
    for (const qos of [0, 1] as const) {
      await publisher.publishDone({ topic: 'a', qos, payload: `${qos}` })
      expect((await good.nextPublish()).payload).toBe(`${qos}`)
    }
    server.errors.length = 0
  })

  versionTest('hooks can be set, changed and taken away at any time', async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('#')
    client.publish({ topic: 'a' })
    await client.nextPublish()
    server.broker.authorizePublish = packet => void packet
    expect(server.broker.authorizePublish).toBeTypeOf('function')
    client.publish({ topic: 'a' })
    await client.nextPublish()
    server.broker.authorizePublish = refusing
    expect(server.broker.authorizePublish).toBe(refusing)
    if (version === 5) {
      client.publish({ topic: 'a', qos: 1 })
      expect((await client.nextAck('puback')).reasonCode).toBe(0x99)
    }
    server.broker.authorizePublish = null
    expect(server.broker.authorizePublish).not.toBe(refusing)
    client.publish({ topic: 'a' })
    await client.nextPublish()
  })

  versionTest('a QoS 2 message that is sent again is not asked about again', async () => {
    const asked: string[] = []
    const server = await startBroker({
      authorizePublish: (_client, packet) => {
        asked.push(packet.payload.toString())
        if (asked.length > 1) throw new Error('no more')
      },
    })
    const client = await server.connect({ version, clientId: 'c' })
    client.publish({ topic: 'a', qos: 2, id: 7, payload: 'one' })
    await client.nextAck('pubrec', 7)
    client.publish({ topic: 'a', qos: 2, id: 7, payload: 'one', dup: true })
    expect((await client.nextAck('pubrec', 7)).reasonCode).toBeLessThan(0x80)
    expect(asked).toEqual(['one'])
  })

  versionTest('without authorizePublish a will about $SYS/ is dropped, and its client let in', async () => {
    const server = await startBroker()
    const errors: Error[] = []
    server.broker.on('clientError', (_client, error) => errors.push(error))
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('$SYS/mine', '$SYSTEM/mine')
    const client = await server.connect({ version, clientId: 'c', will: { topic: '$SYS/mine', retain: true } })
    expect(errors).toEqual([expect.objectContaining({ code: 'NOT_AUTHORIZED', reasonCode: 0x87 })])
    await server.drop(client)
    const other = await server.connect({ version, clientId: 'c', will: { topic: '$SYSTEM/mine' } })
    await server.drop(other)
    expect((await watcher.nextPublish()).topic).toBe('$SYSTEM/mine')
    await watcher.expectNothing()
  })

  versionTest('a will that authorizePublish makes unpublishable is not published', async () => {
    const server = await startBroker({ authorizePublish: (_client, packet) => void (packet.topic = 'will/#') })
    const errors: unknown[] = []
    server.broker.on('clientError', (client, error) => errors.push([client.id, error.message]))
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('#')
    await server.drop(await server.connect({ version, clientId: 'c', will: { topic: 'will', retain: true } }))
    await watcher.expectNothing()
    expect(errors).toContainEqual(['c', expect.stringContaining('#')])
  })

  versionTest('authorizePublish decides about $SYS/ when it is set', async () => {
    const server = await startBroker({ authorizePublish: () => undefined })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('$SYS/mine')
    client.publish({ topic: '$SYS/mine' })
    expect((await client.nextPublish()).topic).toBe('$SYS/mine')
  })

  versionTest('a published hook that fails: clientError, and no acknowledgement', async () => {
    const server = await startBroker({
      published: packet => {
        if (packet.topic === 'bad') throw new Error('too late')
      },
    })
    const errors: string[] = []
    server.broker.on('clientError', (client: Client, error: Error) => errors.push(`${client.id} ${error.message}`))
    for (const qos of [0, 1, 2] as const) {
      const client = await server.connect({ version, clientId: 'c' })
      client.publish({ topic: 'bad', qos })
      const frames = await client.closed()
      expect(frames.filter(({ type }) => type !== 'disconnect')).toEqual([])
    }
    expect(errors).toEqual(['c too late', 'c too late', 'c too late'])
    await expect(server.broker.publish({ topic: 'bad' })).rejects.toThrow('too late')
  })
})

test('an authorizePublish that only looks leaves order and expiry of the properties alone', async () => {
  const server = await startBroker({
    authorizePublish: (publisher, packet) => {
      expect(publisher?.id).toBe('c')
      expect(packet.properties?.messageExpiryInterval).toBe(60)
    },
  })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a')
  const properties = [
    ...property.userProperty('b', '1'),
    ...property.messageExpiryInterval(60),
    ...property.userProperty('a', '2'),
    ...property.userProperty('b', '3'),
  ]
  client.publish({ topic: 'a', properties })
  const delivery = await client.nextPublish()
  expect(propertyValues(delivery.properties, PropertyId.userProperty)).toEqual([
    ['b', '1'],
    ['a', '2'],
    ['b', '3'],
  ])
  expect(propertyValue(delivery.properties, PropertyId.messageExpiryInterval)).toBe(60)
})

test('an authorizePublish may change properties', async () => {
  const server = await startBroker({
    authorizePublish: (_client, packet) => {
      packet.properties = { contentType: 'checked', messageExpiryInterval: 9 }
    },
  })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a')
  client.publish({ topic: 'a', properties: property.contentType('raw') })
  const delivery = await client.nextPublish()
  expect(propertyValue(delivery.properties, PropertyId.contentType)).toBe('checked')
  expect(propertyValue(delivery.properties, PropertyId.messageExpiryInterval)).toBe(9)
})

test('an authorizePublish that makes an impossible packet refuses it', async () => {
  for (const change of [{ qos: 3 }, { topic: 'a/#' }, { topic: '' }]) {
    const server = await startBroker({ authorizePublish: (_client, packet) => void Object.assign(packet, change) })
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('#')
    const client = await server.connect({ clientId: 'c' })
    client.publish({ topic: 'a', qos: 1, id: 1 })
    const frames = await Promise.race([client.closed(), client.next().then(frame => [frame])])
    const [first] = frames
    expect(first?.type === 'puback' ? (first.body[2] ?? 0) : 0x80).toBeGreaterThanOrEqual(0x80)
    await watcher.expectNothing()
  }
})

for (const version of [3, 4, 5] as const) {
  test(`an authorizePublish that makes an impossible packet of a QoS 0 message leaves the client connected (version ${version})`, async () => {
    const server = await startBroker({
      authorizePublish: (_client, packet) => {
        if (packet.topic === 'a') Object.assign(packet, { qos: 10 })
      },
    })
    const errors: [string, unknown][] = []
    server.broker.on('clientError', ({ id }, error) => errors.push([id, error]))
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('#')
    client.publish({ version, topic: 'a' })
    client.publish({ version, topic: 'b' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'b' })
    expect(errors).toEqual([['c', expect.objectContaining({ code: 'PACKET_INVALID' })]])
  })
}

test('a denied QoS 2 identifier is free again', { tags: ['MQTT5-4.3.3-9'] }, async () => {
  const server = await startBroker({
    authorizePublish: (_client, packet) => {
      if (packet.topic === 'no') throw new Error('no')
    },
  })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('yes')
  client.publish({ topic: 'no', qos: 2, id: 7 })
  expect((await client.nextAck('pubrec', 7)).reasonCode).toBe(0x87)
  client.publish({ topic: 'yes', qos: 2, id: 7 })
  await client.nextPublish()
  expect((await client.nextAck('pubrec', 7)).reasonCode).toBe(0)
})

test(
  'without Request Problem Information there is no reason string on PUBACK and SUBACK',
  { tags: ['MQTT5-3.1.2-29'] },
  async () => {
    const server = await startBroker({
      authorizePublish: () => {
        throw new Error('no')
      },
      authorizeSubscribe: () => null,
    })
    const client = await server.connect({ clientId: 'c', properties: property.requestProblemInformation(0) })
    client.publish({ topic: 'a', qos: 1 })
    expect(await client.nextAck('puback')).toMatchObject({ reasonCode: 0x87, properties: [] })
    expect(await client.subscribe('a')).toMatchObject({ reasonCodes: [0x87], properties: [] })
  },
)

test('a reason code that the packet cannot carry is replaced by one that it can', async () => {
  const codes = [0x00, 0x7f, 0x80, 0x84, 0x8a, 0x8e, 0x92, 0x9a, 0xa2, 0xff, 300, 1.5, -1]
  let code = 0
  const refuse = (): never => {
    throw Object.assign(new Error('no'), { reasonCode: code })
  }
  const server = await startBroker({
    authenticate: client => (client.id === 'refused' ? refuse() : true),
    authorizePublish: refuse,
    authorizeSubscribe: refuse,
  })
  for (code of codes) {
    const refused = await server.open()
    expect((await refused.connect({ clientId: 'refused' })).reasonCode).toBeGreaterThanOrEqual(0x80)
    await refused.closed()
    const client = await server.connect({ clientId: 'c' })
    for (const qos of [1, 2] as const) {
      const id = client.publish({ topic: 'a', qos })
      expect((await client.nextAck(qos === 1 ? 'puback' : 'pubrec', id)).reasonCode).toBeGreaterThanOrEqual(0x80)
    }
    client.send(subscribe({ filters: [['a', 0]] }))
    const frames = await client.closed()
    expect(frames.at(-1)?.type).toBe('disconnect')
    expect(frames.at(-1)?.body[0]).toBeGreaterThanOrEqual(0x80)
  }
  for (const reasonCode of [0, 0x18, 0x84, 0xff, 300, -1]) {
    const client = await server.connect({ clientId: 'c' })
    server.broker.client('c')?.close({ reasonCode })
    await client.closed()
  }
})

test('a hook that is no function is refused at once', () => {
  for (const name of [
    'preConnect',
    'authenticate',
    'authorizePublish',
    'authorizeSubscribe',
    'authorizeForward',
    'published',
  ]) {
    const hooks = { [name]: 'function' } as unknown as Partial<BrokerOptions>
    expect(() => new Broker({ persistence: new MemoryPersistence(), ...hooks })).toThrow(
      `option ${name} is 'function', it must be a function, or null`,
    )
  }
})
