// The load process of the benchmarks with Redis: takes one job as JSON in its only argument, prints one LoadResult, and exits.
import type { LoadPlan } from '../load/measure.ts'
import type { LoadResult } from '../load/result.ts'
import { measureExchange, measureWildcards } from './exchange.ts'
import type { RedisScenario } from './scenarios.ts'
import { openFirst, storeSessions } from './stored-sessions.ts'
import { measureTakeOver } from './take-over.ts'

/** What the bench hands to its load process. */
export interface RedisJob {
  readonly scenario: RedisScenario
  /** Of the broker whose CPU and memory are told. */
  readonly plan: LoadPlan
  /** Where the brokers listen. */
  readonly ports: readonly number[]
  /** Of `redis-sessions-100000`: fill a broker, or measure a new one that was started at this time (ms since epoch). */
  readonly step?: 'fill' | { readonly startedAt: number }
}

function measure({ scenario, plan, ports, step }: RedisJob): Promise<LoadResult> {
  const [here = 0, there = here] = ports
  switch (scenario.name) {
    case 'redis-qos1-persistent':
      return measureExchange({ qos: 1, clean: false, from: here, to: here }, plan)
    case 'redis-cross-qos0':
      return measureExchange({ qos: 0, clean: true, from: here, to: there }, plan)
    case 'redis-cross-qos1':
      return measureExchange({ qos: 1, clean: true, from: here, to: there }, plan)
    case 'redis-wildcard-10000':
      return measureWildcards(scenario.size ?? 0, { from: here, to: there }, plan)
    case 'redis-take-over':
      return measureTakeOver(scenario.size ?? 0, ports, plan)
    case 'redis-sessions-100000':
      return typeof step === 'object' ? openFirst(step.startedAt, plan) : storeSessions(scenario.size ?? 0, plan)
    default:
      return scenario.name satisfies never
  }
}

const result = await measure(JSON.parse(process.argv[2] ?? '') as RedisJob)
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
