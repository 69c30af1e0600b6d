// The load process of the benchmarks on disk: takes one job as JSON in its only argument, prints one LoadResult, and exits.
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import {
  Client,
  FloodPublisher,
  FrameRing,
  openClients,
  publishFrame,
  settle,
  subscribeFrame,
  Tally,
  WindowPublisher,
} from '@x/load'
import { type LoadPlan, type Round, measureRate } from '../load/measure.ts'
import type { LoadResult } from '../load/result.ts'
import type { DiskScenario } from './scenarios.ts'

/** What the bench hands to its load process. */
export interface DiskJob {
  readonly scenario: DiskScenario
  readonly plan: LoadPlan
}

const topic = 'bench/topic'
const away = 1000
const retainedTopics = 1000
const blockBytes = 65_536

/** Sends so many messages; resolves with the rate's unit of work done, when all of it is acknowledged. */
type Send = (count: number) => Promise<Round>

async function stored({ inFlight }: DiskScenario, plan: LoadPlan): Promise<Send> {
  const deliveries = new Tally()
  const subscriber = await Client.open({ port: plan.port, clientId: 'subscriber', clean: false, deliveries })
  await subscriber.request(subscribeFrame(4, [topic], 1))
  return acknowledged({ inFlight, plan, deliveries, copies: 1 })
}

async function offline({ inFlight }: DiskScenario, plan: LoadPlan): Promise<Send> {
  const clients = await openClients(away, 100, index => ({ port: plan.port, clientId: `away-${index}`, clean: false }))
  await Promise.all(clients.map(async client => client.request(subscribeFrame(4, [topic], 1))))
  await Promise.all(clients.map(async client => client.disconnect()))
  return acknowledged({ inFlight, plan, deliveries: undefined, copies: away })
}

async function leave(clients: readonly Client[]): Promise<void> {
  await Promise.all(clients.map(async client => client.disconnect()))
}

async function drain({ inFlight }: DiskScenario, plan: LoadPlan): Promise<Send> {
  const deliveries = new Tally()
  const comeBack = async (): Promise<Client[]> =>
    openClients(away, 100, index => ({ port: plan.port, clientId: `away-${index}`, clean: false, deliveries }))
  const clients = await comeBack()
  await Promise.all(clients.map(async client => client.request(subscribeFrame(4, [topic], 1))))
  await leave(clients)
  const store = await acknowledged({ inFlight, plan, deliveries: undefined, copies: 1 })
  return async count => {
    await store(count)
    deliveries.reset()
    const startedAt = performance.now()
    const back = await comeBack()
    const outcome = await settle([{ tally: deliveries, total: count * away }], plan.capSeconds)
    const seconds = (performance.now() - startedAt) / 1000
    await leave(back)
    return { seconds, expected: count * away, delivered: deliveries.count, outcome }
  }
}

interface Acknowledged {
  readonly inFlight: number
  readonly plan: LoadPlan
  readonly deliveries: Tally | undefined
  /** Sessions that store each message. */
  readonly copies: number
}

async function acknowledged({ inFlight, plan, deliveries, copies }: Acknowledged): Promise<Send> {
  const acks = new Tally()
  const client = await Client.open({ port: plan.port, clientId: 'publisher' })
  const frames = Array.from({ length: inFlight }, (_, place) =>
    publishFrame({ version: 4, topic, payload: Buffer.alloc(64, `${place} `), qos: 1, packetId: place + 1 }),
  )
  const publisher = new WindowPublisher(client, acks, frames)
  return async count => {
    acks.reset()
    deliveries?.reset()
    const startedAt = performance.now()
    publisher.start(count)
    const awaited = [acks, ...(deliveries === undefined ? [] : [deliveries])]
    const outcome = await settle(
      awaited.map(tally => ({ tally, total: count })),
      plan.capSeconds,
    )
    const seconds = (performance.now() - startedAt) / 1000
    return {
      seconds,
      expected: count * copies,
      delivered: Math.min(...awaited.map(tally => tally.count)) * copies,
      outcome,
    }
  }
}

async function retained(_: DiskScenario, plan: LoadPlan): Promise<Send> {
  const client = await Client.open({ port: plan.port, clientId: 'publisher' })
  const frames = Array.from({ length: retainedTopics }, (__, place) =>
    publishFrame({
      version: 4,
      topic: `kept/${String(place).padStart(4, '0')}`,
      payload: Buffer.alloc(64, 'x'),
      qos: 0,
      retain: true,
    }),
  )
  const publisher = new FloodPublisher(client, new FrameRing(frames, blockBytes))
  const own = new Tally()
  const reader = await Client.open({ port: plan.port, clientId: 'reader', deliveries: own })
  await reader.request(subscribeFrame(4, ['kept/#'], 0))
  await settle([{ tally: own, total: 1 }], 0.1)
  return async count => {
    own.reset()
    const startedAt = performance.now()
    publisher.start(count)
    const outcome = await settle([{ tally: own, total: count }], plan.capSeconds)
    return { seconds: (performance.now() - startedAt) / 1000, expected: count, delivered: own.count, outcome }
  }
}

const sends = {
  'disk-qos1-1': stored,
  'disk-qos1-100': stored,
  'disk-offline-1000': offline,
  'disk-drain-1000': drain,
  'disk-retained-1000': retained,
} as const

/** Bytes that a process has given to the disk; undefined where /proc does not tell. */
function writtenBytes(pid: number): number | undefined {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
  } catch {
    return undefined
  }
}

async function measure({ scenario, plan }: DiskJob): Promise<LoadResult> {
  const send = await sends[scenario.name](scenario, plan)
  let written: number | undefined
  const result = await measureRate(plan, 'msg/s', async count => {
    const before = writtenBytes(plan.brokerPid)
    const round = await send(count)
    const after = writtenBytes(plan.brokerPid)
    written = before === undefined || after === undefined ? undefined : (after - before) / round.delivered
    return round
  })
  if (written === undefined) return result
  const metric = { name: 'written', unit: 'B/msg', better: 'lower', value: written } as const
  return { ...result, metrics: [...result.metrics, metric] }
}

const result = await measure(JSON.parse(process.argv[2] ?? '') as DiskJob)
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
