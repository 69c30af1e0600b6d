import { connect as openSocket } from 'node:net'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { property } from './support/property.ts'
import type { RawClient } from './support/raw-client.ts'
import { Random } from './support/random.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import {
  auth,
  bytes,
  connect,
  disconnect,
  packet,
  pingreq,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  subscribe,
  text,
  unsubscribe,
} from './support/wire.ts'

/** One client publishes to another, at QoS 1, and gets its acknowledgement. */
async function expectServing(server: TestBroker, bystander: RawClient): Promise<void> {
  await server.broker.publish({ topic: 'bystander', payload: 'still here' })
  expect((await bystander.nextPublish()).payload).toBe('still here')
  await bystander.publishDone({ topic: 'x', qos: 1 })
}

async function startWithBystander(): Promise<{ server: TestBroker; bystander: RawClient }> {
  const server = await startBroker()
  server.broker.on('connectionError', () => undefined)
  const bystander = await server.connect({ clientId: 'bystander' })
  await bystander.subscribe('bystander')
  return { server, bystander }
}

/** Good packets of every type that a client may send, and some it may not. */
function samples(version: 4 | 5): readonly Buffer[] {
  const properties = version === 5 ? [...property.userProperty('a', 'b'), ...property.contentType('t')] : []
  return [
    connect({ version, clientId: 'sample', username: 'u', password: 'p', will: { topic: 'w', payload: 'x', qos: 1 } }),
    publish({ version, topic: 'a/b', qos: 1, id: 3, payload: 'payload', properties }),
    publish({ version, topic: 'a/b', payload: 'payload', properties }),
    subscribe({
      version,
      id: 4,
      filters: [
        ['a/+', 1],
        ['#', 0],
      ],
    }),
    unsubscribe({ version, id: 5, filters: ['a/+', '#'] }),
    puback(6),
    pubrec(7),
    pubrel(8),
    pubcomp(9),
    pingreq,
    ...(version === 5
      ? [auth(0x18, property.authenticationMethod('m')), disconnect(4, property.reasonString('r'))]
      : [disconnect()]),
    packet(0x20, 0, 0),
    packet(0x90, 0, 1, 0),
    packet(0xd0),
  ]
}

/** Ends our side and waits for the end of the connection; whatever came before is of no interest. */
async function finish(client: RawClient): Promise<void> {
  client.socket.end()
  await client.closed().catch((error: unknown) => {
    // What the broker sends may be cut off; only that it ends counts here.
    if (!String(error).includes('ended within')) throw error
  })
}

