import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { PropertyId, property, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { publish } from './support/wire.ts'

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('clients below a mount point see each other, and the broker sees them below it', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'mount/' })
    const outside = await server.connect({ version, clientId: 'outside' })
    await outside.subscribe(['#', 2])
    const inside = await mounted.connect({ version, clientId: 'inside' })
    await inside.subscribe(['#', 2])
    const publisher = await mounted.connect({ version, clientId: 'p' })
    for (const qos of [0, 1, 2] as const) {
      await publisher.publishDone({ topic: `a/${qos}`, payload: 'x', qos })
      expect(await inside.nextPublish()).toMatchObject({ topic: `a/${qos}`, payload: 'x', qos })
      expect(await outside.nextPublish()).toMatchObject({ topic: `mount/a/${qos}`, payload: 'x', qos })
    }
    const other = await server.connect({ version, clientId: 'other' })
    await other.publishDone({ topic: 'a/0', qos: 1 })
    expect(await outside.nextPublish()).toMatchObject({ topic: 'a/0' })
    await other.publishDone({ topic: 'mount/b', qos: 1 })
    expect(await outside.nextPublish()).toMatchObject({ topic: 'mount/b' })
    expect(await inside.nextPublish()).toMatchObject({ topic: 'b' })
    await inside.expectNothing()
  })

  versionTest('rows of messages cross a mount point both ways', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const outside = await server.connect({ version, clientId: 'outside' })
    const inside = await mounted.connect({ version, clientId: 'inside' })
    await outside.subscribe('#')
    await inside.subscribe('#')
    const rows = ['a', 'a', 'a', 'b'].map(topic => publish({ version, topic, payload: 'p' }))
    const publisher = await mounted.connect({ version, clientId: 'p' })
    publisher.send(...rows)
    expect((await inside.nextPublishes(4)).map(({ topic }) => topic)).toEqual(['a', 'a', 'a', 'b'])
    expect((await outside.nextPublishes(4)).map(({ topic }) => topic)).toEqual(['m/a', 'm/a', 'm/a', 'm/b'])
    const other = await server.connect({ version, clientId: 'other' })
    other.send(...['m/a', 'm/a', 'x', 'm'].map(topic => publish({ version, topic, payload: 'p' })))
    expect((await inside.nextPublishes(2)).map(({ topic }) => topic)).toEqual(['a', 'a'])
    await outside.nextPublishes(4)
    await inside.expectNothing()
  })

  versionTest('retained messages and wills have their place below a mount point', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const publisher = await mounted.connect({
      version,
      clientId: 'p',
      will: { topic: 'will', payload: 'w', retain: true, qos: 1 },
    })
    await publisher.publishDone({ topic: 'kept', payload: 'k', retain: true, qos: 1 })
    await server.drop(publisher)
    const inside = await mounted.connect({ version, clientId: 'inside' })
    await inside.subscribe(['+', 1])
    const seen = await inside.nextPublishes(2)
    expect(new Set(seen.map(({ topic }) => topic))).toEqual(new Set(['kept', 'will']))
    const outside = await server.connect({ version, clientId: 'outside' })
    await outside.subscribe('kept', 'm/kept')
    expect(await outside.nextPublish()).toMatchObject({ topic: 'm/kept', retain: true })
    const another = await mounted.connect({ version, clientId: 'another' })
    await another.publishDone({ topic: 'kept', payload: '', retain: true, qos: 1 })
    const late = await mounted.connect({ version, clientId: 'late' })
    await late.subscribe('kept')
    await late.expectNothing()
  })

  versionTest('a resumed session gets what was queued, without the mount point', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const sleeper = await mounted.connect({ ...lasting, clientId: 's' })
    await sleeper.subscribe(['#', 2])
    await server.drop(sleeper)
    for (const qos of [1, 2] as const) await server.broker.publish({ topic: `m/${qos}`, qos })
    const back = await mounted.connect({ ...lasting, clientId: 's' })
    expect(back.connack.sessionPresent).toBe(true)
    expect((await back.nextPublishes(2)).map(({ topic }) => topic)).toEqual(['1', '2'])
    await server.broker.publish({ topic: 'm/live' })
    expect(await back.nextPublish()).toMatchObject({ topic: 'live' })
  })

  versionTest('a session that comes back by another listener gets what lies below its mount point alone', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const open = await server.connect({ ...lasting, clientId: 's' })
    await open.subscribe(['#', 1])
    await server.drop(open)
    await server.broker.publish({ topic: 'elsewhere', qos: 1 })
    await server.broker.publish({ topic: 'm/a', qos: 1 })
    const back = await mounted.connect({ ...lasting, clientId: 's' })
    expect(await back.nextPublish()).toMatchObject({ topic: 'a' })
    await server.broker.publish({ topic: 'elsewhere' })
    await server.broker.publish({ topic: 'm/b' })
    expect(await back.nextPublish()).toMatchObject({ topic: 'b' })
  })

  versionTest('shared subscriptions below a mount point are of the topics there', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const member = await mounted.connect({ version, clientId: 'member' })
    await member.subscribe(['$share/g/a/#', 1])
    await server.broker.publish({ topic: 'a/1', qos: 1 })
    await server.broker.publish({ topic: 'm/a/1', qos: 1 })
    expect(await member.nextPublish()).toMatchObject({ topic: 'a/1', qos: 1 })
    await server.broker.publish({ topic: 'm/a/2', qos: 0 })
    expect(await member.nextPublish()).toMatchObject({ topic: 'a/2', qos: 0 })
    expect(Object.keys(server.broker.clients['member']?.subscriptions ?? {})).toEqual(['$share/g/m/a/#'])
    await member.unsubscribe('$share/g/a/#')
    await server.broker.publish({ topic: 'm/a/3', qos: 1 })
    await member.expectNothing()
  })

  versionTest('UNSUBSCRIBE takes the filter as the client has named it', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const client = await mounted.connect({ version, clientId: 'c' })
    await client.subscribe('a', 'b')
    await client.unsubscribe('a')
    await server.broker.publish({ topic: 'm/a' })
    await server.broker.publish({ topic: 'm/b' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'b' })
  })

  versionTest('hooks see full names', async () => {
    const asked: string[] = []
    const server = await startBroker({
      authorizePublish: (_client, packet, done) => {
        asked.push(`publish ${packet.topic}`)
        done(null)
      },
      authorizeSubscribe: (_client, subscription, done) => {
        asked.push(`subscribe ${subscription.topic}`)
        done(null, subscription)
      },
      authorizeForward: (_client, packet) => {
        asked.push(`forward ${packet.topic}`)
        return packet
      },
    })
    const mounted = await server.listen({ mountPoint: 'm/' })
    const client = await mounted.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    const publisher = await mounted.connect({ version, clientId: 'p' })
    await publisher.publishDone({ topic: 'a', qos: 1 })
    expect(await client.nextPublish()).toMatchObject({ topic: 'a' })
    expect(asked).toEqual(['subscribe m/a', 'publish m/a', 'forward m/a'])
  })

  versionTest('below a mount point $SYS is a name like any other', async () => {
    const server = await startBroker()
    const mounted = await server.listen({ mountPoint: 'm/' })
    const client = await mounted.connect({ version, clientId: 'c' })
    await client.subscribe('$SYS/#')
    const publisher = await mounted.connect({ version, clientId: 'p' })
    await publisher.publishDone({ topic: '$SYS/x', qos: 1 })
    expect(await client.nextPublish()).toMatchObject({ topic: '$SYS/x' })
    await server.broker.publish({ topic: '$SYS/y' })
    await client.expectNothing()
  })
})

