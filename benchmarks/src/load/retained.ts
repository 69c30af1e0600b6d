import { performance } from 'node:perf_hooks'
import { median } from '../statistics.ts'
import type { RetainedScenario } from '../scenarios.ts'
import { type AcknowledgedSource, Client, publishFrame, settle, subscribeFrame, Tally, unsubscribeFrame } from '@x/load'
import type { LoadPlan } from './measure.ts'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult } from './result.ts'

const payload = Buffer.alloc(64, 'x')
/** QoS 1 here only tells when the broker has the messages. */
const inFlight = 100

/** Subscribes over and over, each time waiting for the retained messages. */
class RetainedReader {
  expected = 0
  received = 0
  capped = false
  readonly #client: Client
  readonly #deliveries: Tally
  readonly #capSeconds: number

  constructor(client: Client, deliveries: Tally, capSeconds: number) {
    this.#client = client
    this.#deliveries = deliveries
    this.#capSeconds = capSeconds
  }

  /** Microseconds from writing SUBSCRIBE to the last of `count` retained messages, the median over `filters`. */
  async time(filters: readonly string[], count: number): Promise<number> {
    const times: number[] = []
    for (const filter of filters) {
      this.#deliveries.reset()
      const startedAt = performance.now()
      const answered = this.#client.request(subscribeFrame(4, [filter], 0))
      const outcome = await settle([{ tally: this.#deliveries, total: count }], this.#capSeconds)
      const endedAt = outcome === 'complete' ? this.#deliveries.lastAt : performance.now()
      times.push((endedAt - startedAt) * 1000)
      this.expected += count
      this.received += this.#deliveries.count
      this.capped ||= outcome === 'capped'
      if (outcome !== 'complete') break
      await answered
      await this.#client.request(unsubscribeFrame(4, filter))
    }
    return median(times)
  }
}

/** Measures the time until a new subscriber has one, some and all of the retained messages. */
export async function measureRetained(scenario: RetainedScenario, plan: LoadPlan): Promise<LoadResult> {
  await retainAll(scenario, plan)
  const deliveries = new Tally()
  const client = await Client.open({ port: plan.port, clientId: 'subscriber', deliveries })
  const { firstLevels, secondLevels } = scenario
  const exact = Array.from({ length: 1000 }, (_, index) => `a/${index % firstLevels}/${(index * 7) % secondLevels}`)
  const some = Array.from({ length: 20 }, (_, index) => `a/+/${(index * 3) % secondLevels}`)
  const all = ['#', '#', '#']
  const warmUp = new RetainedReader(client, deliveries, plan.capSeconds)
  await forSeconds(plan.warmUpSeconds, () => warmUp.time(exact, 1))
  await forSeconds(plan.warmUpSeconds, () => warmUp.time(some, firstLevels))
  const reader = new RetainedReader(client, deliveries, plan.capSeconds)
  const meter = new CpuMeter(plan.brokerPid)
  const values = {
    exact: await reader.time(exact, 1),
    'a/+/J': await reader.time(some, firstLevels),
    '#': await reader.time(all, firstLevels * secondLevels),
  }
  return {
    metrics: Object.entries(values).map(([name, value]) => ({ name, unit: 'µs', better: 'lower', value })),
    expected: reader.expected,
    delivered: reader.received,
    capped: reader.capped,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}

async function forSeconds(seconds: number, step: () => Promise<unknown>): Promise<void> {
  const endsAt = performance.now() + seconds * 1000
  do await step()
  while (performance.now() < endsAt)
}

/** Publishes every topic once, `inFlight` at a time, and waits for the acknowledgements. */
async function retainAll({ firstLevels, secondLevels }: RetainedScenario, plan: LoadPlan): Promise<void> {
  const client = await Client.open({ port: plan.port, clientId: 'publisher' })
  const acks = new Tally()
  const topics: string[] = []
  for (let first = 0; first < firstLevels; first++)
    for (let second = 0; second < secondLevels; second++) topics.push(`a/${first}/${second}`)
  for (let from = 0; from < topics.length; from += inFlight) {
    const frames = topics
      .slice(from, from + inFlight)
      .map((topic, place) => publishFrame({ version: 4, topic, payload, qos: 1, retain: true, packetId: place + 1 }))
    acks.reset()
    client.source = new AckCounter(acks)
    client.write(Buffer.concat(frames))
    await settle([{ tally: acks, total: frames.length }], plan.capSeconds)
  }
}

/** Counts acknowledgements and sends nothing more. */
class AckCounter implements AcknowledgedSource {
  readonly #acks: Tally

  constructor(acks: Tally) {
    this.#acks = acks
  }

  acknowledged(): void {
    this.#acks.add(1)
  }

  next(): undefined {
    return undefined
  }
}
