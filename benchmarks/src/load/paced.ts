import { performance } from 'node:perf_hooks'
import type { PacedScenario } from '../scenarios.ts'
import { type Client, type MessageReader, openClients, publishFrame, settle, subscribeFrame, Tally } from '@x/load'
import { latencyMetrics } from './latency.ts'
import { type LoadPlan, type Round, quietPeriod } from './measure.ts'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult } from './result.ts'

/** Every tenth subscriber looks at its messages: at millions per second, reading all of them would be the limit. */
const samplingSubscribers = 10
const tickMs = 1
/** Share of the time limit within which the warm-up has to be delivered; a broker that cannot is overloaded anyway. */
const warmUpCapShare = 1 / 3

/** Knows when each message was written, by the sequence number in its payload's first four bytes. */
class SentTimes implements MessageReader {
  samples: number[] = []
  readonly #payloadBytes: number
  readonly #sentAt: Float64Array

  constructor(payloadBytes: number, messages: number) {
    this.#payloadBytes = payloadBytes
    this.#sentAt = new Float64Array(messages)
  }

  sent(sequence: number): void {
    this.#sentAt[sequence] = performance.now()
  }

  message(buffer: Uint8Array, end: number): void {
    const at = end - this.#payloadBytes
    const sequence =
      ((buffer[at] ?? 0) << 24) | ((buffer[at + 1] ?? 0) << 16) | ((buffer[at + 2] ?? 0) << 8) | (buffer[at + 3] ?? 0)
    this.samples.push((performance.now() - (this.#sentAt[sequence] ?? Number.NaN)) * 1000)
  }
}

/** Publishes at a fixed rate, however the broker copes, and measures the sustained rate and the latency. */
export async function measurePaced(scenario: PacedScenario, plan: LoadPlan): Promise<LoadResult> {
  const { port } = plan
  const perSecond = scenario.publishers * scenario.messagesPerSecondEach
  const warmUps = Math.round(perSecond * plan.warmUpSeconds)
  const messages = Math.round(perSecond * plan.measureSeconds)
  const times = new SentTimes(scenario.payloadBytes, warmUps + messages)
  const deliveries = new Tally()
  const subscribers = await openClients(scenario.subscribers, 100, index => ({
    port,
    clientId: `subscriber-${index}`,
    deliveries,
    ...(index % samplingSubscribers === 0 ? { reader: times } : {}),
  }))
  for (const client of subscribers) await client.request(subscribeFrame(4, ['bench/t/#'], 0))
  const publishers = await openClients(scenario.publishers, 100, index => ({ port, clientId: `publisher-${index}` }))
  const send = sender(scenario, publishers, times)

  const runRound = async (from: number, to: number, capSeconds: number): Promise<Round> => {
    deliveries.reset()
    const expected = (to - from) * scenario.subscribers
    const startedAt = performance.now()
    const stop = sendAtRate(perSecond, from, to, send)
    const outcome = await settle([{ tally: deliveries, total: expected }], capSeconds)
    stop()
    const endedAt = outcome === 'capped' ? performance.now() : deliveries.lastAt
    return { seconds: (endedAt - startedAt) / 1000, expected, delivered: deliveries.count, outcome }
  }
  const notes: string[] = []
  let meter = new CpuMeter(plan.brokerPid)
  let round = await runRound(0, warmUps, plan.capSeconds * warmUpCapShare)
  if (round.outcome === 'complete') {
    times.samples = []
    meter = new CpuMeter(plan.brokerPid)
    round = await runRound(warmUps, warmUps + messages, plan.capSeconds)
  } else {
    notes.push('ended in warm-up')
  }
  const shares = meter.read()
  await quietPeriod()
  return {
    metrics: [
      { name: 'rate', unit: 'msg/s', better: 'higher', value: round.delivered / round.seconds },
      ...latencyMetrics(times.samples),
    ],
    expected: round.expected,
    delivered: round.outcome === 'complete' ? deliveries.count : round.delivered,
    capped: round.outcome === 'capped',
    ...shares,
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes,
  }
}

function sender(scenario: PacedScenario, publishers: readonly Client[], times: SentTimes): (sequence: number) => void {
  const frames = publishers.map((_, index) =>
    publishFrame({ version: 4, topic: `bench/t/${index}`, payload: Buffer.alloc(scenario.payloadBytes, 'x'), qos: 0 }),
  )
  return sequence => {
    const index = sequence % publishers.length
    const frame = Buffer.from(frames[index] ?? Buffer.alloc(0))
    frame.writeUInt32BE(sequence, frame.length - scenario.payloadBytes)
    times.sent(sequence)
    publishers[index]?.write(frame)
  }
}

/** Sends what is due, evenly spread, at every tick. Returns what stops it. */
function sendAtRate(perSecond: number, from: number, to: number, send: (sequence: number) => void): () => void {
  const startedAt = performance.now()
  let next = from
  const timer = setInterval(() => {
    const due = Math.min(to, from + Math.ceil(((performance.now() - startedAt) / 1000) * perSecond))
    while (next < due) send(next++)
    if (next === to) clearInterval(timer)
  }, tickMs)
  return () => clearInterval(timer)
}