test('a topic that is too long with its mount point is refused', async () => {
  const server = await startBroker()
  const mounted = await server.listen({ mountPoint: 'mount/' })
  const client = await mounted.connect({ clientId: 'c' })
  client.publish({ topic: 'x'.repeat(65_530) })
  await client.closedWith(0x90)
})

test('an empty filter is refused below a mount point as well', async () => {
  const server = await startBroker()
  const mounted = await server.listen({ mountPoint: 'mount/' })
  const client = await mounted.connect({ clientId: 'c' })
  expect((await client.subscribe('')).reasonCodes).toEqual([0x8f])
  expect((await client.subscribe('$share/g/')).reasonCodes).toEqual([0x8f])
})

test('a wildcard that the mount point leaves no level of its own is refused', async () => {
  const server = await startBroker()
  const mounted = await server.listen({ mountPoint: 'mount' })
  const client = await mounted.connect({ clientId: 'c' })
  expect((await client.subscribe('#', 'a')).reasonCodes).toEqual([0x8f, 0])
  await server.broker.publish({ topic: 'mounta' })
  expect(await client.nextPublish()).toMatchObject({ topic: 'a' })
})

test('topic aliases stand for the names that the client uses, and for those that it gets', async () => {
  const server = await startBroker()
  const mounted = await server.listen({ mountPoint: 'm/', topicAliasMaximum: 1, maximumOutgoingTopicAliases: 1 })
  const client = await mounted.connect({ clientId: 'c', properties: property.topicAliasMaximum(5) })
  await client.subscribe('a')
  client.publish({ topic: 'a', payload: '1', properties: property.topicAlias(1) })
  client.publish({ topic: '', payload: '2', properties: property.topicAlias(1) })
  const [first, second] = await client.nextPublishes(2)
  expect(first).toMatchObject({ topic: 'a', payload: '1' })
  expect(second).toMatchObject({ topic: '', payload: '2' })
})

test('a message carries its properties across a mount point, and expires as before', async () => {
  const server = await startBroker()
  const mounted = await server.listen({ mountPoint: 'm/' })
  const client = await mounted.connect({ clientId: 'c' })
  await client.subscribe(['a', 1])
  const properties = [...property.contentType('text/plain'), ...property.messageExpiryInterval(60)]
  const publisher = await mounted.connect({ clientId: 'p' })
  await publisher.publishDone({ topic: 'a', qos: 1, properties })
  const got = await client.nextPublish()
  expect(propertyValue(got.properties, PropertyId.contentType)).toBe('text/plain')
  expect(propertyValue(got.properties, PropertyId.messageExpiryInterval)).toBe(60)
})
