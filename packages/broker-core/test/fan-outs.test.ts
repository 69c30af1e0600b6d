import { expect, test } from 'vitest'
import { readPublish } from './support/frame.ts'
import { HeldStream } from './support/held-stream.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, publish, subscribe } from './support/wire.ts'
import type { Version } from './support/wire.ts'

/** More than a message is sent to at once. */
const crowd = 1200

/** ms of a turn in which packets are acted on. */
const turnBudget = 8

async function turns(number: number): Promise<void> {
  for (let turn = 0; turn < number; turn += 1) await new Promise(setImmediate)
}

/** - `message`: each message is looked at, for each receiver
 * - `run`: messages of QoS 0 are forwarded in runs */
type Way = 'message' | 'run'

/** A broker whose hook takes the time of the turn while something is on its way to the crowd. */
async function startSlowBroker(way: Way): Promise<TestBroker> {
  const takeTime = ({ id }: { readonly id: string }): void => {
    const isSlow = id === 'r100' || id === 'r400'
    for (const end = performance.now() + turnBudget + 2; isSlow && performance.now() < end;);
  }
  if (way === 'message') {
    return startBroker({
      authorizeForward: (client, packet) => {
        takeTime(client)
        return packet
      },
    })
  }
  return startBroker({
    topicAccess: {
      mayPublish: () => true,
      mayReceive: client => {
        takeTime(client)
        return true
      },
    },
  })
}

async function connected(
  server: TestBroker,
  clientId: string,
  { version, chunk = Buffer.alloc(0) }: { version: Version; chunk?: Buffer },
): Promise<HeldStream> {
  const stream = new HeldStream()
  stream.flowing = true
  server.broker.handle(stream)
  stream.push(Buffer.concat([connect({ clientId, version }), chunk]))
  await turns(1)
  return stream
}

interface Crowd {
  readonly last: HeldStream
  readonly all: readonly HeldStream[]
}

async function untilSubscribed(streams: readonly HeldStream[]): Promise<void> {
  for (const stream of streams) while (!stream.frames().some(({ type }) => type === 'suback')) await turns(1)
}

/** Many who subscribe to everything with this maximum QoS. */
async function gather(server: TestBroker, version: Version, qos: 0 | 1 | 2): Promise<Crowd> {
  const chunk = subscribe({ version, id: 1, filters: [['#', qos]] })
  const all = await Promise.all(
    Array.from({ length: crowd }, async (_, index) => connected(server, `r${index}`, { version, chunk })),
  )
  await untilSubscribed(all)
  const last = all.at(-1)
  if (last === undefined) throw new Error('nobody came')
  return { last, all }
}

/** Until some of the crowd have a message, and some have not. */
async function untilCut(server: TestBroker, act: () => void): Promise<void> {
  const before = server.broker.counters.publishesSent
  act()
  let sent = 0
  while (sent === 0) {
    await new Promise<void>(resolve => {
      process.nextTick(resolve)
    })
    sent = server.broker.counters.publishesSent - before
  }
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(crowd)
}

/** The payloads of so many messages, in the order in which they come. */
async function allPayloads(stream: HeldStream, version: Version, count: number): Promise<readonly string[]> {
  const payloads: string[] = []
  for (;;) {
    const publishes = stream.frames().filter(({ type }) => type === 'publish')
    payloads.push(...publishes.map(frame => readPublish(frame, version).payload))
    if (payloads.length >= count) return payloads
    await turns(1)
  }
}

