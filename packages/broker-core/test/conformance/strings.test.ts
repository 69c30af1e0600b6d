import { expect, test } from 'vitest'
import { readPublish } from '../support/frame.ts'
import { property } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { auth, connect, disconnect, packet, puback, publish, text, u16, variableInteger } from '../support/wire.ts'
import type { Part } from '../support/wire.ts'
import { stringCases } from './strings.cases.ts'

for (const { title, tags, send, disconnect: reasonCode } of stringCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await server.connect({ clientId: 'c' })
    client.send(send, publish({ topic: 'after' }))
    const frames = await client.closed()
    expect(frames.map(({ type, body }) => [type, body[0]])).toEqual([['disconnect', reasonCode]])
    await watcher.expectNothing()
  })
}

test('EF BB BF is U+FEFF wherever it stands, and comes back as it was sent', { tags: ['MQTT5-1.5.4-3'] }, async () => {
  const server = await startBroker()
  const marked = Buffer.of(0xef, 0xbb, 0xbf, 0x78) // U+FEFF, x
  const inside = Buffer.of(0x61, 0xef, 0xbb, 0xbf) // a, U+FEFF
  const plain = await server.connect({ clientId: 'plain' })
  await plain.subscribe('x', 'a')
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe([marked, 0], [inside, 0])
  const properties = [
    ...property.contentType(marked),
    ...property.responseTopic(marked),
    ...property.userProperty(marked, inside),
  ]
  for (const topic of [marked, inside]) {
    const sent = publish({ topic, payload: 'p', properties })
    client.send(sent)
    expect((await client.next('publish')).bytes).toEqual(sent)
  }
  client.publish({ topic: 'x', payload: 'without' })
  await client.expectNothing()
  expect((await plain.nextPublish()).payload).toBe('without')
  await plain.expectNothing()
})

test('a client identifier with U+FEFF is another than the one without', { tags: ['MQTT5-1.5.4-3'] }, async () => {
  const server = await startBroker()
  const plain = await server.connect({ clientId: 'x' })
  const marked = await server.connect({ clientId: Buffer.of(0xef, 0xbb, 0xbf, 0x78) })
  await plain.ping()
  await marked.ping()
  expect(server.broker.connectedClients).toBe(2)
})

test(
  'a Reason String is well-formed UTF-8 without U+0000, whatever a hook says',
  { tags: ['MQTT5-1.5.4-1', 'MQTT5-1.5.4-2'] },
  async () => {
    const server = await startBroker({
      authenticate: client => {
        if (client.id === 'c') return true
        throw new Error('half \ud83d and\0nothing')
      },
      authorizePublish: () => {
        throw new Error('half \ude00 and\0nothing')
      },
    })
    const client = await server.connect({ clientId: 'c' })
    client.publish({ topic: 'a', qos: 1, id: 1 })
    const refused = await server.open()
    // The readers take nothing but well-formed UTF-8.
    const texts = [
      (await refused.connect({ clientId: 'r' })).properties,
      (await client.nextAck('puback', 1)).properties,
    ]
    for (const properties of texts) {
      expect(properties).toEqual([[0x1f, expect.stringMatching(/^half \ufffd and[^\0]*nothing$/)]])
    }
  },
)

/** PUBLISH of QoS 0 on topic 'a' with this Remaining Length. */
function publishOfLength(length: number): Buffer {
  return publish({ topic: 'a', payload: Buffer.alloc(length - 4, 0x70) })
}

test('the broker writes a Remaining Length in the fewest bytes', { tags: ['MQTT5-1.5.5-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a', ['b', 1])
  for (const [length, expected] of [
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [2_097_151, [0xff, 0xff, 0x7f]],
    [2_097_152, [0x80, 0x80, 0x80, 0x01]],
  ] as const) {
    client.send(publishOfLength(length))
    const { bytes } = await client.next('publish')
    expect([...bytes.subarray(1, 1 + expected.length)]).toEqual(expected)
    expect(bytes.length).toBe(1 + expected.length + length)
  }
  // Not passed on as it came, but written anew: with a packet identifier, which takes two bytes more.
  for (const [payload, expected] of [
    [121, [0x7f]],
    [122, [0x80, 0x01]],
    [16_377, [0xff, 0x7f]],
    [16_378, [0x80, 0x80, 0x01]],
  ] as const) {
    await server.broker.publish({ topic: 'b', qos: 1, payload: Buffer.alloc(payload, 0x70) })
    const delivery = await client.next('publish')
    expect([...delivery.bytes.subarray(1, 1 + expected.length)]).toEqual(expected)
    client.send(puback(readPublish(delivery, 5).id))
  }
})

test(
  'the broker writes Property Lengths and Subscription Identifiers in the fewest bytes',
  { tags: ['MQTT5-1.5.5-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    for (const identifier of [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
      await client.subscribeWith(['a'], property.subscriptionIdentifier(identifier))
      const encoded = variableInteger(identifier)
      // The property sets are 2 to 132 bytes long: on both sides of 127, the most that one byte can say.
      for (const fill of [0, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122]) {
        const properties = fill === 0 ? [] : property.userProperty('n', 'v'.repeat(fill - 1))
        client.publish({ topic: 'a', properties })
        const { body } = await client.next('publish')
        const length = properties.length + 1 + encoded.length
        const written = [...body.subarray(3)]
        expect(written.slice(0, length < 128 ? 1 : 2)).toEqual(variableInteger(length))
        expect(written).toHaveLength(variableInteger(length).length + length)
        expect(written.join()).toContain([0x0b, ...encoded].join())
      }
    }
  },
)

