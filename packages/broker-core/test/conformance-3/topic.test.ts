import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { filterCases } from './topic.cases.ts'
import { connectClient, connectLasting, connectWatcher, testConnected } from './wire-case.ts'

testConnected(filterCases)

/** Which of these topics each filter matches. */
const topics = ['a', 'a/', 'a/b', 'a/b/c', '/', '/a', 'b', 'b/a', 'A', '$t', '$t/a'] as const
const matches: readonly (readonly [filter: string, topics: readonly string[]])[] = [
  ['#', ['a', 'a/', 'a/b', 'a/b/c', '/', '/a', 'b', 'b/a', 'A']],
  ['a/#', ['a', 'a/', 'a/b', 'a/b/c']],
  ['a/b/#', ['a/b', 'a/b/c']],
  ['+', ['a', 'b', 'A']],
  ['+/+', ['a/', 'a/b', '/', '/a', 'b/a']],
  ['a/+', ['a/', 'a/b']],
  ['+/a', ['/a', 'b/a']],
  ['/+', ['/', '/a']],
  ['+/#', ['a', 'a/', 'a/b', 'a/b/c', '/', '/a', 'b', 'b/a', 'A']],
  ['$t/#', ['$t', '$t/a']],
  ['$t/+', ['$t/a']],
]

for (const [name, connect] of [
  ['clean', connectClient],
  ['stored', connectLasting],
] as const) {
  test(
    `in a ${name} session each filter gets the topics it matches, and $ topics only if it names the $`,
    { tags: ['MQTT3-4.7.1-2', 'MQTT3-4.7.1-3', 'MQTT3-4.7.2-1', 'MQTT3-3.3.2-3'] },
    async () => {
      const server = await startBroker()
      const clients = await Promise.all(
        matches.map(async ([filter, expected], index) => {
          const client = await connect(server, `c${index}`)
          await client.subscribe([filter, 1])
          return { client, filter, expected }
        }),
      )
      const publisher = await connectClient(server, 'p')
      for (const topic of topics) await publisher.publishDone({ topic, qos: 1 })
      for (const { client, filter, expected } of clients) {
        const got = (await client.nextPublishes(expected.length)).map(({ topic }) => topic)
        expect(got, filter).toEqual(expected)
        await client.expectNothing()
      }
    },
  )
}

test(
  'retained messages are matched in the same way',
  { tags: ['MQTT3-4.7.1-2', 'MQTT3-4.7.1-3', 'MQTT3-4.7.2-1', 'MQTT3-3.3.1-6'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    for (const topic of topics) await publisher.publishDone({ topic, retain: true, payload: 'x' })
    const client = await connectClient(server, 'c')
    for (const [filter, expected] of matches) {
      await client.subscribe(filter)
      const got = (await client.nextPublishes(expected.length)).map(({ topic }) => topic)
      expect(got.toSorted(), filter).toEqual(expected.toSorted())
      await client.expectNothing()
    }
  },
)

test('$SYS topics do not come to filters that begin with a wildcard', { tags: ['MQTT3-4.7.2-1'] }, async () => {
  const server = await startBroker()
  const watcher = await connectWatcher(server)
  const reader = await connectClient(server, 'r')
  await reader.subscribe('$SYS/x')
  await server.broker.publish({ topic: '$SYS/x' })
  expect((await reader.nextPublish()).topic).toBe('$SYS/x')
  await watcher.expectNothing()
})

test(
  'topics and filters are compared as they are, without any normalising',
  { tags: ['MQTT3-4.7.3-4', 'MQTT3-1.5.3-3'] },
  async () => {
    const server = await startBroker()
    const publisher = await connectClient(server, 'p')
    const names = [
      'a',
      'A',
      '/a',
      'a/',
      'a//b',
      'a/b',
      ' a',
      'e\u0301',
      '\u00e9',
      'x',
      '\ufeffx',
      '\u212b',
      '\u00c5',
      '__proto__',
    ]
    const clients = await Promise.all(
      names.map(async (name, index) => {
        const client = await connectClient(server, `c${index}`)
        await client.subscribe(name)
        return { client, name }
      }),
    )
    for (const topic of names) await publisher.publishDone({ topic })
    for (const { client, name } of clients) {
      expect((await client.nextPublish()).topic).toBe(name)
      await client.expectNothing()
    }
  },
)

test(
  'the bytes EF BB BF are a character like others, sent back as they came',
  { tags: ['MQTT3-1.5.3-3'] },
  async () => {
    const server = await startBroker()
    const topic = Buffer.of(0xef, 0xbb, 0xbf, 0x78)
    const client = await connectClient(server, 'c')
    const plain = await connectClient(server, 'plain')
    await client.subscribe([topic, 0])
    await plain.subscribe('x')
    const publisher = await connectClient(server, 'p')
    await publisher.publishDone({ topic, retain: true, payload: '!' })
    expect((await client.next()).bytes.toString('hex')).toBe('30070004efbbbf7821')
    await client.subscribe([topic, 0])
    expect((await client.next()).bytes.toString('hex')).toBe('31070004efbbbf7821')
    await plain.expectNothing()
  },
)

test('topic and filter of 65535 bytes are delivered', { tags: ['MQTT3-4.7.3-3'] }, async () => {
  const server = await startBroker()
  const client = await connectClient(server, 'c')
  const topic = 'x'.repeat(65_535)
  const wildcard = `${'y'.repeat(65_533)}/+`
  expect((await client.subscribe([topic, 1], [wildcard, 1])).reasonCodes).toEqual([1, 1])
  const publisher = await connectClient(server, 'p')
  await publisher.publishDone({ topic, qos: 1, payload: '!' })
  await publisher.publishDone({ topic: `${'y'.repeat(65_533)}/z`, qos: 1, payload: '?' })
  expect((await client.nextPublishes(2)).map(({ topic: { length }, payload }) => [length, payload])).toEqual([
    [65_535, '!'],
    [65_535, '?'],
  ])
  await client.unsubscribe(topic)
  await publisher.publishDone({ topic, qos: 1 })
  await client.expectNothing()
})
