import { expect, test } from 'vitest'
import type { TopicAccess } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { property } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { publish } from './support/wire.ts'

/** Each client may publish below `in/` and receive below `out/`, everybody below `all/`; `forbidden` takes a prefix away. */
function access(forbidden = new Set<string>()): TopicAccess {
  const isOpen = (topic: string, prefix: string): boolean =>
    (topic.startsWith(prefix) || topic.startsWith('all/')) && ![...forbidden].some(one => topic.startsWith(one))
  return {
    mayPublish: (_client, topic) => isOpen(topic, 'in/'),
    mayReceive: (client, topic) => client.id === 'watcher' || isOpen(topic, 'out/'),
  }
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('a message that mayPublish refuses is dropped, acknowledged, and its publisher stays', async () => {
    const server = await startBroker({ topicAccess: access() })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    const client = await server.connect({ version, clientId: 'c' })
    client.publish({ topic: 'no/0' })
    const first = client.publish({ topic: 'no/1', qos: 1 })
    expect(await client.nextAck('puback', first)).toMatchObject({ reasonCode: version === 5 ? 0x87 : 0 })
    const second = client.publish({ topic: 'no/2', qos: 2 })
    expect(await client.nextAck('pubrec', second)).toMatchObject({ reasonCode: version === 5 ? 0x87 : 0 })
    await client.publishDone({ topic: 'in/a', qos: 2 })
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'in/a' })
    await watcher.expectNothing()
  })

  versionTest('mayReceive is asked about each delivery: live, retained, queued, shared', async () => {
    const server = await startBroker({ topicAccess: { ...access(), mayPublish: () => true } })
    const sleeper = await server.connect({ ...lasting, clientId: 'sleeper' })
    await sleeper.subscribe(['#', 1])
    await server.drop(sleeper)
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['#', 1], ['$share/g/#', 1])
    const publisher = await server.connect({ clientId: 'p' })
    for (const qos of [0, 1, 2] as const) {
      await publisher.publishDone({ topic: 'secret', qos, retain: true })
      await publisher.publishDone({ topic: 'out/x', qos })
    }
    const topics = async (from: typeof client, count: number): Promise<Set<string>> =>
      new Set((await from.nextPublishes(count)).map(({ topic }) => topic))
    expect(await topics(client, 6)).toEqual(new Set(['out/x']))
    await client.expectNothing()
    const late = await server.connect({ version, clientId: 'late' })
    await late.subscribe('#')
    await late.expectNothing()
    const back = await server.connect({ ...lasting, clientId: 'sleeper' })
    expect(await topics(back, 2)).toEqual(new Set(['out/x']))
    await back.expectNothing()
  })

  versionTest('without mayReceive everything is delivered', async () => {
    const server = await startBroker({ topicAccess: { mayPublish: (_client, topic) => topic !== 'no' } })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['#', 1])
    client.publish({ topic: 'no' })
    client.publish({ topic: 'yes' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'yes' })
  })

  versionTest('rows of messages reach those alone that may have their topic', async () => {
    const server = await startBroker({
      topicAccess: { ...access(), mayPublish: (_client, topic) => topic !== 'out/no' },
    })
    const client = await server.connect({ version, clientId: 'c' })
    const watcher = await server.connect({ clientId: 'watcher' })
    await client.subscribe('#')
    await watcher.subscribe('#')
    const publisher = await server.connect({ version, clientId: 'p' })
    const rows = ['secret', 'secret', 'out/no', 'out/no', 'out/x', 'out/x', 'secret', 'out/x']
    publisher.send(...rows.map(topic => publish({ version, topic, payload: 'p' })))
    expect((await client.nextPublishes(3)).map(({ topic }) => topic)).toEqual(['out/x', 'out/x', 'out/x'])
    expect(await watcher.nextPublishes(6)).toHaveLength(6)
    await client.expectNothing()
    await watcher.expectNothing()
  })

  versionTest('a will on a topic that its client may not publish to is never sent', async () => {
    const server = await startBroker({ topicAccess: access() })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('#')
    for (const topic of ['no/will', 'in/will']) {
      await server.drop(await server.connect({ version, clientId: 'c', will: { topic, qos: 1 } }))
    }
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'in/will' })
    await watcher.expectNothing()
  })

  versionTest('rights that are taken away count from the next message and delivery on', async () => {
    const forbidden = new Set<string>()
    const server = await startBroker({ topicAccess: access(forbidden) })
    const client = await server.connect({ version, clientId: 'c', will: { topic: 'in/will' } })
    const watcher = await server.connect({ clientId: 'watcher' })
    await client.subscribe('all/#')
    await watcher.subscribe('#')
    client.publish({ topic: 'all/a' })
    expect(await client.nextPublish()).toMatchObject({ topic: 'all/a' })
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'all/a' })
    forbidden.add('all/').add('in/')
    client.publish({ topic: 'all/a' })
    await server.broker.publish({ topic: 'all/b' })
    expect(await watcher.nextPublish()).toMatchObject({ topic: 'all/b' })
    await client.expectNothing()
    await server.drop(client)
    await watcher.expectNothing()
  })

  versionTest('a throw refuses, is reported, and ends nothing', async () => {
    const fail = (): never => {
      throw new Error('no data base')
    }
    const server = await startBroker({ topicAccess: { mayPublish: () => true, mayReceive: fail } })
    const reported: string[] = []
    server.broker.on('clientError', (_client, error) => reported.push(error.message))
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    await client.publishDone({ topic: 'a', qos: 1 })
    await client.expectNothing()
    expect(reported).toEqual(['no data base'])
    server.broker.topicAccess = { mayPublish: fail, mayReceive: () => true }
    client.publish({ topic: 'a' })
    await client.expectNothing()
    expect(reported.toSorted()).toEqual(['no data base', 'no data base', 'not authorized'])
  })
})

