import { expect, test } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { describeFrame, readAcknowledgement } from '../support/frame.ts'
import type { Acknowledgement, AcknowledgementType, Frame } from '../support/frame.ts'
import { PropertyId, property, propertyValue } from '../support/property.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker } from '../support/start-broker.ts'
import { connect, pingreq, puback, pubcomp, publish, pubrec, pubrel } from '../support/wire.ts'
import { acknowledgementCases } from './acknowledgements.cases.ts'

/** Reason Codes of PUBACK and PUBREC. MQTT 5.0 §3.4.2.1, §3.5.2.1 */
const publishCodes = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
const errorCodes = publishCodes.filter(code => code >= 0x80)
/** A Maximum Packet Size in bytes that the CONNACK just fits, and no Reason String of more than 7 bytes does. */
const tight = 16

/** The next packet is this acknowledgement and has at most `limit` bytes. */
async function acknowledgementWithin(
  client: RawClient,
  type: AcknowledgementType,
  limit: number,
): Promise<Acknowledgement> {
  const frame: Frame = await client.next(type)
  expect(frame.bytes.length, describeFrame(frame)).toBeLessThanOrEqual(limit)
  return readAcknowledgement(frame, type, 5)
}

function refusing(message: string, reasonCode?: number): Partial<BrokerOptions> {
  return {
    authorizePublish: (_client, { topic }) => {
      if (topic === 'secret') throw Object.assign(new Error(message), { reasonCode })
    },
  }
}

for (const { title, tags, send, disconnect } of acknowledgementCases) {
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await server.connect({ clientId: 'c' })
    client.send(send, publish({ topic: 'after' }))
    await client.closedWith(...disconnect)
    await watcher.expectNothing()
  })
}

for (const [type, qos, title, tags] of [
  ['puback', 1, 'PUBACK says 0x10 where nobody subscribes, 0x00 where somebody does', ['MQTT5-3.4.2-1']],
  ['pubrec', 2, 'PUBREC says 0x10 where nobody subscribes, 0x00 where somebody does', ['MQTT5-3.5.2-1']],
] as const) {
  test(title, { tags: [...tags] }, async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    const subscriber = await server.connect({ clientId: 's' })
    await subscriber.subscribe('a')
    for (const [topic, reasonCode] of [
      ['a', 0x00],
      ['b', 0x10],
      ['a/b', 0x10],
    ] as const) {
      const id = client.publish({ topic, qos })
      expect(await client.nextAck(type, id)).toEqual({ id, reasonCode, properties: [] })
    }
    await subscriber.nextPublish()
    await subscriber.unsubscribe('a')
    const id = client.publish({ topic: 'a', qos })
    expect((await client.nextAck(type, id)).reasonCode).toBe(0x10)
  })
}

for (const [type, qos, title, tags] of [
  ['puback', 1, 'a refusal says a code that PUBACK has, whatever code the hook gave', ['MQTT5-3.4.2-1']],
  ['pubrec', 2, 'a refusal says a code that PUBREC has, whatever code the hook gave', ['MQTT5-3.5.2-1']],
] as const) {
  test(title, { tags: [...tags] }, async () => {
    const given = [...errorCodes, undefined, 0x81, 0x8c, 0x92, 0x9f, 0x00, 0x10, 0x100, -1]
    for (const reasonCode of given) {
      const server = await startBroker(refusing('no', reasonCode))
      const client = await server.connect({ clientId: 'c' })
      const id = client.publish({ topic: 'secret', qos })
      const said = (await client.nextAck(type, id)).reasonCode
      if (reasonCode !== undefined && errorCodes.includes(reasonCode)) expect(said).toBe(reasonCode)
      else expect(errorCodes, `for ${reasonCode}`).toContain(said)
      await client.publishDone({ topic: 'open', qos })
    }
  })
}

