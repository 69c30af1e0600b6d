import { messageOverhead } from '@x/contract'
import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { property } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { puback } from './support/wire.ts'

/** What a message takes whose topic is `w` and whose payload has nine bytes. */
const size = messageOverhead + 10
const will = { topic: 'w', payload: '123456789' }

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'a CONNECT whose will does not fit is refused and told why, and the next one that fits is not',
    async () => {
      const server = await startBroker({ maximumWillBytes: 2 * size })
      const sentences: string[] = []
      server.broker.on('clientError', (_client, error: Error) => sentences.push(error.message))
      const first = await server.connect({ version, clientId: '1', will })
      await server.connect({ version, clientId: '2', will })
      const third = await server.open()
      const { reasonCode } = await third.connect({ version, clientId: '3', will })
      expect(reasonCode).toBe(version === 5 ? 0x97 : 3)
      await third.closed()
      expect(sentences).toEqual([expect.stringMatching(/would take 1230 bytes, the limit is maximumWillBytes of 820/)])
      expect(server.broker.counters).toMatchObject({ refusedSessions: 1, connectionsRefused: 1 })
      expect(await server.broker.counts()).toMatchObject({ willBytes: 2 * size })
      await server.connect({ version, clientId: '3' })
      await server.drop(first)
      expect(await server.broker.counts()).toMatchObject({ willBytes: size })
      await server.connect({ version, clientId: '4', will })
    },
  )

  versionTest('what one client retains beyond its share is refused, and costs no other client', async () => {
    const server = await startBroker({ maximumRetainedMessagesPerClient: 2 })
    const [greedy, modest] = [
      await server.connect({ version, clientId: 'greedy' }),
      await server.connect({ version, clientId: 'modest' }),
    ]
    for (const topic of ['a', 'b']) await greedy.publishDone({ topic, payload: 'x', qos: 1, retain: true })
    const id = greedy.publish({ topic: 'c', payload: 'x', qos: 1, retain: true })
    if (version === 5) {
      expect((await greedy.nextAck('puback', id)).reasonCode).toBe(0x97)
      greedy.publish({ topic: 'c', payload: 'x', retain: true })
      await greedy.closedWith(0x97)
    } else await greedy.closed()
    expect(server.broker.counters.refusedPublishes).toBe(version === 5 ? 2 : 1)
    await modest.publishDone({ topic: 'c', payload: 'x', qos: 1, retain: true })
    expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 3 })
  })
})

test('queues of all sessions together keep to maximumTotalQueuedBytes', async () => {
  const server = await startBroker({ maximumTotalQueuedBytes: 3 * size })
  for (const clientId of ['large', 'small']) {
    const client = await server.connect({ clientId, properties: property.sessionExpiryInterval(100) })
    await client.subscribe([clientId, 1])
    await server.drop(client)
  }
  const publisher = await server.connect({ clientId: 'p' })
  for (const payload of ['1', '2', '3', '4']) await publisher.publishDone({ topic: 'large', payload, qos: 1 })
  await publisher.publishDone({ topic: 'small', payload: '5', qos: 1 })
  expect(server.broker.counters.droppedQueueFull).toBe(2)
  const received: string[] = []
  for (const clientId of ['small', 'large']) {
    const client = await server.connect({
      clientId,
      cleanStart: false,
      properties: property.sessionExpiryInterval(100),
    })
    for (const { payload, id } of await client.nextPublishes(clientId === 'small' ? 1 : 2)) {
      received.push(payload)
      client.send(puback(id))
    }
    await client.expectNothing()
  }
  expect(received).toEqual(['5', '3', '4'])
})

test('what expires is freed as fast as it can be stored, with others served meanwhile', async () => {
  const server = await startBrokerWithClock()
  const { persistence, clock } = server
  const count = 20_000
  const expiresAt = clock.now() + 1000
  const owner = { deliver: () => false, fenced: () => undefined }
  for (let index = 0; index < count; index += 1) {
    const message = {
      topic: `t/${index}`,
      payload: Buffer.from('x'),
      qos: 0,
      retain: true,
      properties: undefined,
    } as const
    void persistence.publish({ ...message, expiresAt, publisher: 'p', brokerId: 'b', brokerCounter: index })
    const opened = await persistence.openSession({
      clientId: `s${index}`,
      cleanStart: true,
      sessionExpiryInterval: 1,
      will: undefined,
      owner,
    })
    await persistence.closeSession(opened.handle, { sessionExpiryInterval: 1, will: 'discard', sentThrough: 0 })
  }
  clock.advance(2000)
  let turns = 0
  for (; server.broker.counters.sessionsExpired < count; turns += 1) await new Promise(setImmediate)
  expect(turns).toBeGreaterThan(2)
  await new Promise(setImmediate)
  expect(await persistence.counts()).toMatchObject({ sessions: 0, retainedMessages: 0 })
})