test('a will that waits for its delay is looked at when its client connects: nobody knows that client later', async () => {
  const server = await startBrokerWithClock({ topicAccess: access() })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('#')
  for (const topic of ['no/will', 'in/will']) {
    const will = { topic, properties: property.willDelayInterval(5) }
    const properties = property.sessionExpiryInterval(100)
    await server.drop(await server.connect({ clientId: topic, will, properties }))
  }
  await server.pass(7000)
  expect(await watcher.nextPublish()).toMatchObject({ topic: 'in/will' })
  await watcher.expectNothing()
})

test('topicAccess decides about $SYS/ in place of the engine', async () => {
  const server = await startBroker({ topicAccess: { mayPublish: () => true, mayReceive: () => true } })
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('$SYS/x')
  client.publish({ topic: '$SYS/x' })
  expect(await client.nextPublish()).toMatchObject({ topic: '$SYS/x' })
  server.broker.topicAccess = null
  client.publish({ topic: '$SYS/x' })
  await client.expectNothing()
})

test('what is no TopicAccess is refused as an option and as a property', async () => {
  const wrong = { mayReceive: () => true } as unknown as TopicAccess
  const rule = 'it must be a TopicAccess, with the method mayPublish, or null'
  await expect(startBroker({ topicAccess: wrong })).rejects.toThrow(rule)
  const { broker } = await startBroker()
  expect(() => Object.assign(broker, { topicAccess: 5 })).toThrow(rule)
  expect(broker.topicAccess).toBeNull()
})

