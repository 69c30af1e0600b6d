import { expect, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { readConnack } from './support/frame.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { auth, bytes, connect, packet, pingreq, publish, text } from './support/wire.ts'

/** The broker still serves others. */
async function expectAlive(server: TestBroker): Promise<void> {
  await (await server.connect({ clientId: 'bystander' })).ping()
}

eachVersion(({ version, test: versionTest }) => {
  const code = version === 5 ? [0x81, 0x82] : []

  versionTest(
    'a valid CONNECT gets CONNACK 0 without session',
    { tags: ['MQTT3-3.1.4-4', 'MQTT5-3.1.4-5', 'MQTT5-3.2.2-3'] },
    async () => {
      const server = await startBroker()
      const client = await server.open()
      expect(await client.connect({ version, clientId: 'a' })).toMatchObject({ flags: 0, reasonCode: 0 })
      await client.ping()
    },
  )

  versionTest('accepts a CONNECT that comes byte by byte', { tags: ['MQTT3-7.1.1-1', 'MQTT5-4.2-1'] }, async () => {
    const server = await startBroker()
    const client = await server.open()
    client.version = version
    for (const byte of connect({ version, clientId: 'drip' })) {
      client.send(bytes(byte))
      await new Promise(setImmediate)
    }
    expect(readConnack(await client.next(), version).reasonCode).toBe(0)
  })

  versionTest(
    'closes without CONNACK when the first packet is another',
    { tags: ['MQTT3-3.1.0-1', 'MQTT5-3.1.0-1'] },
    async () => {
      const server = await startBroker()
      for (const first of [pingreq, publish({ version, topic: 'a' }), packet(0x00), auth(0x19), packet(0x82, 0, 1)]) {
        const client = await server.open()
        client.send(first, connect({ version, clientId: 'late' }))
        expect(await client.closed()).toEqual([])
      }
      expect(server.broker.connectedClients).toBe(0)
      await expectAlive(server)
    },
  )

  versionTest(
    'a second CONNECT closes the connection, with one CONNACK only',
    { tags: ['MQTT3-3.1.0-2', 'MQTT5-3.1.0-2', 'MQTT5-3.2.0-2'] },
    async () => {
      const server = await startBroker()
      const client = await server.open()
      client.version = version
      client.send(connect({ version, clientId: 'twice' }), connect({ version, clientId: 'twice' }), pingreq)
      expect((await client.next('connack')).body[1]).toBe(0)
      await client.closedWith(0x82)
      await expectAlive(server)
    },
  )

  versionTest(
    'refuses wrong Connect Flags and fields',
    {
      tags: [
        'MQTT3-3.1.2-3',
        'MQTT3-3.1.2-9',
        'MQTT3-3.1.2-13',
        'MQTT3-3.1.2-14',
        'MQTT3-3.1.2-15',
        'MQTT3-3.1.2-18',
        'MQTT3-3.1.2-19',
        'MQTT3-3.1.2-20',
        'MQTT3-3.1.2-21',
        'MQTT3-3.1.3-3',
        'MQTT3-3.1.4-1',
        'MQTT5-3.1.2-3',
        'MQTT5-3.1.2-9',
        'MQTT5-3.1.2-11',
        'MQTT5-3.1.2-12',
        'MQTT5-3.1.2-13',
        'MQTT5-3.1.2-16',
        'MQTT5-3.1.2-17',
        'MQTT5-3.1.2-18',
        'MQTT5-3.1.2-19',
        'MQTT5-3.1.4-1',
      ],
    },
    async () => {
      const server = await startBroker()
      const wrong = {
        'reserved bit': connect({ version, clientId: 'f', flags: 0x03 }),
        'will flag without a will': connect({ version, clientId: 'f', flags: 0x06 }),
        'will QoS without a will': connect({ version, clientId: 'f', flags: 0x0a }),
        'will QoS 3': connect({ version, clientId: 'f', flags: 0x1e, will: { topic: 'w' } }),
        'will retain without a will': connect({ version, clientId: 'f', flags: 0x22 }),
        'user name without its flag': connect({ version, clientId: 'f', flags: 0x02, username: 'u' }),
        'user name flag alone': connect({ version, clientId: 'f', flags: 0x82 }),
        'password without its flag': connect({ version, clientId: 'f', flags: 0x82, username: 'u', password: 'p' }),
        'password flag alone': connect({ version, clientId: 'f', flags: 0xc2, username: 'u' }),
        'bytes behind the end': connect({ version, clientId: 'f', trailing: [0] }),
        'no client identifier': packet(0x10, text('MQTT'), version, 2, 0, 0, version === 5 ? 0 : []),
      }
      for (const [what, wire] of Object.entries(wrong)) {
        const client = await server.open()
        client.send(wire)
        const codes = (await client.closed()).map(frame => readConnack(frame, version).reasonCode)
        expect(code, what).toEqual(expect.arrayContaining(codes))
      }
      expect(server.broker.connectedClients).toBe(0)
      await expectAlive(server)
    },
  )

  versionTest(
    'a refused CONNECT ends everything that was sent with it',
    { tags: ['MQTT3-3.1.4-5', 'MQTT5-3.1.4-6'] },
    async () => {
      const server = await startBroker({ authenticate: (client: Client) => client.id !== 'intruder' })
      const watcher = await server.connect({ version, clientId: 'watcher' })
      await watcher.subscribe('#')
      const intruder = await server.open()
      intruder.send(connect({ version, clientId: 'intruder' }), publish({ version, topic: 'a', payload: 'no' }))
      await intruder.closed()
      await watcher.expectNothing()
    },
  )

  versionTest(
    'an empty client identifier gets a unique one',
    { tags: ['MQTT3-3.1.3-6', 'MQTT5-3.1.3-6', 'MQTT5-3.1.3-7', 'MQTT5-3.2.2-16'] },
    async () => {
      const server = await startBroker()
      const one = await server.connect({ version, clientId: '' })
      const two = await server.connect({ version, clientId: '' })
      await one.ping()
      await two.ping()
      expect(server.broker.connectedClients).toBe(2)
      if (version === 5) {
        expect(one.clientId).toMatch(/^aedes_./)
        expect(one.clientId).not.toBe(two.clientId)
        expect(server.broker.client(one.clientId)).toBeDefined()
      }
    },
  )

  versionTest(
    'accepts identifiers of 1 to 23 letters and digits, and any other text',
    { tags: ['MQTT3-3.1.3-5', 'MQTT5-3.1.3-5'] },
    async () => {
      const server = await startBroker()
      for (const clientId of [
        'a',
        '0123456789abcdefABCDEFG',
        'x'.repeat(65_535),
        '__proto__',
        'constructor',
        'a/+/#',
        '日本',
      ]) {
        const client = await server.connect({ version, clientId })
        expect(server.broker.client(clientId)?.id).toBe(clientId)
        await client.ping()
      }
    },
  )

  versionTest(
    'a wrong login is refused and the connection closed',
    { tags: ['MQTT3-3.2.2-5', 'MQTT5-3.1.4-2', 'MQTT5-3.2.2-7'] },
    async () => {
      const server = await startBroker({
        authenticate: (_client: Client, username?: string, password?: Buffer) =>
          username === 'ann' && password?.toString() === 'secret',
      })
      await server.connect({ version, clientId: 'good', username: 'ann', password: 'secret' })
      const client = await server.open()
      const connack = await client.connect({ version, clientId: 'bad', username: 'ann', password: 'guess' })
      expect(connack).toMatchObject({ flags: 0, reasonCode: version === 5 ? 0x87 : 5 })
      expect(await client.closed()).toEqual([])
      expect(server.broker.connectedClients).toBe(1)
    },
  )

  versionTest('a wrong login does not evict the live client of that identifier', async () => {
    const server = await startBroker({ authenticate: (_client: Client, username?: string) => username === 'ann' })
    const owner = await server.connect({ version, clientId: 'x', username: 'ann' })
    const intruder = await server.open()
    expect((await intruder.connect({ version, clientId: 'x', username: 'eve' })).reasonCode).not.toBe(0)
    await intruder.closed()
    await owner.ping()
    expect(server.broker.client('x')?.connected).toBe(true)
  })

  versionTest(
    'CONNACK comes first, also when messages wait',
    { tags: ['MQTT3-3.2.0-1', 'MQTT5-3.2.0-1'] },
    async () => {
      const server = await startBroker()
      const lasting = { version, clientId: 's', cleanStart: false, properties: property.sessionExpiryInterval(60) }
      const subscriber = await server.connect(lasting)
      await subscriber.subscribe(['a', 1])
      await server.drop(subscriber)
      const publisher = await server.connect({ version, clientId: 'p' })
      await publisher.publishDone({ topic: 'a', qos: 1, payload: 'waited' })
      const again = await server.connect(lasting)
      expect(again.connack).toMatchObject({ sessionPresent: true })
      expect((await again.nextPublish()).payload).toBe('waited')
    },
  )

  versionTest('a Keep Alive above keepaliveLimit is lowered, or refused where that cannot be said', async () => {
    const server = await startBroker({ keepaliveLimit: 60 })
    const good = await server.connect({ version, clientId: 'good', keepAlive: 60 })
    expect(propertyValue(good.connack.properties, PropertyId.serverKeepAlive)).toBeUndefined()
    for (const keepAlive of [0, 61]) {
      const client = await server.open()
      if (version === 5) {
        const connack = await client.connect({ version, clientId: `k${keepAlive}`, keepAlive })
        expect(propertyValue(connack.properties, PropertyId.serverKeepAlive)).toBe(60)
      } else {
        client.send(connect({ version, clientId: `k${keepAlive}`, keepAlive }))
        const codes = (await client.closed()).map(frame => readConnack(frame, version).reasonCode)
        expect(codes).toEqual([2])
      }
    }
  })

  versionTest('a CONNECT larger than maximumConnectPacketSize ends before it is read', async () => {
    const server = await startBroker({ maximumConnectPacketSize: 128 })
    await server.connect({ version, clientId: 'x'.repeat(100) })
    const client = await server.open()
    client.send(connect({ version, clientId: 'x'.repeat(130) }).subarray(0, 10))
    await client.closed()
    await expectAlive(server)
  })
})

test(
  'speaks MQTT 3.1, and limits its identifiers to maxClientsIdLength bytes',
  { tags: ['MQTT3-3.1.3-9'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ version: 3, clientId: 'a'.repeat(23) })
    await client.subscribe(['a', 2])
    client.publish({ topic: 'a', payload: 'x' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'a', payload: 'x' })
    const long = await server.open()
    expect(await long.connect({ version: 3, clientId: 'a'.repeat(24) })).toMatchObject({ reasonCode: 2 })
    await long.closed()
  },
)

