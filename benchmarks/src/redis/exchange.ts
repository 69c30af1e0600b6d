import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import {
  Client,
  FloodPublisher,
  FrameRing,
  openClients,
  type Publisher,
  publishFrame,
  settle,
  subscribeFrame,
  Tally,
  WindowPublisher,
} from '@x/load'
import { type LoadPlan, type Round, measureRate, quietPeriod } from '../load/measure.ts'
import type { LoadResult } from '../load/result.ts'
import { NewTopics, wildcardFilter } from '../load/wildcard.ts'

/** Ports of the publisher's and the subscriber's broker. */
interface Way {
  readonly from: number
  readonly to: number
}

interface Exchange extends Way {
  readonly qos: 0 | 1
  /** Of the subscriber; without it its session is stored. */
  readonly clean: boolean
}

const topic = 'bench/topic'
const inFlight = 100
/** Different QoS 0 messages, sent round and round in blocks of so many bytes. */
const ringFrames = 1000
const blockBytes = 65_536
const wildcardSubscribers = 10
const filtersPerSubscribe = 500
/** Subscriptions of one broker are known to the other one within this time. */
const settleMs = 500

/** Measures deliveries per second from one publisher to one subscriber. */
export async function measureExchange({ qos, clean, from, to }: Exchange, plan: LoadPlan): Promise<LoadResult> {
  const [deliveries, acks] = [new Tally(), new Tally()]
  const subscriber = await Client.open({ port: to, clientId: 'subscriber', clean, deliveries })
  await subscriber.request(subscribeFrame(4, [topic], qos))
  await wait(settleMs)
  const client = await Client.open({ port: from, clientId: 'publisher' })
  const frames = Array.from({ length: qos === 0 ? ringFrames : inFlight }, (_, place) =>
    publishFrame({ version: 4, topic, payload: Buffer.alloc(64, `${place} `), qos, packetId: place + 1 }),
  )
  const publisher: Publisher =
    qos === 0
      ? new FloodPublisher(client, new FrameRing(frames, blockBytes))
      : new WindowPublisher(client, acks, frames)
  return measureRounds(plan, { deliveries, acks, acknowledged: qos > 0, publisher })
}

/** Measures deliveries per second of messages with ever new topics, each of which matches one of many filters. */
export async function measureWildcards(filters: number, { from, to }: Way, plan: LoadPlan): Promise<LoadResult> {
  const [deliveries, acks] = [new Tally(), new Tally()]
  const subscribers = await openClients(wildcardSubscribers, wildcardSubscribers, index => ({
    port: to,
    clientId: `subscriber-${index}`,
    deliveries,
  }))
  for (let first = 0; first < filters; first += filtersPerSubscribe) {
    const count = Math.min(filtersPerSubscribe, filters - first)
    const some = Array.from({ length: count }, (_, index) => wildcardFilter(first + index))
    await subscribers[(first / filtersPerSubscribe) % wildcardSubscribers]?.request(subscribeFrame(4, some, 0))
  }
  await wait(settleMs)
  const client = await Client.open({ port: from, clientId: 'publisher' })
  const publisher = new FloodPublisher(client, new NewTopics(filters))
  return measureRounds(plan, { deliveries, acks, acknowledged: false, publisher })
}

interface Parts {
  readonly deliveries: Tally
  readonly acks: Tally
  readonly acknowledged: boolean
  readonly publisher: Publisher
}

async function measureRounds(plan: LoadPlan, parts: Parts): Promise<LoadResult> {
  const { deliveries, acks, acknowledged, publisher } = parts
  const result = await measureRate(plan, 'msg/s', async (count): Promise<Round> => {
    deliveries.reset()
    acks.reset()
    const startedAt = performance.now()
    publisher.start(count)
    const outcome = await settle(
      [
        { tally: deliveries, total: count },
        { tally: acks, total: acknowledged ? count : 0 },
      ],
      plan.capSeconds,
    )
    const endedAt = outcome === 'capped' ? performance.now() : deliveries.lastAt
    return { seconds: (endedAt - startedAt) / 1000, expected: count, delivered: deliveries.count, outcome }
  })
  if (result.delivered !== result.expected) return result
  await quietPeriod()
  return { ...result, delivered: deliveries.count }
}
