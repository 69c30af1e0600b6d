// The load process: takes one job as JSON in its only argument, prints one LoadResult as JSON, and exits.
import type { LoadPlan } from './load/measure.ts'
import { measureIdle, measureStorm } from './load/connections.ts'
import { measureLatency } from './load/latency.ts'
import { measureOffline } from './load/offline.ts'
import { measurePaced } from './load/paced.ts'
import type { LoadResult } from './load/result.ts'
import { measureRetained } from './load/retained.ts'
import { measureThroughput } from './load/throughput.ts'
import { measureWildcard } from './load/wildcard.ts'
import type { Scenario } from './scenarios.ts'

/** What the bench hands to its load process. */
export interface LoadJob {
  readonly scenario: Scenario
  readonly plan: LoadPlan
}

function measure({ scenario, plan }: LoadJob): Promise<LoadResult> {
  switch (scenario.kind) {
    case 'throughput':
      return measureThroughput(scenario, plan)
    case 'paced':
      return measurePaced(scenario, plan)
    case 'latency':
      return measureLatency(scenario, plan)
    case 'idle':
      return measureIdle(scenario, plan)
    case 'storm':
      return measureStorm(scenario, plan)
    case 'retained':
      return measureRetained(scenario, plan)
    case 'offline':
      return measureOffline(scenario, plan)
    case 'wildcard':
      return measureWildcard(scenario, plan)
    default:
      return scenario satisfies never
  }
}

const result = await measure(JSON.parse(process.argv[2] ?? '') as LoadJob)
// Open connections would keep the process alive, and closing ten thousand politely measures nothing.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