test(
  'an empty identifier without clean session is refused with 2',
  { tags: ['MQTT3-3.1.3-7', 'MQTT3-3.1.3-8'] },
  async () => {
    const server = await startBroker()
    const client = await server.open()
    expect(await client.connect({ version: 4, clientId: '', cleanStart: false })).toMatchObject({
      reasonCode: 2,
      flags: 0,
    })
    await client.closed()
  },
)

test('an unknown protocol level is refused', { tags: ['MQTT3-3.1.2-2', 'MQTT5-3.1.2-2'] }, async () => {
  const server = await startBroker()
  for (const level of [0, 2, 0x80, 0x82]) {
    const client = await server.open()
    client.send(connect({ version: 4, level, clientId: 'v' }))
    const [connack] = await client.closed()
    expect(connack?.bytes).toEqual(bytes(0x20, 2, 0, 1))
  }
  await expectAlive(server)
})

test(
  'a protocol level that is yet to come is refused with 0x84 in the form of MQTT 5.0',
  { tags: ['MQTT5-3.1.2-2'] },
  async () => {
    const server = await startBroker()
    for (const version of [4, 5] as const) {
      for (const level of [6, 9, 0x7f, 0x85, 255]) {
        const client = await server.open()
        client.send(connect({ version, level, clientId: 'v' }))
        const [connack, ...others] = await client.closed()
        if (connack === undefined) throw new Error('no CONNACK')
        expect(readConnack(connack, 5)).toMatchObject({ flags: 0, reasonCode: 0x84 })
        expect(others).toEqual([])
      }
    }
    // Whoever says MQIsdp speaks no MQTT 5.
    for (const level of [5, 6]) {
      const old = await server.open()
      old.send(connect({ version: 3, level, clientId: 'v' }))
      expect((await old.closed()).map(frame => frame.bytes)).toEqual([bytes(0x20, 2, 0, 1)])
    }
    await expectAlive(server)
  },
)

