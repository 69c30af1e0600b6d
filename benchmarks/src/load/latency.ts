import { performance } from 'node:perf_hooks'
import { percentile } from '../statistics.ts'
import type { LatencyScenario } from '../scenarios.ts'
import { Client, publishFrame, subscribeFrame, Tally } from '@x/load'
import type { LoadPlan } from './measure.ts'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult, Metric } from './result.ts'

/** Tells of arrivals inside the read callback: a promise would add a turn to each sample. */
class OnDelivery extends Tally {
  arrived: (() => void) | undefined

  override add(count: number): void {
    super.add(count)
    this.arrived?.()
  }
}

/** Measures the time from writing one message until it is read from the other socket. */
export async function measureLatency(scenario: LatencyScenario, plan: LoadPlan): Promise<LoadResult> {
  const topic = 'bench/topic'
  const frame = publishFrame({ version: 4, topic, payload: Buffer.alloc(scenario.payloadBytes, 'x'), qos: 0 })
  const publisher = await Client.open({ port: plan.port, clientId: 'publisher' })
  const deliveries = new OnDelivery()
  const subscriber = await Client.open({ port: plan.port, clientId: 'subscriber', deliveries })
  await subscriber.request(subscribeFrame(4, [topic], 0))

  const exchange = (seconds: number): Promise<number[]> =>
    new Promise(resolve => {
      const samples: number[] = []
      const endsAt = performance.now() + seconds * 1000
      let sentAt = performance.now()
      deliveries.arrived = () => {
        const now = performance.now()
        samples.push((now - sentAt) * 1000)
        if (now >= endsAt) {
          resolve(samples)
          return
        }
        sentAt = now
        publisher.write(frame)
      }
      publisher.write(frame)
    })
  await exchange(plan.warmUpSeconds)
  const meter = new CpuMeter(plan.brokerPid)
  const samples = await exchange(plan.measureSeconds)
  return {
    metrics: latencyMetrics(samples),
    expected: samples.length,
    delivered: samples.length,
    capped: false,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}

/** The median and the 99th percentile of samples in microseconds. */
export function latencyMetrics(samples: ArrayLike<number>): Metric[] {
  if (samples.length === 0) return []
  return [50, 99].map(percent => ({
    name: `p${percent}`,
    unit: 'µs',
    better: 'lower',
    value: percentile(samples, percent),
  }))
}
