import { expect, test } from 'vitest'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { bytes, connect, pingreq, puback, pubcomp, publish, pubrec } from '../support/wire.ts'

// Events and what a broker does on the wire, as programs written for Aedes expect it, one test for each row that other tests do
// not prove under its name.

test('connectionError: Invalid protocol has the packet as info, and the client no id', async () => {
  const server = await startBroker()
  const seen: unknown[] = []
  server.broker.on('connectionError', (client, error) => seen.push(client.id, error))
  const client = await server.open()
  client.send(publish({ version: 4, topic: 'a', payload: 'x' }))
  expect(await client.closed()).toEqual([])
  expect(seen).toMatchObject([null, { message: 'Invalid protocol', info: { cmd: 'publish', topic: 'a' } }])
})

test('connectionError: errorCode is the code of the CONNACK', async () => {
  const server = await startBroker({ authenticate: () => false })
  const codes: unknown[] = []
  server.broker.on('clientError', (_client, error) => codes.push((error as { errorCode?: number }).errorCode))
  const client = await server.open()
  await client.connect({ version: 4, clientId: 'c' })
  await client.closed()
  expect(codes).toEqual([5])
})

test('connackSent: for refusals too', async () => {
  const server = await startBroker({ authenticate: (_client, username) => username === 'in' })
  const codes: unknown[] = []
  server.broker.on('connackSent', packet => codes.push(packet.returnCode))
  for (const username of ['in', 'out'])
    await (await server.open()).connect({ version: 4, clientId: username, username })
  expect(codes).toEqual([0, 5])
})

test('keepaliveTimeout, then clientError keep alive timeout', async () => {
  const { broker, connect: connectClient, pass } = await startBrokerWithClock()
  const seen: string[] = []
  broker.on('keepaliveTimeout', client => seen.push(`keepaliveTimeout ${client.id}`))
  broker.on('clientError', (client, error) => seen.push(`clientError ${client.id} ${error.message}`))
  const client = await connectClient({ version: 4, clientId: 'c', keepAlive: 1 })
  await pass(2500)
  await client.closed()
  expect(seen).toEqual(['keepaliveTimeout c', 'clientError c keep alive timeout'])
})

test('ack: the PUBLISH or PUBREL of a lasting session, undefined for others and unknown identifiers', async () => {
  for (const cleanStart of [false, true]) {
    const server = await startBroker()
    const client = await server.connect({ version: 4, clientId: 'c', cleanStart })
    const acknowledged: unknown[] = []
    server.broker.on('ack', packet => acknowledged.push(packet))
    await client.subscribe(['a', 2])
    for (const qos of [1, 2] as const) await server.broker.publish({ topic: 'a', payload: `${qos}`, qos })
    const [one, two] = await client.nextPublishes(2)
    client.send(puback(one?.id ?? 0), pubrec(two?.id ?? 0))
    await client.nextAck('pubrel')
    client.send(pubcomp(two?.id ?? 0), puback(999))
    await client.ping()
    const kept = [
      { cmd: 'publish', topic: 'a', payload: Buffer.from('1'), messageId: one?.id },
      { cmd: 'pubrel', messageId: two?.id },
      undefined,
    ]
    expect(acknowledged).toMatchObject(cleanStart ? [undefined, undefined, undefined] : kept)
  }
})

test('restored sessions: authorizeSubscribe again, no event subscribe, no retained message', async () => {
  const asked: string[] = []
  const server = await startBroker({
    authorizeSubscribe(_client, subscription) {
      asked.push(subscription.topic)
      return subscription
    },
  })
  const client = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  await client.subscribe(['a', 0], ['b', 1])
  await server.drop(client)
  await server.broker.publish({ topic: 'b', payload: 'retained', retain: true })
  const told: unknown[] = []
  server.broker.on('subscribe', subscriptions => told.push(subscriptions))
  const again = await server.connect({ version: 4, clientId: 'c', cleanStart: false })
  expect(again.connack.sessionPresent).toBe(true)
  await again.expectNothing()
  expect(asked).toEqual(['a', 'b', 'a', 'b'])
  expect(told).toEqual([])
  await server.broker.publish({ topic: 'a' })
  expect((await again.nextPublish()).topic).toBe('a')
})

test('after an error of the connection, packets that are there already take no effect', async () => {
  const server = await startBroker()
  const seen: string[] = []
  await server.broker.subscribe('a', () => void seen.push('a'))
  const client = await server.open()
  client.send(
    bytes(connect({ version: 4, clientId: 'c' }), Buffer.of(0xf0, 0), publish({ version: 4, topic: 'a' }), pingreq),
  )
  await client.closed()
  expect(seen).toEqual([])
})

test('one filter twice in a SUBSCRIBE: the last counts, each is answered, the event has it once', async () => {
  const server = await startBroker()
  const told: unknown[] = []
  server.broker.on('subscribe', subscriptions => told.push(subscriptions.map(({ topic, qos }) => [topic, qos])))
  const client = await server.connect({ version: 4, clientId: 'c' })
  expect((await client.subscribe(['a', 0], ['a', 1])).reasonCodes).toEqual([0, 1])
  expect(told).toEqual([[['a', 1]]])
  await server.broker.publish({ topic: 'a', qos: 1 })
  expect((await client.nextPublish()).qos).toBe(1)
  await client.expectNothing()
})

test('extra properties of a subscription survive in the event subscribe', async () => {
  const server = await startBroker({
    authorizeSubscribe: (_client, subscription) => Object.assign(subscription, { mine: 7 }),
  })
  const told: unknown[] = []
  server.broker.on('subscribe', subscriptions => told.push(...subscriptions))
  const client = await server.connect({ version: 4, clientId: 'c' })
  await client.subscribe(['a', 0])
  expect(told).toMatchObject([{ topic: 'a', qos: 0, mine: 7 }])
})

test('retained: stored before delivery, resent at each SUBSCRIBE, deleted by an empty payload that is still delivered', async () => {
  const server = await startBroker()
  const client = await server.connect({ version: 4, clientId: 'c' })
  await server.broker.publish({ topic: 'a', payload: 'x', qos: 1, retain: true })
  for (let time = 0; time < 2; time++) {
    await client.subscribe(['a', 0])
    expect(await client.nextPublish()).toMatchObject({ payload: 'x', qos: 0, retain: true })
  }
  await server.broker.publish({ topic: 'a', payload: '' })
  expect(await client.nextPublish()).toMatchObject({ payload: '', retain: false })
  await server.broker.publish({ topic: 'a', payload: '', retain: true })
  expect(await client.nextPublish()).toMatchObject({ payload: '', retain: false })
  await client.subscribe(['a', 0])
  await client.expectNothing()
})

test('generated client ids begin with aedes_', async () => {
  const server = await startBroker()
  await (await server.open()).connect({ version: 4, clientId: '', cleanStart: true })
  expect(Object.keys(server.broker.clients)).toEqual([expect.stringMatching(/^aedes_.{8,}/)])
})