eachVersion(({ version, test: versionTest }) => {
  versionTest('random bytes as first packet end the connection only', async () => {
    const { server, bystander } = await startWithBystander()
    const random = new Random(version)
    for (let round = 0; round < 60; round += 1) {
      const client = await server.open()
      client.send(random.bytes(1 + random.below(200)))
      await finish(client)
    }
    await expectServing(server, bystander)
  })

  versionTest('random bytes after CONNECT end the connection only', async () => {
    const { server, bystander } = await startWithBystander()
    const random = new Random(10 + version)
    for (let round = 0; round < 60; round += 1) {
      const client = await server.connect({ version, clientId: 'random' })
      client.send(random.bytes(1 + random.below(200)))
      await finish(client)
    }
    await expectServing(server, bystander)
  })

  versionTest('good packets with a few wrong bytes end the connection at most', async () => {
    const { server, bystander } = await startWithBystander()
    const random = new Random(20 + version)
    for (let round = 0; round < 150; round += 1) {
      const wire = Buffer.from(random.pick(samples(version)))
      for (let count = 1 + random.below(3); count > 0; count -= 1) wire[random.below(wire.length)] = random.below(256)
      const client = round % 4 === 0 ? await server.open() : await server.connect({ version, clientId: 'mutant' })
      client.send(wire, pingreq)
      await finish(client)
    }
    await expectServing(server, bystander)
  })

  versionTest('packets cut short at every byte, with and without a length that fits', async () => {
    const { server, bystander } = await startWithBystander()
    for (const wire of samples(version)) {
      for (let length = 1; length < Math.min(wire.length, 40); length += 1) {
        const client = wire[0] === 0x10 ? await server.open() : await server.connect({ version, clientId: 'cut' })
        // A length byte that fits what is left: the fields are cut, the frame is whole.
        const cut =
          length >= 2 && length % 2 === 0
            ? bytes(wire[0] ?? 0, length - 2, wire.subarray(2, length))
            : wire.subarray(0, length)
        client.send(cut)
        await finish(client)
      }
    }
    await expectServing(server, bystander)
  })

  versionTest(
    'packets only a server may send, and reserved types, end the connection',
    { tags: ['MQTT3-4.8.0-1', 'MQTT3-2.2.2-2', 'MQTT5-4.13.1-1', 'MQTT5-2.1.3-1', 'MQTT5-4.12.0-7'] },
    async () => {
      const { server, bystander } = await startWithBystander()
      const none = version === 5 ? [0] : []
      const wrong = {
        'type 0': packet(0x00),
        CONNACK: packet(0x20, 0, 0, none),
        SUBACK: packet(0x90, 0, 1, none, 0),
        UNSUBACK: packet(0xb0, 0, 1, none, none),
        PINGRESP: packet(0xd0),
        AUTH: version === 5 ? auth(0x18) : packet(0xf0),
        'PINGREQ with flags': packet(0xc1),
        'PUBACK with flags': packet(0x41, 0, 1),
        'PUBREC with flags': packet(0x52, 0, 1),
        'PUBREL without flags': packet(0x60, 0, 1),
        'PUBCOMP with flags': packet(0x71, 0, 1),
        'PINGREQ with a body': packet(0xc0, 0),
        'length of five bytes': bytes(0x30, 0xff, 0xff, 0xff, 0xff, 0x01),
        'PUBACK cut short': packet(0x40, 0),
      }
      for (const [what, wire] of Object.entries(wrong)) {
        const client = await server.connect({ version, clientId: 'wrong' })
        client.send(wire)
        await client.closedWith(0x81, 0x82, 0x95).catch((error: unknown) => {
          throw new Error(what, { cause: error })
        })
      }
      await expectServing(server, bystander)
    },
  )

  versionTest('a second CONNECT that is itself wrong ends the connection like any other', async () => {
    const { server, bystander } = await startWithBystander()
    for (const fields of [{ protocolName: 'MQTX' }, { level: 9 }, { level: 0x83 }, { flags: 3 }, { clientId: 'a\0' }]) {
      const client = await server.connect({ version, clientId: 'wrong' })
      client.send(connect({ version, clientId: 'wrong', ...fields }))
      await client.closedWith(0x80, 0x81, 0x82)
    }
    await expectServing(server, bystander)
  })

  versionTest('names of the language are names like others', async () => {
    const { server, bystander } = await startWithBystander()
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
      const client = await server.connect({
        version,
        clientId: name,
        username: name,
        password: name,
        will: { topic: name, payload: name },
      })
      await client.subscribe([name, 1], [`$share/${name}/${name}`, 1], [`${name}/#`, 1])
      await client.publishDone({ topic: `x/${name}`, qos: 1, retain: true, payload: name })
      await server.broker.publish({ topic: name, qos: 1, payload: name })
      for (let copies = 0; copies < 2; copies += 1) {
        const delivery = await client.nextPublish()
        expect(delivery).toMatchObject({ topic: name, payload: name })
        client.send(puback(delivery.id))
      }
      await client.unsubscribe(name, `$share/${name}/${name}`, `${name}/#`, 'valueOf')
      expect(server.broker.client(name)?.id).toBe(name)
      await server.drop(client)
      expect(server.broker.client(name)).toBeUndefined()
    }
    await expectServing(server, bystander)
  })

  versionTest('256 MB that are declared and not sent reserve nothing', async () => {
    const { server, bystander } = await startWithBystander()
    const before = process.memoryUsage()
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.open()))
    for (const client of clients) client.send(bytes(0x10, 0xff, 0xff, 0xff, 0x7f), connect({ version }).subarray(2))
    await Promise.all(clients.map(client => client.closed()))
    const connected = await Promise.all(
      Array.from({ length: 20 }, (_, index) => server.connect({ version, clientId: `drip${index}` })),
    )
    // Within maximumPacketSize, so it has to be waited for.
    for (const client of connected) {
      client.send(bytes(0x30, 0xf0, 0xff, 0xff, 0x07))
      for (let drops = 0; drops < 5; drops += 1) client.send(bytes(0))
    }
    await expectServing(server, bystander)
    const after = process.memoryUsage()
    expect(after.rss - before.rss + after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024)
    // Above it: at once.
    const [client] = connected
    const big = await server.connect({ version, clientId: 'big' })
    big.send(bytes(0x30, 0xff, 0xff, 0xff, 0x7f))
    await big.closedWith(0x95)
    expect(client?.socket.destroyed).toBe(false)
  })

  versionTest(
    'a packet above maximumPacketSize ends the connection before it is read',
    { tags: ['MQTT5-3.2.2-15'] },
    async () => {
      const server = await startBroker({ maximumPacketSize: 1024 })
      const client = await server.connect({ version, clientId: 'c' })
      await client.subscribe('a')
      client.publish({ topic: 'a', payload: 'x'.repeat(1000) })
      await client.nextPublish()
      client.send(publish({ version, topic: 'a', payload: 'x'.repeat(2000) }).subarray(0, 20))
      await client.closedWith(0x95)
    },
  )

  versionTest(
    'QoS 2 identifiers that are never released are bounded by maxInflightInbound',
    { tags: ['MQTT5-3.3.4-7'] },
    async () => {
      const server = await startBroker({ maxInflightInbound: 10 })
      const client = await server.connect({ version, clientId: 'c' })
      for (let id = 1; id <= 11; id += 1) client.publish({ topic: 'a', qos: 2, id })
      for (let id = 1; id <= 10; id += 1) await client.nextAck('pubrec', id)
      await client.closedWith(0x93)
    },
  )

  versionTest('an identifier that comes again counts once, and PUBREL frees its place', async () => {
    const server = await startBroker({ maxInflightInbound: 2 })
    const client = await server.connect({ version, clientId: 'c' })
    for (const id of [1, 2, 1, 2]) {
      client.publish({ topic: 'a', qos: 2, id, dup: true })
      await client.nextAck('pubrec', id)
    }
    client.send(pubrel(1))
    await client.nextAck('pubcomp', 1)
    client.publish({ topic: 'a', qos: 2, id: 3 })
    await client.nextAck('pubrec', 3)
  })
})

