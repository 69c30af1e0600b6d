import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { readAcknowledgement, readPublish } from './support/frame.ts'
import { property } from './support/property.ts'
import { Random } from './support/random.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { puback, pubcomp, publish, pubrec, pubrel } from './support/wire.ts'
import type { FilterWish, QoS } from './support/wire.ts'

/** Messages of one publisher. */
const count = 200

/** QoS of the message with this index. */
type QoSPlan = (index: number) => QoS

const plans: readonly { readonly name: string; readonly plan: QoSPlan }[] = [
  { name: 'QoS 0', plan: () => 0 },
  { name: 'QoS 1', plan: () => 1 },
  { name: 'QoS 2', plan: () => 2 },
  { name: 'mixed QoS', plan: seeded([0, 1, 2]) },
]
/** What an offline session keeps. */
const keptPlans = [...plans.slice(1, 3), { name: 'mixed QoS', plan: seeded([1, 2]) }]

function seeded(levels: readonly QoS[]): QoSPlan {
  const random = new Random(46)
  const drawn = Array.from({ length: 2 * count }, () => random.pick(levels))
  return index => drawn[index] ?? 0
}

interface Numbered {
  readonly publisher: string
  readonly index: number
  readonly topic: string
  readonly qos: QoS
}

/** What a publisher sends: five to a topic that all publishers share, five to its own, and so on. */
function numbered(publisher: string, plan: QoSPlan, from = 0): readonly Numbered[] {
  return Array.from({ length: count }, (_, offset) => {
    const index = from + offset
    return { publisher, index, topic: index % 10 < 5 ? 'n/all' : `n/${publisher}`, qos: plan(index) }
  })
}

/** Sends all at once, and takes every acknowledgement to the end of each flow; then everything has been routed. */
async function sendAll(publisher: RawClient, messages: readonly Numbered[]): Promise<void> {
  const { version } = publisher
  const frames = messages.map(({ topic, qos, index }, offset) =>
    publish({ version, topic, qos, id: offset + 1, payload: `${publisher.clientId} ${index} ${qos}` }),
  )
  publisher.send(...frames)
  let unfinished = messages.filter(({ qos }) => qos > 0).length
  while (unfinished > 0) {
    const frame = await publisher.next()
    if (frame.type === 'pubrec') publisher.send(pubrel(readAcknowledgement(frame, 'pubrec', version).id))
    else unfinished -= 1
  }
  await publisher.ping()
}

/** Takes this many messages, acknowledging each, and then nothing more may be there. */
async function receiveAll(subscriber: RawClient, expected: number): Promise<readonly Numbered[]> {
  const received: Numbered[] = []
  let unreleased = 0
  while (received.length < expected || unreleased > 0) {
    const frame = await subscriber.next()
    if (frame.type === 'pubrel') {
      unreleased -= 1
      subscriber.send(pubcomp(readAcknowledgement(frame, 'pubrel', subscriber.version).id))
      continue
    }
    const { topic, qos, id, payload } = readPublish(frame, subscriber.version)
    const [publisher = '', index, publishedQoS] = payload.split(' ')
    received.push({ publisher, index: Number(index), topic, qos: Number(publishedQoS) as QoS })
    if (qos === 1) subscriber.send(puback(id))
    if (qos === 2) {
      unreleased += 1
      subscriber.send(pubrec(id))
    }
  }
  await subscriber.expectNothing()
  return received
}

/** The numbers of each publisher, topic and published QoS, in their order. */
function sequences(messages: readonly Numbered[]): Readonly<Record<string, readonly number[]>> {
  const found: Record<string, number[]> = {}
  for (const { publisher, index, topic, qos } of messages) {
    const key = `${publisher} to ${topic} at QoS ${qos}`
    found[key] = [...(found[key] ?? []), index]
  }
  return found
}

const publisherNames = ['p', 'q', 'r'] as const

/** Publishers of both versions, whatever the subscriber's. */
function connectPublishers(server: TestBroker): Promise<readonly RawClient[]> {
  return Promise.all(
    publisherNames.map((clientId, index) => server.connect({ version: index % 2 === 0 ? 4 : 5, clientId })),
  )
}

/** All publishers send at the same time. Answers everything that was sent. */
async function sendFromAll(publishers: readonly RawClient[], plan: QoSPlan, from = 0): Promise<readonly Numbered[]> {
  const batches = publishers.map(publisher => numbered(publisher.clientId, plan, from))
  await Promise.all(publishers.map((publisher, index) => sendAll(publisher, batches[index] ?? [])))
  return batches.flat()
}