/** A client that has passed enhanced authentication, so that AUTH is allowed. */
async function authenticated(server: TestBroker): ReturnType<TestBroker['connect']> {
  return server.connect({ clientId: 'c', properties: property.authenticationMethod('m') })
}

const method = property.authenticationMethod('m')
const legal: readonly (readonly [name: string, type: number, flags: number, body: readonly Part[]])[] = [
  ['PUBACK', 0x40, 0, [u16(1)]],
  ['PUBREC', 0x50, 0, [u16(1)]],
  ['PUBREL', 0x60, 2, [u16(1)]],
  ['PUBCOMP', 0x70, 0, [u16(1)]],
  ['SUBSCRIBE', 0x80, 2, [u16(1), 0, text('a'), 0]],
  ['UNSUBSCRIBE', 0xa0, 2, [u16(1), 0, text('a')]],
  ['PINGREQ', 0xc0, 0, []],
  ['DISCONNECT', 0xe0, 0, []],
  ['AUTH', 0xf0, 0, [0x19, variableInteger(method.length), method]],
]

test('any but the listed flags in a first byte are malformed', { tags: ['MQTT5-2.1.3-1'] }, async () => {
  const server = await startBroker({ authenticateEnhanced: () => ({ done: true }) })
  for (const [name, type, flags, body] of legal) {
    for (let wrong = 0; wrong < 16; wrong += 1) {
      if (wrong === flags) continue
      const client = await authenticated(server)
      client.send(packet(type | wrong, ...body))
      const frames = (await client.closed()).map(frame => [frame.type, frame.body[0]])
      expect(frames, `${name} with flags ${wrong}`).toEqual([['disconnect', 0x81]])
    }
  }
  for (let wrong = 1; wrong < 16; wrong += 1) {
    const client = await server.open()
    client.send(Buffer.concat([Buffer.of(0x10 | wrong), connect({ clientId: 'c' }).subarray(1)]))
    const frames = (await client.closed()).map(frame => [frame.type, frame.body[1]])
    expect([[], [['connack', 0x81]]], `CONNECT with flags ${wrong}`).toContainEqual(frames)
  }
})

test('the listed flags are the legal ones: with them each packet is taken', { tags: ['MQTT5-2.1.3-1'] }, async () => {
  const server = await startBroker({ authenticateEnhanced: () => ({ done: true }) })
  const answers = []
  for (const [name, type, flags, body] of legal) {
    const client = await authenticated(server)
    client.send(packet(type | flags, ...body))
    if (name === 'DISCONNECT') {
      expect(await client.closed()).toEqual([])
      continue
    }
    client.send(packet(0xc0))
    answers.push([name, (await client.next()).bytes[0]])
  }
  expect(answers).toEqual([
    ['PUBACK', 0xd0],
    ['PUBREC', 0x62],
    ['PUBREL', 0x70],
    ['PUBCOMP', 0xd0],
    ['SUBSCRIBE', 0x90],
    ['UNSUBSCRIBE', 0xb0],
    ['PINGREQ', 0xd0],
    ['AUTH', 0xf0],
  ])
})

test('every packet of the broker has the listed flags in its first byte', { tags: ['MQTT5-2.1.3-1'] }, async () => {
  const server = await startBroker({ authenticateEnhanced: () => ({ done: true }) })
  const client = await server.open()
  const first = async (...sent: readonly Buffer[]): Promise<number | undefined> => {
    client.send(...sent)
    return (await client.next()).bytes[0]
  }
  expect(await first(connect({ clientId: 'c', properties: method }))).toBe(0x20)
  expect(await first(packet(0x82, u16(1), 0, text('a'), 2))).toBe(0x90)
  expect(await first(packet(0xa2, u16(1), 0, text('b')))).toBe(0xb0)
  expect(await first(publish({ topic: 'b', qos: 1, id: 1 }))).toBe(0x40)
  expect(await first(publish({ topic: 'b', qos: 2, id: 2 }))).toBe(0x50)
  expect(await first(packet(0x62, u16(2)))).toBe(0x70)
  expect(await first(auth(0x19, method))).toBe(0xf0)
  expect(await first(packet(0xc0))).toBe(0xd0)
  // Deliveries: QoS in bits 2 and 1, RETAIN in bit 0 only for retained messages, DUP only when sent again.
  await server.broker.publish({ topic: 'a', qos: 0, retain: true })
  expect((await client.next()).bytes[0]).toBe(0x30)
  await server.broker.publish({ topic: 'a', qos: 1 })
  expect((await client.next()).bytes[0]).toBe(0x32)
  await server.broker.publish({ topic: 'a', qos: 2 })
  const delivery = await client.next('publish')
  expect(delivery.bytes[0]).toBe(0x34)
  expect(await first(packet(0x50, u16(readPublish(delivery, 5).id)))).toBe(0x62)
  server.broker.client('c')?.close()
  expect((await client.next()).bytes[0]).toBe(0xe0)
})

test(
  'each packet identifier of the client is in the answer to its packet, up to 65535',
  { tags: ['MQTT5-2.2.1-5', 'MQTT5-2.2.1-6'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    for (const id of [1, 10, 255, 256, 65_535]) {
      for (const [sent, answer] of [
        [packet(0x82, u16(id), 0, text('other'), 0), 'suback'],
        [packet(0xa2, u16(id), 0, text('other')), 'unsuback'],
        [publish({ topic: 'a', qos: 1, id }), 'puback'],
        [publish({ topic: 'a', qos: 2, id }), 'pubrec'],
        [packet(0x62, u16(id)), 'pubcomp'],
      ] as const) {
        client.send(sent)
        expect((await client.next(answer)).body.readUInt16BE()).toBe(id)
      }
    }
    client.send(disconnect())
    expect(await client.closed()).toEqual([])
  },
)