eachVersion(({ version, test: versionTest }) => {
  versionTest('with checkRetainSource a retained message is sent as long as its publisher may publish it', async () => {
    const asked: unknown[] = []
    const revoked = new Set<string>()
    const server = await startBroker({
      checkRetainSource: true,
      topicAccess: {
        mayPublish: () => true,
        mayReceive: () => true,
        mayStillPublish: (source, topic) => {
          asked.push({ ...source, topic })
          return !revoked.has(source.clientId)
        },
      },
    })
    const will = { topic: 'will', payload: 'w', retain: true }
    const publisher = await server.connect({ version, clientId: 'p', username: 'ada', will })
    await publisher.publishDone({ topic: 'a', payload: 'x', retain: true, qos: 1 })
    await server.drop(publisher)
    await server.broker.publish({ topic: 'own', payload: 'o', retain: true })
    const first = await server.connect({ version, clientId: 'first' })
    await first.subscribe(['#', 1])
    const topics = (await first.nextPublishes(3)).map(({ topic }) => topic)
    expect(new Set(topics)).toEqual(new Set(['a', 'will', 'own']))
    const source = { clientId: 'p', username: 'ada', listener: undefined }
    expect(asked).toEqual(
      expect.arrayContaining([
        { ...source, topic: 'a' },
        { ...source, topic: 'will' },
      ]),
    )
    expect(asked).toHaveLength(2)
    revoked.add('p')
    const second = await server.connect({ version, clientId: 'second' })
    await second.subscribe(['#', 1])
    expect(await second.nextPublish()).toMatchObject({ topic: 'own' })
    await second.expectNothing()
  })
})

test('without checkRetainSource nothing is asked about retained messages', async () => {
  const never = (): never => {
    throw new Error('asked')
  }
  const server = await startBroker({
    topicAccess: { mayPublish: () => true, mayReceive: () => true, mayStillPublish: never },
  })
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a', payload: 'x', retain: true, qos: 1 })
  await client.subscribe('a')
  expect(await client.nextPublish()).toMatchObject({ topic: 'a' })
})

eachVersion(({ version, lasting, test: versionTest }) => {
  /** Everything but filters that begin with one of these. */
  const without = (prefixes: ReadonlySet<string>): TopicAccess => {
    const isFree = (filter: string): boolean => ![...prefixes].some(prefix => filter.startsWith(prefix))
    return {
      mayPublish: () => true,
      mayReceive: () => true,
      maySubscribe: (_client, filter) => isFree(filter),
      mayUnsubscribe: (_client, filter) => isFree(filter),
    }
  }

  versionTest('a filter that maySubscribe refuses is denied, and the others are granted', async () => {
    const server = await startBroker({ topicAccess: without(new Set(['no/', '$share/g/no/'])) })
    const client = await server.connect({ version, clientId: 'c' })
    const denied = version === 5 ? 0x87 : version === 4 ? 0x80 : 0
    const { reasonCodes } = await client.subscribe('no/#', 'yes/#', '$share/g/no/#')
    expect(reasonCodes).toEqual([denied, 0, denied])
    for (const topic of ['no/a', 'yes/a']) client.publish({ topic })
    expect(await client.nextPublish()).toMatchObject({ topic: 'yes/a' })
    await client.expectNothing()
  })

  versionTest('subscriptions of a session that are refused when it is resumed are removed for good', async () => {
    const forbidden = new Set<string>()
    const server = await startBroker({ topicAccess: without(forbidden) })
    const client = await server.connect({ ...lasting, clientId: 'c' })
    await client.subscribe(['a/#', 1], ['b/#', 1])
    await server.drop(client)
    forbidden.add('a/')
    await server.drop(await server.connect({ ...lasting, clientId: 'c' }))
    forbidden.clear()
    const back = await server.connect({ ...lasting, clientId: 'c' })
    const publisher = await server.connect({ clientId: 'p' })
    for (const topic of ['a/x', 'b/x']) await publisher.publishDone({ topic, qos: 1 })
    expect(await back.nextPublish()).toMatchObject({ topic: 'b/x' })
    await back.expectNothing()
  })

  versionTest('a filter that mayUnsubscribe refuses stays subscribed', async () => {
    const forbidden = new Set<string>()
    const server = await startBroker({ topicAccess: without(forbidden) })
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('a/#', 'b/#')
    forbidden.add('a/')
    const { reasonCodes } = await client.unsubscribe('a/#', 'b/#')
    if (version === 5) expect(reasonCodes).toEqual([0x87, 0])
    const publisher = await server.connect({ clientId: 'p' })
    for (const topic of ['a/x', 'b/x']) await publisher.publishDone({ topic, qos: 1 })
    expect(await client.nextPublish()).toMatchObject({ topic: 'a/x' })
    await client.expectNothing()
  })
})