test('a wrong protocol name is refused', { tags: ['MQTT3-3.1.2-1', 'MQTT5-3.1.2-1'] }, async () => {
  const server = await startBroker()
  for (const version of [3, 4, 5] as const) {
    const client = await server.open()
    client.send(connect({ version, protocolName: 'MQTX', clientId: 'n' }))
    const frames = await client.closed()
    expect(frames.every(frame => frame.type === 'connack' && frame.body[1] !== 0)).toBe(true)
  }
  await expectAlive(server)
})

test('a password needs a user name in 3.1.1 only', { tags: ['MQTT3-3.1.2-22', 'MQTT5-3.1.2-19'] }, async () => {
  const server = await startBroker()
  const old = await server.open()
  old.send(connect({ version: 4, clientId: 'p', password: 'secret' }))
  expect(await old.closed()).toEqual([])
  await server.connect({ version: 5, clientId: 'p', password: 'secret' })
})

test('CONNACK tells an MQTT 5 client what it may do', async () => {
  const server = await startBroker({ maxInflightInbound: 7, maximumPacketSize: 4096, topicAliasMaximum: 3 })
  const { connack } = await server.connect({ clientId: 'a' })
  expect(connack.properties.toSorted(([a], [b]) => a - b)).toEqual([
    [PropertyId.receiveMaximum, 7],
    [PropertyId.topicAliasMaximum, 3],
    [PropertyId.maximumPacketSize, 4096],
  ])
})

