import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { Client, subscribeFrame } from '@x/load'
import type { LoadPlan } from '../load/measure.ts'
import { CpuMeter, residentBytes } from '../load/process-usage.ts'
import type { LoadResult } from '../load/result.ts'

const concurrency = 200
/** What a broker still reads after its first CONNACK, it has read by then. */
const settleMs = 2000

/** Leaves so many sessions with a subscription each. */
export async function storeSessions(count: number, plan: LoadPlan): Promise<LoadResult> {
  const meter = new CpuMeter(plan.brokerPid)
  const startedAt = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next
      next += 1
      const client = await Client.open({ port: plan.port, clientId: `session-${index}`, clean: false })
      await client.request(subscribeFrame(4, [`devices/${index}/in`], 1))
      await client.disconnect()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - startedAt) / 1000
  return {
    metrics: [{ name: 'stored', unit: 'sessions/s', better: 'higher', value: count / seconds }],
    ...outcome(count, plan, meter),
  }
}

/** Measures a broker that was started beside stored sessions. */
export async function openFirst(startedAt: number, plan: LoadPlan): Promise<LoadResult> {
  const meter = new CpuMeter(plan.brokerPid)
  await Client.open({ port: plan.port, clientId: 'first' })
  const start = Date.now() - startedAt
  await wait(settleMs)
  const memory = residentBytes(plan.brokerPid)
  return {
    metrics: [
      { name: 'start', unit: 'ms', better: 'lower', value: start },
      ...(memory === null ? [] : [{ name: 'memory', unit: 'MiB', better: 'lower' as const, value: memory / 2 ** 20 }]),
    ],
    ...outcome(1, plan, meter),
  }
}

function outcome(count: number, plan: LoadPlan, meter: CpuMeter): Omit<LoadResult, 'metrics'> {
  return {
    expected: count,
    delivered: count,
    capped: false,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}
