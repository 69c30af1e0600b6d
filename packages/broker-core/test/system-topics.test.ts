import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'

const filters = ['$SYS/#', '$SYS/broker/+', '$SYS', '$share/g/$SYS/#'] as const

eachVersion(({ version, lasting, test: versionTest }) => {
  const refused = version === 5 ? 0x87 : 0x80

  versionTest('a listener without system topics refuses every subscription to them, and no other', async () => {
    const server = await startBroker()
    const listener = await server.listen({ systemTopics: false })
    const client = await listener.connect({ version, clientId: 'c' })
    for (const filter of filters) expect((await client.subscribe(filter)).reasonCodes, filter).toEqual([refused])
    const others = ['#', '+/broker/x', '$SYSTEM/x', '$share/g/a', 'a/$SYS/b'] as const
    for (const filter of others) expect((await client.subscribe([filter, 1])).reasonCodes, filter).toEqual([1])
    // Each has a client of its own, which is told of the subscriptions that follow.
    for (const filter of filters) {
      const elsewhere = await server.connect({ version, clientId: `elsewhere ${filter}` })
      expect((await elsewhere.subscribe(filter)).reasonCodes, filter).toEqual([0])
    }
  })

  versionTest('its clients get nothing of what the broker says, live or retained, by a wildcard or not', async () => {
    const server = await startBroker()
    const listener = await server.listen({ systemTopics: false })
    await server.broker.publish({ topic: '$SYS/broker/x', payload: 'before', retain: true })
    const hidden = await listener.connect({ version, clientId: 'hidden' })
    await hidden.subscribe('$SYS/#', '#', '+/broker/x')
    await server.broker.publish({ topic: '$SYS/broker/x', payload: 'after', retain: true })
    await hidden.expectNothing()
    await server.broker.publish({ topic: 'a/broker/x' })
    expect(await hidden.nextPublish()).toMatchObject({ topic: 'a/broker/x' })
    const shown = await server.connect({ version, clientId: 'shown' })
    await shown.subscribe('$SYS/broker/#')
    expect(await shown.nextPublish()).toMatchObject({ topic: '$SYS/broker/x' })
  })

  versionTest('a session that has subscribed by another listener keeps what else it has subscribed to', async () => {
    const server = await startBroker()
    const listener = await server.listen({ systemTopics: false })
    const open = await server.connect({ ...lasting, clientId: 's' })
    await open.subscribe(['$SYS/#', 1], ['$share/g/$SYS/#', 1], ['a', 1])
    await server.drop(open)
    await server.broker.publish({ topic: '$SYS/broker/x', qos: 1 })
    await server.broker.publish({ topic: 'a', payload: 'waited', qos: 1 })
    const back = await listener.connect({ ...lasting, clientId: 's' })
    expect(back.connack.sessionPresent).toBe(true)
    expect(await back.nextPublish()).toMatchObject({ topic: 'a', payload: 'waited' })
    await server.broker.publish({ topic: '$SYS/broker/x', qos: 1 })
    await server.broker.publish({ topic: 'a', payload: 'live', qos: 1 })
    expect(await back.nextPublish()).toMatchObject({ topic: 'a', payload: 'live' })
    expect(Object.keys(server.broker.clients['s']?.subscriptions ?? {})).toEqual(['a'])
  })

  versionTest('a client that publishes below $SYS with the consent of a hook does not reach them', async () => {
    const server = await startBroker({ authorizePublish: (_client, _packet, done) => done(null) })
    const listener = await server.listen({ systemTopics: false })
    const hidden = await listener.connect({ ...lasting, clientId: 'hidden' })
    const shown = await server.connect({ version, clientId: 'shown' })
    await shown.subscribe('$SYS/x')
    await server.broker.clients['hidden']?.subscribe({ topic: '$SYS/x', qos: 0 })
    const publisher = await server.connect({ version, clientId: 'publisher' })
    for (const payload of ['one', 'two']) await publisher.publishDone({ topic: '$SYS/x', payload, qos: 1 })
    expect((await shown.nextPublishes(2)).map(({ topic }) => topic)).toEqual(['$SYS/x', '$SYS/x'])
    await hidden.expectNothing()
  })
})

test('MQTT 3.1 has no code for a refusal: a subscription to system topics is granted, and stays silent', async () => {
  const server = await startBroker()
  const listener = await server.listen({ systemTopics: false })
  const client = await listener.connect({ version: 3, clientId: 'c' })
  expect((await client.subscribe(['$SYS/#', 1])).reasonCodes).toEqual([1])
  await server.broker.publish({ topic: '$SYS/broker/x', payload: 'x', retain: true })
  await client.expectNothing()
})