for (const [type, qos, title, tags] of [
  [
    'puback',
    1,
    'PUBACK has its Reason String only where Maximum Packet Size allows it',
    ['MQTT5-3.4.2-2', 'MQTT5-3.4.2-3'],
  ],
  [
    'pubrec',
    2,
    'PUBREC has its Reason String only where Maximum Packet Size allows it',
    ['MQTT5-3.5.2-2', 'MQTT5-3.5.2-3'],
  ],
] as const) {
  test(title, { tags: [...tags] }, async () => {
    // 2 bytes of fixed header, Packet Identifier, Reason Code, Property Length, 1 + 2 bytes before the text.
    const whole = 2 + 2 + 1 + 1 + 3 + Buffer.byteLength('forbidden, né')
    const server = await startBroker(refusing('forbidden, né'))
    for (const [limit, text] of [
      [whole + 1, 'forbidden, né'],
      [whole, 'forbidden, né'],
      [whole - 1, undefined],
      [tight, undefined],
    ] as const) {
      const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(limit) })
      const id = client.publish({ topic: 'secret', qos })
      const answer = await acknowledgementWithin(client, type, limit)
      expect(answer).toMatchObject({ id, reasonCode: 0x87 })
      expect(propertyValue(answer.properties, PropertyId.reasonString)).toBe(text)
      expect(propertyValue(answer.properties, PropertyId.userProperty)).toBeUndefined()
    }
  })
}

test(
  'a Reason String is measured with the length fields that it makes longer',
  { tags: ['MQTT5-3.4.2-2'] },
  async () => {
    // Beyond 120 characters Remaining Length has two bytes, beyond 124 Property Length has as well.
    for (const [length, size] of [
      [120, 129],
      [121, 131],
      [124, 134],
      [125, 136],
    ] as const) {
      const server = await startBroker(refusing('x'.repeat(length)))
      for (const [limit, present] of [
        [size, true],
        [size - 1, false],
      ] as const) {
        const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(limit) })
        client.publish({ topic: 'secret', qos: 1 })
        const { properties } = await acknowledgementWithin(client, 'puback', limit)
        expect(propertyValue(properties, PropertyId.reasonString) !== undefined).toBe(present)
      }
    }
  },
)

test(
  'with a small Maximum Packet Size every answer to a publisher fits it',
  { tags: ['MQTT5-3.4.2-3', 'MQTT5-3.5.2-3', 'MQTT5-3.7.2-2', 'MQTT5-3.7.2-3'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(tight) })
    client.send(publish({ topic: 'a', qos: 1, id: 1 }), publish({ topic: 'a', qos: 2, id: 2 }), pubrel(2), pubrel(3))
    expect(await acknowledgementWithin(client, 'puback', tight)).toEqual({ id: 1, reasonCode: 0x10, properties: [] })
    expect(await acknowledgementWithin(client, 'pubrec', tight)).toEqual({ id: 2, reasonCode: 0x10, properties: [] })
    expect(await acknowledgementWithin(client, 'pubcomp', tight)).toEqual({ id: 2, reasonCode: 0x00, properties: [] })
    expect(await acknowledgementWithin(client, 'pubcomp', tight)).toEqual({ id: 3, reasonCode: 0x92, properties: [] })
  },
)

test(
  'with a small Maximum Packet Size PUBREL fits it, for known and unknown identifiers',
  { tags: ['MQTT5-3.6.2-2', 'MQTT5-3.6.2-3'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.maximumPacketSize(tight) })
    await client.subscribe(['a', 2])
    await server.broker.publish({ topic: 'a', qos: 2 })
    const { id } = await client.nextPublish()
    client.send(pubrec(id), pubrec(999))
    expect(await acknowledgementWithin(client, 'pubrel', tight)).toEqual({ id, reasonCode: 0x00, properties: [] })
    expect(await acknowledgementWithin(client, 'pubrel', tight)).toEqual({ id: 999, reasonCode: 0x92, properties: [] })
  },
)

