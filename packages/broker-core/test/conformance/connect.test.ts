import { expect, test } from 'vitest'
import { readConnack } from '../support/frame.ts'
import { PropertyId, property, propertyValue, propertyValues } from '../support/property.ts'
import { startBroker } from '../support/start-broker.ts'
import { auth, connect, disconnect, packet, pingreq, publish, subscribe, text, u16 } from '../support/wire.ts'
import { connectCases } from './connect.cases.ts'

for (const { title, tags, send, answer } of connectCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await server.open()
    client.send(send, publish({ topic: 'after', payload: 'p' }), pingreq)
    if (answer === 'accepted') {
      expect(readConnack(await client.next(), 5)).toMatchObject({ flags: 0, reasonCode: 0 })
      await client.next('pingresp')
      expect((await watcher.nextPublish()).topic).toBe('after')
      return
    }
    const answers = (await client.closed()).map(frame => readConnack(frame, 5))
    expect(answers).toMatchObject([{ flags: 0, reasonCode: answer.refused }])
    expect(server.broker.connectedClients).toBe(1)
    await watcher.expectNothing()
  })
}

test('a protocol name other than MQTT is refused with 0x84', { tags: ['MQTT5-3.1.2-1'] }, async () => {
  const server = await startBroker()
  for (const name of ['MQTX', 'mqtt', 'MQTT ', 'MQT', '']) {
    const client = await server.open()
    client.send(connect({ protocolName: name, clientId: 'n' }), pingreq)
    const answers = (await client.closed()).map(frame => readConnack(frame, 5).reasonCode)
    expect(answers, name).toEqual([0x84])
  }
})

test(
  'nothing but AUTH and DISCONNECT is allowed while an authentication goes on',
  { tags: ['MQTT5-3.1.2-30'] },
  async () => {
    const server = await startBroker({
      authenticateEnhanced: (_client, { step }) => ({ done: step === 'continue', data: Buffer.from('next') }),
    })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const request = connect({ clientId: 'c', properties: property.authenticationMethod('m') })
    for (const forbidden of [
      publish({ topic: 'early', qos: 1 }),
      subscribe({ filters: [['a', 0]] }),
      packet(0xa2, u16(1), 0, text('a')),
      packet(0x40, u16(1)),
      packet(0x62, u16(1)),
      pingreq,
      connect({ clientId: 'd' }),
    ]) {
      const client = await server.open()
      client.send(request, forbidden, auth(0x18, property.authenticationMethod('m')), publish({ topic: 'late' }))
      const [challenge, refusal, ...rest] = await client.closed()
      expect(challenge?.bytes[0]).toBe(0xf0)
      if (refusal !== undefined) expect(readConnack(refusal, 5)).toMatchObject({ flags: 0, reasonCode: 0x82 })
      expect(rest).toEqual([])
      await watcher.expectNothing()
    }
    const leaver = await server.open()
    leaver.send(request)
    await leaver.next('auth')
    leaver.send(disconnect())
    expect(await leaver.closed()).toEqual([])
    const patient = await server.open()
    patient.send(request)
    await patient.next('auth')
    patient.send(auth(0x18, property.authenticationMethod('m')), publish({ topic: 'now' }))
    expect(readConnack(await patient.next(), 5).reasonCode).toBe(0)
    expect((await watcher.nextPublish()).topic).toBe('now')
  },
)

test(
  'the fields of the payload are taken in their order: login and will get their own',
  { tags: ['MQTT5-3.1.3-1', 'MQTT5-3.1.3-12'] },
  async () => {
    const logins: unknown[] = []
    const server = await startBroker({
      authenticate: (client, username, password) => {
        logins.push([client.id, username, password?.toString()])
        return true
      },
    })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe(['#', 2])
    const client = await server.open()
    client.send(
      packet(
        0x10,
        text('MQTT'),
        5,
        0xd6, // User Name, Password, Will with QoS 2, Clean Start
        u16(0), // Keep Alive
        0, // no properties
        text('client'),
        7, // Will Properties
        [0x03, ...text('type')],
        text('will/topic'),
        text('will payload'),
        text('user'),
        text('password'),
      ),
    )
    expect(readConnack(await client.next(), 5).reasonCode).toBe(0)
    client.send(disconnect(4))
    expect(await watcher.nextPublish()).toMatchObject({
      topic: 'will/topic',
      payload: 'will payload',
      qos: 2,
      properties: [[PropertyId.contentType, 'type']],
    })
    expect(logins).toEqual([
      ['watcher', undefined, undefined],
      ['client', 'user', 'password'],
    ])
  },
)

test(
  'a client identifier the program refuses gets 0x85, and the connection ends',
  { tags: ['MQTT5-3.1.3-8'] },
  async () => {
    const server = await startBroker({
      authenticate: client => {
        if (client.id === 'good') return true
        throw Object.assign(new Error('client identifiers are good here'), { reasonCode: 0x85 })
      },
    })
    await server.connect({ clientId: 'good' })
    const client = await server.open()
    client.send(connect({ clientId: 'bad' }), pingreq)
    const answers = (await client.closed()).map(frame => readConnack(frame, 5))
    expect(answers).toMatchObject([{ flags: 0, reasonCode: 0x85 }])
    expect(server.broker.connectedClients).toBe(1)
  },
)

test(
  'Request Problem Information 0 keeps Reason Strings and User Properties from every acknowledgement',
  { tags: ['MQTT5-3.1.2-29'] },
  async () => {
    const server = await startBroker({
      authorizePublish: () => {
        throw new Error('no')
      },
      authorizeSubscribe: () => null,
    })
    for (const [value, reasons] of [
      [1, ['no']],
      [0, []],
    ] as const) {
      const client = await server.connect({ clientId: 'c', properties: property.requestProblemInformation(value) })
      const user = property.userProperty('n', 'v')
      for (const [qos, answer] of [
        [1, 'puback'],
        [2, 'pubrec'],
      ] as const) {
        const id = client.publish({ topic: 'a', qos, properties: user })
        const refused = await client.nextAck(answer, id)
        expect(refused.reasonCode).toBe(0x87)
        expect(propertyValues(refused.properties, PropertyId.reasonString)).toEqual(reasons)
        expect(propertyValues(refused.properties, PropertyId.userProperty)).toEqual([])
      }
      client.send(packet(0x62, u16(99)))
      const release = await client.nextAck('pubcomp', 99)
      expect(release.reasonCode).toBe(0x92)
      const suback = await client.subscribeWith(['a', 'a#'], user)
      expect(suback.reasonCodes).toEqual([0x87, 0x8f])
      const unsuback = await client.unsubscribe('none')
      for (const answer of value === 0 ? [release, suback, unsuback] : []) expect(answer.properties).toEqual([])
    }
  },
)

test(
  'Request Problem Information 0 leaves the User Properties of a delivery alone',
  { tags: ['MQTT5-3.1.2-29'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c', properties: property.requestProblemInformation(0) })
    await client.subscribe('a')
    client.publish({ topic: 'a', properties: property.userProperty('n', 'v') })
    expect(propertyValue((await client.nextPublish()).properties, PropertyId.userProperty)).toEqual(['n', 'v'])
  },
)