test('CONNACK tells a lower Session Expiry Interval than the one asked for', async () => {
  const server = await startBroker({ maximumSessionExpiryInterval: 100 })
  const more = await server.connect({ clientId: 'a', properties: property.sessionExpiryInterval(101) })
  expect(propertyValue(more.connack.properties, PropertyId.sessionExpiryInterval)).toBe(100)
  const less = await server.connect({ clientId: 'b', properties: property.sessionExpiryInterval(100) })
  expect(propertyValue(less.connack.properties, PropertyId.sessionExpiryInterval)).toBeUndefined()
})

test('Response Information is told to who asks for it, if there is one', { tags: ['MQTT5-3.1.2-28'] }, async () => {
  const asks = property.requestResponseInformation(1)
  const configured = await startBroker({ responseInformation: 'replies' })
  const client = await configured.connect({ clientId: 'a', properties: asks })
  expect(propertyValue(client.connack.properties, PropertyId.responseInformation)).toBe('replies')
  for (const properties of [property.requestResponseInformation(0), []]) {
    const other = await configured.connect({ clientId: 'b', properties })
    expect(propertyValue(other.connack.properties, PropertyId.responseInformation)).toBeUndefined()
  }
  const plain = await startBroker()
  const none = await plain.connect({ clientId: 'a', properties: asks })
  expect(propertyValue(none.connack.properties, PropertyId.responseInformation)).toBeUndefined()
})

test('a refusal never exceeds the Maximum Packet Size of the client', { tags: ['MQTT5-3.2.2-19'] }, async () => {
  const server = await startBroker({
    authenticate: () => {
      throw Object.assign(new Error('no entry for you, whoever you are'), { reasonCode: 0x8a })
    },
  })
  const wordy = await server.open()
  const { properties } = await wordy.connect({ clientId: 'a' })
  expect(propertyValue(properties, PropertyId.reasonString)).toBe('no entry for you, whoever you are')
  const curt = await server.open()
  const connack = await curt.connect({ clientId: 'a', properties: property.maximumPacketSize(20) })
  expect(connack).toMatchObject({ reasonCode: 0x8a, properties: [] })
})

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'a will topic that is none is malformed: before MQTT 5 the connection is closed without CONNACK',
    async () => {
      const server = await startBroker()
      for (const topic of ['', 'a/+', '#']) {
        const client = await server.open()
        client.send(connect({ version, clientId: 'w', will: { topic } }))
        const [connack] = await client.closed()
        if (version === 5) expect(connack === undefined ? 0 : readConnack(connack, 5).reasonCode).toBeGreaterThan(0x80)
        else expect(connack).toBe(undefined)
      }
      await expectAlive(server)
    },
  )
})

test('an identifier above maximumClientIdLength bytes is refused in every version', async () => {
  const server = await startBroker({ maximumClientIdLength: 10 })
  for (const version of [3, 4, 5] as const) {
    expect((await server.connect({ version, clientId: 'é'.repeat(5) })).connack.reasonCode).toBe(0)
    const client = await server.open()
    expect((await client.connect({ version, clientId: `${'é'.repeat(5)}x` })).reasonCode).toBe(version === 5 ? 0x85 : 2)
    await client.closed()
  }
  expect(server.broker.counters.errors).toEqual({ CLIENT_ID_TOO_LONG: 3 })
})