test(
  'a client whose Maximum Packet Size is below the CONNACK gets one that fits or is let go',
  { tags: ['MQTT5-3.2.0-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.open()
    client.send(connect({ clientId: 'c', properties: property.maximumPacketSize(8) }), pingreq)
    const first = await client.next().catch((error: unknown) => error)
    if (first instanceof Error) expect(first.message).toContain('the connection ended')
    else {
      const frame = first as Frame
      expect(frame.type).toBe('connack')
      expect(frame.bytes.length).toBeLessThanOrEqual(8)
    }
  },
)

test(
  'PUBREL from the broker has flags 0010, the first time and again on the next connection',
  { tags: ['MQTT5-3.6.1-1', 'MQTT5-3.6.2-1'] },
  async () => {
    const server = await startBroker()
    const fields = { clientId: 's', cleanStart: false, properties: property.sessionExpiryInterval(3600) }
    const client = await server.connect(fields)
    await client.subscribe(['a', 2])
    await server.broker.publish({ topic: 'a', qos: 2 })
    const { id } = await client.nextPublish()
    client.send(pubrec(id, 0x10))
    const expected = Buffer.of(0x62, 2, id >> 8, id & 0xff)
    expect((await client.next('pubrel')).bytes).toEqual(expected)
    await server.drop(client)
    const again = await server.connect(fields)
    expect((await again.next('pubrel')).bytes).toEqual(expected)
    again.send(pubrec(77))
    expect((await again.next('pubrel')).bytes).toEqual(Buffer.of(0x62, 3, 0, 77, 0x92))
  },
)

test(
  'every code that PUBACK has ends the delivery, in the short and the long form',
  { tags: ['MQTT5-3.4.2-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 's', properties: property.receiveMaximum(1) })
    await client.subscribe(['a', 1])
    const text = [
      ...property.reasonString('why'),
      ...property.userProperty('a', 'b'),
      ...property.userProperty('a', 'b'),
    ]
    const answers = publishCodes.flatMap(code => [[code] as const, [code, []] as const, [code, text] as const])
    for (const [index, [reasonCode, properties]] of answers.entries()) {
      for (const payload of [`${index}`, 'waits']) await server.broker.publish({ topic: 'a', qos: 1, payload })
      const delivery = await client.nextPublish()
      expect(delivery.payload).toBe(`${index}`)
      client.send(puback(delivery.id, reasonCode, properties))
      const waiting = await client.nextPublish()
      expect(waiting.payload).toBe('waits')
      client.send(puback(waiting.id))
    }
  },
)

test('success codes of PUBREC bring PUBREL, error codes end the delivery', { tags: ['MQTT5-3.5.2-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 's', properties: property.receiveMaximum(1) })
  await client.subscribe(['a', 2])
  const text = [...property.reasonString('why'), ...property.userProperty('a', 'b')]
  for (const reasonCode of publishCodes) {
    await server.broker.publish({ topic: 'a', qos: 2, payload: `${reasonCode}` })
    const { id, payload } = await client.nextPublish()
    expect(payload).toBe(`${reasonCode}`)
    client.send(pubrec(id, reasonCode, text))
    if (reasonCode < 0x80) {
      expect(await client.nextAck('pubrel', id)).toEqual({ id, reasonCode: 0, properties: [] })
      client.send(pubcomp(id, 0))
    } else await client.expectNothing()
  }
})

test(
  'PUBREL and PUBCOMP are taken with both of their codes, in the short and the long form',
  { tags: ['MQTT5-3.6.2-1', 'MQTT5-3.7.2-1'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.receiveMaximum(1) })
    await client.subscribe(['a', 2])
    const text = [...property.reasonString('why'), ...property.userProperty('a', 'b')]
    for (const reasonCode of [0x00, 0x92]) {
      for (const properties of [undefined, [], text]) {
        client.send(publish({ topic: 'b', qos: 2, id: 5 }))
        await client.nextAck('pubrec', 5)
        client.send(pubrel(5, reasonCode, properties))
        expect(await client.nextAck('pubcomp', 5)).toEqual({ id: 5, reasonCode: 0, properties: [] })

        await server.broker.publish({ topic: 'a', qos: 2, payload: 'next' })
        const { id } = await client.nextPublish()
        client.send(pubrec(id))
        await client.nextAck('pubrel', id)
        client.send(pubcomp(id, reasonCode, properties))
        await client.expectNothing()
      }
    }
  },
)

test(
  'PUBREL of an identifier that was completed, refused or never used gets PUBCOMP with 0x92',
  { tags: ['MQTT5-3.7.2-1'] },
  async () => {
    const server = await startBroker(refusing('no'))
    const client = await server.connect({ clientId: 'c' })
    await client.publishDone({ topic: 'a', qos: 2, id: 5 })
    client.send(publish({ topic: 'secret', qos: 2, id: 6 }), publish({ topic: 'a', qos: 1, id: 7 }))
    expect((await client.nextAck('pubrec', 6)).reasonCode).toBe(0x87)
    await client.nextAck('puback', 7)
    for (const id of [5, 6, 7, 8]) {
      client.send(pubrel(id))
      expect((await client.nextAck('pubcomp', id)).reasonCode).toBe(0x92)
    }
  },
)
