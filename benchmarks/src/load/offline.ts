import { performance } from 'node:perf_hooks'
import type { OfflineScenario } from '../scenarios.ts'
import {
  Client,
  type ClientOptions,
  openClients,
  publishFrame,
  settle,
  subscribeFrame,
  Tally,
  WindowPublisher,
} from '@x/load'
import { type LoadPlan, quietPeriod } from './measure.ts'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult } from './result.ts'

const openConcurrency = 100
const topic = 'bench/offline'
const payload = Buffer.alloc(64, 'x')
const inFlight = 10
/** Share of the messages that goes through the same cycle first. */
const warmUpShare = 0.1

interface Cycle {
  readonly queueSeconds: number
  readonly drainSeconds: number
  readonly expected: number
  readonly delivered: number
  readonly capped: boolean
}

/** Measures how fast messages are queued for absent clients, and how fast returning clients get them. */
export async function measureOffline(scenario: OfflineScenario, plan: LoadPlan): Promise<LoadResult> {
  const sessions = new OfflineSessions(scenario.sessions, plan)
  await sessions.create()
  await sessions.cycle(Math.ceil(scenario.messages * warmUpShare))
  const meter = new CpuMeter(plan.brokerPid)
  const { queueSeconds, drainSeconds, expected, delivered, capped } = await sessions.cycle(scenario.messages)
  return {
    metrics: [
      { name: 'queue', unit: 'msg/s', better: 'higher', value: expected / queueSeconds },
      { name: 'drain', unit: 'msg/s', better: 'higher', value: delivered / drainSeconds },
      { name: 'both', unit: 'msg/s', better: 'higher', value: delivered / (queueSeconds + drainSeconds) },
    ],
    expected,
    delivered,
    capped,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}

class OfflineSessions {
  readonly #count: number
  readonly #plan: LoadPlan
  readonly #deliveries = new Tally()
  readonly #acks = new Tally()

  constructor(count: number, plan: LoadPlan) {
    this.#count = count
    this.#plan = plan
  }

  readonly #options = (index: number): ClientOptions => ({
    port: this.#plan.port,
    clientId: `session-${index}`,
    clean: false,
    deliveries: this.#deliveries,
  })

  /** Leaves `count` persistent sessions, subscribed and offline. */
  async create(): Promise<void> {
    const clients = await openClients(this.#count, openConcurrency, this.#options)
    for (const client of clients) await client.request(subscribeFrame(4, [topic], 1))
    await Promise.all(clients.map(client => client.disconnect()))
  }

  /** Queues `messages` for every session, lets all return and take them, and sends them away again. */
  async cycle(messages: number): Promise<Cycle> {
    const expected = messages * this.#count
    this.#acks.reset()
    this.#deliveries.reset()
    const publisher = await Client.open({ port: this.#plan.port, clientId: 'publisher' })
    const frames = Array.from({ length: inFlight }, (_, place) =>
      publishFrame({ version: 4, topic, payload, qos: 1, packetId: place + 1 }),
    )
    const queueStart = performance.now()
    new WindowPublisher(publisher, this.#acks, frames).start(messages)
    await settle([{ tally: this.#acks, total: messages }], this.#plan.capSeconds)
    const drainStart = performance.now()
    const clients = await openClients(this.#count, openConcurrency, this.#options)
    const outcome = await settle([{ tally: this.#deliveries, total: expected }], this.#plan.capSeconds)
    const drainEnd = outcome === 'capped' ? performance.now() : this.#deliveries.lastAt
    await quietPeriod()
    await Promise.all([publisher, ...clients].map(client => client.disconnect()))
    return {
      queueSeconds: (drainStart - queueStart) / 1000,
      drainSeconds: (drainEnd - drainStart) / 1000,
      expected,
      delivered: this.#deliveries.count,
      capped: outcome === 'capped',
    }
  }
}