test('wrong MQTT 5 properties end the connection', { tags: ['MQTT5-4.13.1-1'] }, async () => {
  const { server, bystander } = await startWithBystander()
  const wrong = {
    'unknown property': [0x7f, 0],
    'not for PUBLISH': property.sessionExpiryInterval(1),
    'doubled expiry': [...property.messageExpiryInterval(1), ...property.messageExpiryInterval(1)],
    'payload format 2': property.payloadFormatIndicator(2),
    'alias 0': property.topicAlias(0),
    'response topic with wildcard': property.responseTopic('a/#'),
    'bad UTF-8': property.contentType(Buffer.of(0xc3, 0x28)),
    'user property with bad UTF-8': property.userProperty(Buffer.of(0xc3, 0x28), 'x'),
    'cut short': [0x02, 0, 0],
  }
  for (const [what, properties] of Object.entries(wrong)) {
    const client = await server.connect({ clientId: 'wrong' })
    client.publish({ topic: 'a', properties })
    await client.closedWith(0x81, 0x82, 0x94).catch((error: unknown) => {
      throw new Error(what, { cause: error })
    })
  }
  const longLength = await server.connect({ clientId: 'wrong' })
  longLength.send(packet(0x30, text('a'), 0x80, 0x00))
  await longLength.closedWith(0x81)
  for (const properties of [
    property.receiveMaximum(0),
    property.maximumPacketSize(0),
    [0x17, 2],
    [...property.receiveMaximum(1), ...property.receiveMaximum(1)],
  ]) {
    const client = await server.open()
    client.send(connect({ clientId: 'wrong', properties }))
    const frames = await client.closed()
    expect(frames.every(({ type, body }) => type === 'connack' && [0x81, 0x82].includes(body[1] ?? 0))).toBe(true)
  }
  await expectServing(server, bystander)
})

test('1 000 connections that say nothing cost little, are closed in time, and hinder nobody', async () => {
  const server = await startBrokerWithClock({ connectTimeout: 5000 })
  server.broker.on('connectionError', () => undefined)
  const count = 1000
  const open = new Set<Socket>()
  for (let index = 0; index < count; index += 1) {
    const socket = openSocket(server.port, '127.0.0.1')
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.on('close', () => open.delete(socket))
  }
  const bystander = await server.connect({ clientId: 'bystander' })
  await bystander.subscribe('bystander')
  await expectServing(server, bystander)
  while (open.size > 0) await server.pass(1000)
  await expectServing(server, bystander)
})
