import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { ThroughputScenario } from '../scenarios.ts'
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
import { type LoadPlan, type Round, measureRate, quietPeriod } from './measure.ts'
import type { LoadResult } from './result.ts'

const openConcurrency = 100
/** ms. */
const probeInterval = 50
/** Bytes per publisher and turn at QoS 0: one publisher fills its socket, a hundred share the turn. */
const blockBytesAlone = 65_536
const blockBytesTogether = 8192
/** Different QoS 0 messages per publisher, sent round and round. */
const ringFrames = 1000
/** Of larger messages there are fewer. */
const ringBytes = 32 * 2 ** 20

/** Measures deliveries, or acknowledgements without subscriber, per second. */
export async function measureThroughput(scenario: ThroughputScenario, plan: LoadPlan): Promise<LoadResult> {
  const deliveries = new Tally()
  const acks = new Tally()
  await openSubscribers(scenario, plan.subscriberPort ?? plan.port, deliveries)
  const publishers = await openPublishers(scenario, plan.port, acks)
  if (scenario.bridged === true) await awaitBridge(plan.port, deliveries)
  const { publishers: publisherCount, deliveriesPerMessage, qos } = scenario
  const main = deliveriesPerMessage === 0 ? acks : deliveries

  const runRound = async (count: number): Promise<Round> => {
    deliveries.reset()
    acks.reset()
    const published = count * publisherCount
    const expected = published * (deliveriesPerMessage || 1)
    const startedAt = performance.now()
    for (const publisher of publishers) publisher.start(count)
    const outcome = await settle(
      [
        { tally: deliveries, total: published * deliveriesPerMessage },
        { tally: acks, total: qos === 0 ? 0 : published },
      ],
      plan.capSeconds,
    )
    const endedAt = outcome === 'capped' ? performance.now() : main.lastAt
    const delivered = main.count
    return { seconds: (endedAt - startedAt) / 1000, expected, delivered, outcome }
  }
  const result = await measureRate(plan, deliveriesPerMessage === 0 ? 'acks/s' : 'msg/s', runRound)
  if (result.delivered !== result.expected) return result
  await quietPeriod()
  const duplicates = main.count - result.expected
  return duplicates === 0
    ? result
    : { ...result, delivered: main.count, notes: [...result.notes, `${duplicates} messages too many`] }
}

/** Sends messages that nobody keeps until one has arrived: then the bridge stands. */
async function awaitBridge(port: number, deliveries: Tally): Promise<void> {
  const client = await Client.open({ port, clientId: 'probe' })
  const frame = publishFrame({
    version: 4,
    topic: 'bench/topic',
    payload: Buffer.from('probe'),
    qos: 0,
    packetId: 0,
    userProperties: [],
  })
  deliveries.reset()
  while (deliveries.count === 0) {
    client.write(frame)
    await wait(probeInterval)
  }
  await client.disconnect()
  await quietPeriod()
}

/** The topic that the publisher with this index publishes its message number `message` to. */
function topicOf(scenario: ThroughputScenario, index: number, message = 0): string {
  switch (scenario.topics) {
    case 'one':
      return 'bench/topic'
    case 'each':
      return `bench/topic/${index}`
    case '1000 in turns':
      return `bench/topic/${1000 + (message % 1000)}`
    default:
      return scenario.topics satisfies never
  }
}

async function openSubscribers(scenario: ThroughputScenario, port: number, deliveries: Tally): Promise<void> {
  const { subscribers, version, qos, filter, transport } = scenario
  const clients = await openClients(subscribers, openConcurrency, index => ({
    port,
    version,
    transport,
    clientId: `subscriber-${index}`,
    deliveries,
  }))
  for (const [index, client] of clients.entries()) {
    const own = filter === 'own topic' ? topicOf(scenario, index) : filter
    await client.request(subscribeFrame(version, [own], qos))
  }
}

async function openPublishers(scenario: ThroughputScenario, port: number, acks: Tally): Promise<Publisher[]> {
  const { publishers, version, qos, payloadBytes, inFlight, transport } = scenario
  const clients = await openClients(publishers, openConcurrency, index => ({
    port,
    version,
    transport,
    clientId: `publisher-${index}`,
  }))
  const userProperties = Array.from(
    { length: scenario.userProperties },
    (_, index) => [`property-${index}`, `value of property ${index}`] as const,
  )
  const blockBytes = publishers === 1 ? blockBytesAlone : blockBytesTogether
  const frameCount = qos === 0 ? Math.min(ringFrames, Math.ceil(ringBytes / payloadBytes)) : inFlight
  return clients.map((client, index) => {
    const frames = Array.from({ length: frameCount }, (_, place) => {
      // No two messages in a ring are the same: a broker must not gain by comparing them.
      const payload = Buffer.alloc(payloadBytes, `${place} of ${index} `)
      const topic = topicOf(scenario, index, place)
      return publishFrame({ version, topic, payload, qos, packetId: place + 1, userProperties })
    })
    return qos === 0
      ? new FloodPublisher(client, new FrameRing(frames, blockBytes))
      : new WindowPublisher(client, acks, frames)
  })
}