for (const version of [4, 5] as const) {
  for (const [qos, way] of [
    [0, 'run'],
    [0, 'message'],
    [1, 'message'],
    [2, 'message'],
  ] as const) {
    test(`MQTT ${version}, QoS ${qos}, by ${way}: what several publish to very many comes to all of them in one order`, async () => {
      const server = await startSlowBroker(way)
      const { last, all } = await gather(server, version, qos)
      const [one, other] = [await connected(server, 'one', { version }), await connected(server, 'other', { version })]
      const message = (topic: string, payload: string, id: number): Buffer =>
        publish({ version, topic, qos, id, payload })
      await untilCut(server, () =>
        one.push(Buffer.concat([message('s', 'a1', 1), message('s', 'a2', 2), message('t', 'a3', 3)])),
      )
      other.push(Buffer.concat([message('s', 'b1', 1), message('s', 'b2', 2)]))
      const published = server.broker.publish({ topic: 's', payload: 'c1', qos })
      const seen = await allPayloads(last, version, 6)
      await published
      expect(seen.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1'])
      expect(seen.filter(payload => payload.startsWith('a'))).toEqual(['a1', 'a2', 'a3'])
      expect(seen.indexOf('b1')).toBeLessThan(seen.indexOf('b2'))
      // On `t` nobody else publishes: there is no order between that and the others.
      const onTopic = seen.filter(payload => payload !== 'a3')
      for (const stream of all.slice(0, -1)) {
        expect((await allPayloads(stream, version, 6)).filter(payload => payload !== 'a3')).toEqual(onTopic)
      }
    })
  }
}

test.each([
  ['the publisher', 'message'],
  ['the publisher', 'run'],
  ['a receiver', 'message'],
  ['a receiver', 'run'],
] as const)(
  'what is on its way to very many when %s leaves comes to the others, by %s, and keeps nothing back',
  async (who, way) => {
    const server = await startSlowBroker(way)
    const { last, all } = await gather(server, 4, 0)
    const publisher = await connected(server, 'p', { version: 4 })
    await untilCut(server, () => publisher.push(publish({ version: 4, topic: 's', payload: 'a' })))
    const left = server.gone(who === 'the publisher' ? 'p' : `r${crowd - 2}`)
    const leaving = who === 'the publisher' ? publisher : all.at(-2)
    leaving?.destroy()
    await left
    await server.broker.publish({ topic: 's', payload: 'b' })
    expect(await allPayloads(last, 4, 2)).toEqual(['a', 'b'])
  },
)

test.each(['message', 'run'] as const)(
  'by %s: what waits behind a message to very many does not follow what its client publishes on its next connection',
  async way => {
    const server = await startSlowBroker(way)
    const { last } = await gather(server, 4, 0)
    const publisher = await connected(server, 'p', { version: 4 })
    const messages = ['s', 't'].map(topic => publish({ version: 4, topic, payload: `${topic} of before` }))
    await untilCut(server, () => publisher.push(Buffer.concat(messages)))
    const chunk = publish({ version: 4, topic: 't', payload: 't of now' })
    await connected(server, 'p', { version: 4, chunk })
    const end = await connected(server, 'q', { version: 4 })
    end.push(publish({ version: 4, topic: 's', payload: 'end' }))
    const seen = [...(await allPayloads(last, 4, 3))]
    expect(seen.toSorted()).toEqual(['end', 's of before', 't of now'])
  },
)

test('many small messages to receivers that take topic aliases give way as well', async () => {
  const server = await startBroker()
  const properties = [0x22, 0, 10]
  const streams: HeldStream[] = []
  while (streams.length < 500) {
    const stream = new HeldStream()
    stream.flowing = true
    server.broker.handle(stream)
    const subscribing = subscribe({ version: 5, id: 1, filters: [['s', 0]] })
    stream.push(Buffer.concat([connect({ clientId: `r${streams.length}`, version: 5, properties }), subscribing]))
    streams.push(stream)
  }
  await untilSubscribed(streams)
  const publisher = await connected(server, 'p', { version: 5 })
  const before = server.broker.counters.turnsYielded
  publisher.push(Buffer.concat(Array.from({ length: 400 }, () => publish({ version: 5, topic: 's', payload: '' }))))
  await turns(1)
  const sent = server.broker.counters.publishesSent
  expect(sent).toBeLessThan(200_000)
  while (server.broker.counters.publishesSent < 200_000) await turns(1)
  expect(server.broker.counters.turnsYielded).toBeGreaterThan(before)
})

test('a large message gives way after 2 MiB of copies, not only after 16', async () => {
  const server = await startBroker({
    authorizeForward: (_client, packet) => {
      for (const end = performance.now() + 1; performance.now() < end;);
      return packet
    },
  })
  const payload = 'x'.repeat(200_000)
  const chunk = subscribe({ version: 4, id: 1, filters: [['#', 0]] })
  const all = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => connected(server, `r${index}`, { version: 4, chunk })),
  )
  await untilSubscribed(all)
  const publisher = await connected(server, 'p', { version: 4 })
  publisher.push(publish({ version: 4, topic: 's', payload, retain: true }))
  let sent = 0
  while (sent === 0) {
    await new Promise<void>(resolve => {
      process.nextTick(resolve)
    })
    sent = server.broker.counters.publishesSent
  }
  // The budget of a turn, which begins with the first look at the clock, is over in the second step.
  expect(sent).toBeLessThanOrEqual((2 * 2 ** 21) / payload.length)
  for (const stream of all) expect(await allPayloads(stream, 4, 1)).toEqual([payload])
})

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: a message to very many shared groups gives way, and comes to each of them once`, async () => {
    let forwarded = 0
    const server = await startBroker({
      authorizeForward: (_client, packet) => {
        forwarded += 1
        const isSlow = forwarded === 100 || forwarded === 400
        for (const end = performance.now() + turnBudget + 2; isSlow && performance.now() < end;);
        return packet
      },
    })
    const members = await Promise.all(
      ['one', 'two', 'three'].map(async clientId => connected(server, clientId, { version })),
    )
    members.forEach((member, index) => {
      const filters = Array.from({ length: crowd / 3 }, (_, group) => [`$share/${index}-${group}/s`, 1] as const)
      member.push(subscribe({ version, id: 1, filters }))
    })
    await untilSubscribed(members)
    const publisher = await connected(server, 'p', { version })
    await untilCut(server, () =>
      publisher.push(
        Buffer.concat([1, 2].map(id => publish({ version, topic: 's', qos: 1, id, payload: `message ${id}` }))),
      ),
    )
    for (const member of members) {
      const payloads = await allPayloads(member, version, (2 * crowd) / 3)
      expect(payloads.filter(payload => payload === 'message 1')).toHaveLength(crowd / 3)
      expect(payloads.filter(payload => payload === 'message 2')).toHaveLength(crowd / 3)
    }
  })
}
