import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { disconnect, publish } from '../support/wire.ts'
import { answeredCases, brokenPublishCases } from './publish.cases.ts'
import { connectClient, connectLasting, connectWatcher, hex, testConnected } from './wire-case.ts'

testConnected(answeredCases)
testConnected(brokenPublishCases)

test(
  'in a delivery the topic stands right behind the fixed header, then the identifier at QoS 1 and 2, then the payload',
  { tags: ['MQTT3-3.3.2-1', 'MQTT3-2.3.1-5', 'MQTT3-2.3.1-1', 'MQTT3-4.3.1-1', 'MQTT3-4.3.2-1', 'MQTT3-4.3.3-1'] },
  async () => {
    const server = await startBroker()
    const client = await connectWatcher(server)
    const publisher = await connectClient(server, 'p')
    for (const [qos, firstByte] of [
      [0, '30'],
      [1, '32'],
      [2, '34'],
    ] as const) {
      await publisher.publishDone({ topic: 'ab', qos, payload: '!' })
      const frame = await client.next()
      const identifier = qos === 0 ? '' : frame.bytes.toString('hex', 6, 8)
      const length = qos === 0 ? '05' : '07'
      expect(hex([frame])).toEqual([`${firstByte}${length}00026162${identifier}21`])
      expect(identifier).not.toBe('0000')
    }
  },
)

test(
  'DUP of a PUBLISH is not passed on',
  { tags: ['MQTT3-3.3.1-3', 'MQTT3-3.3.1-2', 'MQTT3-4.3.1-1', 'MQTT3-4.3.2-1', 'MQTT3-4.3.3-1'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    for (const [granted, firstBytes] of [
      [0, [0x30, 0x30]],
      [1, [0x32, 0x32]],
      [2, [0x32, 0x34]],
    ] as const) {
      for (const connect of [connectClient, connectLasting]) {
        const client = await connect(server, 'c')
        await client.subscribe(['a', granted])
        for (const qos of [1, 2] as const) await publisher.publishDone({ topic: 'a', qos, dup: true })
        expect([await client.next(), await client.next()].map(({ bytes }) => bytes[0])).toEqual(firstBytes)
      }
    }
  },
)

test('only topics that the filter matches are delivered', { tags: ['MQTT3-3.3.2-3'] }, async () => {
  const server = await startBroker()
  const client = await connectClient(server, 'c')
  await client.subscribe('a/+')
  const publisher = await connectClient(server, 'p')
  for (const topic of ['c', 'a', 'a/b/c', 'b/a', 'A/b', 'a/b']) await publisher.publishDone({ topic })
  expect((await client.nextPublish()).topic).toBe('a/b')
  await client.expectNothing()
})

test(
  'of overlapping subscriptions the highest QoS counts, whichever came first',
  { tags: ['MQTT3-3.3.5-1'] },
  async () => {
    const server = await startBroker()
    const wishes = [
      ['a/#', 0],
      ['a/+', 2],
      ['a/b', 1],
    ] as const
    for (const connect of [connectClient, connectLasting]) {
      for (const [clientId, order] of [
        ['ascending', wishes],
        ['descending', wishes.toReversed()],
      ] as const) {
        const client = await connect(server, clientId)
        await client.subscribe(...order)
        await server.broker.publish({ topic: 'a/b', qos: 2, payload: 'x' })
        expect(await client.nextPublish()).toMatchObject({ qos: 2, payload: 'x' })
      }
    }
  },
)

test(
  'a PUBLISH that is not authorised is acknowledged or the connection closed, and nobody gets it',
  { tags: ['MQTT3-3.3.5-2'] },
  async () => {
    const server = await startBroker({
      authorizePublish: (_client, packetOfPublish) => {
        if (packetOfPublish.topic === 'no') throw new Error('not for you')
      },
    })
    const watcher = await connectWatcher(server)
    for (const qos of [0, 1, 2] as const) {
      const client = await connectClient(server, 'c')
      client.send(publish({ version: 4, topic: 'no', qos, id: 7, retain: true, payload: 'secret' }), disconnect())
      const acknowledged = { 0: [], 1: ['40020007'], 2: ['50020007'] }[qos]
      expect([[], acknowledged]).toContainEqual(hex(await client.closed()))
    }
    await watcher.subscribe('no')
    await watcher.expectNothing()
  },
)

test(
  'a QoS 1 identifier that was acknowledged is a new message when it comes again, whatever its DUP',
  { tags: ['MQTT3-4.3.2-2'] },
  async () => {
    const server = await startBroker()
    const watcher = await connectWatcher(server)
    const client = await connectLasting(server, 'c')
    for (const [payload, dup] of [
      ['one', false],
      ['two', true],
      ['three', false],
    ] as const) {
      client.publish({ topic: 'a', qos: 1, id: 7, dup, payload })
      await client.nextAck('puback', 7)
      expect((await watcher.nextPublish()).payload).toBe(payload)
    }
  },
)
