import { performance } from 'node:perf_hooks'
import type { ThroughputScenario } from '../scenarios.ts'
import { openClients } from './client.ts'
import { publishFrame, subscribeFrame } from './frames.ts'
import { type LoadPlan, type Round, measureRate, quietPeriod } from './measure.ts'
import { FloodPublisher, type Publisher, SameFrame, WindowPublisher } from './publisher.ts'
import type { LoadResult } from './result.ts'
import { Tally, settle } from './tally.ts'

const openConcurrency = 100
/** Bytes per publisher and turn at QoS 0: one publisher fills its socket, a hundred share the turn. */
const blockBytesAlone = 65_536
const blockBytesTogether = 8192

/** Measures deliveries, or acknowledgements without subscriber, per second. */
export async function measureThroughput(scenario: ThroughputScenario, plan: LoadPlan): Promise<LoadResult> {
  const deliveries = new Tally()
  const acks = new Tally()
  await openSubscribers(scenario, plan.port, deliveries)
  const publishers = await openPublishers(scenario, plan.port, acks)
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

function topicOf(scenario: ThroughputScenario, index: number): string {
  return scenario.topics === 'one' ? 'bench/topic' : `bench/topic/${index}`
}

async function openSubscribers(scenario: ThroughputScenario, port: number, deliveries: Tally): Promise<void> {
  const { subscribers, version, qos, filter } = scenario
  const clients = await openClients(subscribers, openConcurrency, index => ({
    port,
    version,
    clientId: `subscriber-${index}`,
    deliveries,
  }))
  for (const [index, client] of clients.entries()) {
    const own = filter === 'own topic' ? topicOf(scenario, index) : filter
    await client.request(subscribeFrame(version, [own], qos))
  }
}

async function openPublishers(scenario: ThroughputScenario, port: number, acks: Tally): Promise<Publisher[]> {
  const { publishers, version, qos, payloadBytes, inFlight } = scenario
  const clients = await openClients(publishers, openConcurrency, index => ({
    port,
    version,
    clientId: `publisher-${index}`,
  }))
  const payload = Buffer.alloc(payloadBytes, 'x')
  const userProperties = Array.from(
    { length: scenario.userProperties },
    (_, index) => [`property-${index}`, `value of property ${index}`] as const,
  )
  const blockBytes = publishers === 1 ? blockBytesAlone : blockBytesTogether
  return clients.map((client, index) => {
    const common = { version, topic: topicOf(scenario, index), payload, qos, userProperties }
    if (qos === 0) return new FloodPublisher(client, new SameFrame(publishFrame(common), blockBytes))
    const window = Array.from({ length: inFlight }, (_, place) => publishFrame({ ...common, packetId: place + 1 }))
    return new WindowPublisher(client, acks, window)
  })
}