/** The part of `messages` that these filters match. */
function matching(messages: readonly Numbered[], filters: readonly FilterWish[]): readonly Numbered[] {
  const all = filters.some(([filter]) => String(filter).endsWith('#') || String(filter).endsWith('+'))
  return all ? messages : messages.filter(({ topic }) => filters.some(([filter]) => filter === topic))
}

/** Exact filters, wildcards, both at once, and granted QoS below the published one. */
const subscribers: readonly (readonly FilterWish[])[] = [
  [['n/all', 2]],
  [['n/p', 2]],
  [['n/+', 2]],
  [['#', 2]],
  [
    ['n/#', 1],
    ['n/q', 2],
  ],
  [['n/+', 1]],
  [['n/+', 0]],
]

eachVersion(({ version, lasting, test }) => {
  describe.each(plans)('at $name', ({ plan }) => {
    test(
      'messages of several publishers reach exact and wildcard subscribers in the order of each publisher and topic',
      { tags: ['MQTT5-4.6.0-5', 'MQTT5-4.6.0-6', 'MQTT3-4.6.0-5', 'MQTT3-4.6.0-6'] },
      async () => {
        const server = await startBroker()
        const receivers = await Promise.all(
          subscribers.map(async (filters, index) => {
            // Packets for a client with a limit are made one by one instead of being passed on as they came.
            const properties = version === 5 && index % 2 === 1 ? property.maximumPacketSize(1000) : []
            const client = await server.connect({ version, clientId: `s${index}`, properties })
            await client.subscribe(...filters)
            return { client, filters }
          }),
        )
        const sent = await sendFromAll(await connectPublishers(server), plan)
        for (const { client, filters } of receivers) {
          const wanted = matching(sent, filters)
          expect(sequences(await receiveAll(client, wanted.length))).toEqual(sequences(wanted))
        }
      },
    )

    test(
      'the order is kept when most messages have to wait for room in the window of the subscriber',
      { tags: ['MQTT5-4.6.0-6', 'MQTT3-4.6.0-6'] },
      async () => {
        const server = await startBroker({ maximumInflight: 3 })
        const volatile = await server.connect({ version, clientId: 'volatile' })
        const stored = await server.connect({ ...lasting, clientId: 'stored' })
        for (const client of [volatile, stored]) await client.subscribe(['n/+', 2])
        const sent = await sendFromAll(await connectPublishers(server), plan)
        for (const client of [volatile, stored]) {
          expect(sequences(await receiveAll(client, sent.length))).toEqual(sequences(sent))
        }
      },
    )

    test(
      'the order is kept when the hook that permits a message takes longer for some than for others',
      { tags: ['MQTT5-4.6.0-6', 'MQTT3-4.6.0-6'] },
      async () => {
        const random = new Random(6)
        const server = await startBroker({
          authorizePublish: async () => {
            for (let turns = random.below(3); turns > 0; turns -= 1) await nextTurn()
          },
        })
        const client = await server.connect({ version, clientId: 's' })
        await client.subscribe(['n/+', 2])
        const sent = await sendFromAll(await connectPublishers(server), plan)
        expect(sequences(await receiveAll(client, sent.length))).toEqual(sequences(sent))
      },
    )
  })

  describe.each(keptPlans)('at $name', ({ plan }) => {
    test(
      'what waited for an offline session comes in order, and before what is published later',
      { tags: ['MQTT5-4.6.0-5', 'MQTT5-4.6.0-6', 'MQTT3-4.6.0-5', 'MQTT3-4.6.0-6'] },
      async () => {
        const server = await startBroker({ maximumInflight: 50 })
        for (const [clientId, filter] of [
          ['exact', 'n/all'],
          ['wildcard', 'n/#'],
        ] as const) {
          const client = await server.connect({ ...lasting, clientId })
          await client.subscribe([filter, 2])
          await server.drop(client)
        }
        const publishers = await connectPublishers(server)
        const waiting = await sendFromAll(publishers, plan)
        for (const [clientId, filter] of [
          ['exact', 'n/all'],
          ['wildcard', 'n/#'],
        ] as const) {
          const wanted = matching(waiting, [[filter, 2]])
          const client = await server.connect({ ...lasting, clientId })
          expect(client.connack.sessionPresent).toBe(true)
          expect(sequences(await receiveAll(client, wanted.length))).toEqual(sequences(wanted))
        }
      },
    )

    test(
      'messages that are published while a resumed session still takes what waited come after that',
      { tags: ['MQTT5-4.6.0-6', 'MQTT3-4.6.0-6'] },
      async () => {
        const server = await startBroker({ maximumInflight: 10 })
        const before = await server.connect({ ...lasting, clientId: 's' })
        await before.subscribe(['n/+', 2])
        await server.drop(before)
        const publishers = await connectPublishers(server)
        const waiting = await sendFromAll(publishers, plan)
        const client = await server.connect({ ...lasting, clientId: 's' })
        const [received, live] = await Promise.all([
          receiveAll(client, 2 * waiting.length),
          sendFromAll(publishers, plan, count),
        ])
        expect(sequences(received)).toEqual(sequences([...waiting, ...live]))
      },
    )
  })

  test(
    'a subscriber that reads late gets every message of every QoS in order, its publishers waiting for it',
    { tags: ['MQTT5-4.6.0-6', 'MQTT3-4.6.0-6'] },
    async () => {
      // The clock stands still, so the pause of the publishers does not end before the subscriber has drained.
      const server = await startBrokerWithClock({ outboxHighWaterMark: 65_536 })
      const client = await server.connect({ version, clientId: 's' })
      await client.subscribe(['n/+', 2])
      const publisher = await server.connect({ version, clientId: 'p' })
      client.pause()
      const sent: Numbered[] = [...numbered('p', seeded([0, 1, 2]))]
      const publishOwn = async (padding: string): Promise<void> => {
        const index = sent.length
        sent.push({ publisher: 'program', index, topic: 'n/program', qos: 0 })
        await server.broker.publish({ topic: 'n/program', payload: `program ${index} 0 ${padding}` })
        await nextTurn()
      }
      const waiting = (): number => server.broker.client('s')?.conn.writableLength ?? 0
      while (waiting() <= 65_536) await publishOwn('x'.repeat(200_000))
      const sending = sendAll(publisher, sent.slice(0, count))
      for (let round = 0; round < 20; round += 1) await publishOwn('')
      client.resume()
      expect(sequences(await receiveAll(client, sent.length))).toEqual(sequences(sent))
      await sending
    },
  )

  test(
    'unacknowledged messages are sent again in the order they were sent first, with what never was sent behind them',
    { tags: ['MQTT3-4.6.0-1'] },
    async () => {
      const server = await startBroker({ maximumInflight: count / 2 })
      const client = await server.connect({ ...lasting, clientId: 's' })
      await client.subscribe(['n/+', 2])
      const publisher = await server.connect({ version, clientId: 'p' })
      await sendAll(publisher, numbered('p', seeded([1, 2])))
      const first = await client.nextPublishes(count / 2)
      await server.drop(client)
      const again = await server.connect({ ...lasting, clientId: 's' })
      const repeated = await again.nextPublishes(count / 2)
      expect(repeated.map(({ payload }) => payload)).toEqual(first.map(({ payload }) => payload))
      expect(repeated.map(({ id }) => id)).toEqual(first.map(({ id }) => id))
      for (const { dup } of repeated) expect(dup).toBe(true)
      again.send(...repeated.map(({ id, qos }) => (qos === 1 ? puback(id) : pubrec(id))))
      const released = repeated.filter(({ qos }) => qos === 2).map(({ id }) => id)
      const rest: number[] = []
      while (released.length > 0 || rest.length < count / 2) {
        const frame = await again.next()
        if (frame.type === 'pubrel') {
          const id = released.shift() ?? 0
          expect(readAcknowledgement(frame, 'pubrel', version).id).toBe(id)
          again.send(pubcomp(id))
        } else rest.push(Number(readPublish(frame, version).payload.split(' ')[1]))
      }
      expect(rest).toEqual(Array.from({ length: count / 2 }, (_, index) => count / 2 + index))
    },
  )

  test(
    'PUBRELs come in the order of the PUBRECs, which need not be that of the messages',
    { tags: ['MQTT3-4.6.0-4'] },
    async () => {
      const server = await startBroker()
      const client = await server.connect({ ...lasting, clientId: 's' })
      await client.subscribe(['n/+', 2])
      const publisher = await server.connect({ version, clientId: 'p' })
      await sendAll(
        publisher,
        numbered('p', () => 2),
      )
      const random = new Random(4)
      const ids = (await client.nextPublishes(count)).map(({ id }) => id)
      const shuffled = ids.map(id => ({ id, rank: random.next() })).toSorted((a, b) => a.rank - b.rank)
      client.send(...shuffled.map(({ id }) => pubrec(id)))
      for (const { id } of shuffled) await client.nextAck('pubrel', id)
      client.send(...ids.map(id => pubcomp(id)))
      await client.expectNothing()
    },
  )
})
