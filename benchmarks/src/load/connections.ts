import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { IdleScenario, StormScenario } from '../scenarios.ts'
import { openClients } from '@x/load'
import type { LoadPlan } from './measure.ts'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult } from './result.ts'

const openConcurrency = 200
/** What connecting left behind is collected, or is not going to be, within this time. */
const settleMs = 1500
/** Share of the connections that warms the broker up before a storm. */
const warmUpShare = 0.1

/** Measures what each connection adds to the broker's resident memory. */
export async function measureIdle(scenario: IdleScenario, plan: LoadPlan): Promise<LoadResult> {
  const { connections } = scenario
  const before = residentBytes(plan.brokerPid)
  await openClients(connections, openConcurrency, index => ({ port: plan.port, clientId: `idle-${index}` }))
  const meter = new CpuMeter(plan.brokerPid)
  await wait(settleMs)
  const after = residentBytes(plan.brokerPid)
  const each = before === null || after === null ? undefined : (after - before) / connections
  return {
    metrics: each === undefined ? [] : [{ name: 'memory', unit: 'B/connection', better: 'lower', value: each }],
    expected: connections,
    delivered: connections,
    capped: false,
    ...meter.read(),
    brokerRssBytes: after,
    notes: each === undefined ? ['memory of other processes cannot be read here'] : [],
  }
}

/** Measures accepted connections per second. */
export async function measureStorm(scenario: StormScenario, plan: LoadPlan): Promise<LoadResult> {
  const { connections, concurrency } = scenario
  const open = (count: number, name: string): Promise<unknown> =>
    openClients(count, concurrency, index => ({ port: plan.port, clientId: `${name}-${index}` }))
  await open(Math.ceil(connections * warmUpShare), 'early')
  const meter = new CpuMeter(plan.brokerPid)
  const startedAt = performance.now()
  await open(connections, 'storm')
  const seconds = (performance.now() - startedAt) / 1000
  return {
    metrics: [{ name: 'rate', unit: 'connections/s', better: 'higher', value: connections / seconds }],
    expected: connections,
    delivered: connections,
    capped: false,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}
