import { setTimeout as wait } from 'node:timers/promises'
import { CpuMeter, residentBytes } from './process-usage.ts'
import type { LoadResult, Metric } from './result.ts'
import type { Outcome } from '@x/load'

/** What the load process is asked to do, apart from the scenario. */
export interface LoadPlan {
  readonly port: number
  /** Where subscribers connect, when it is another broker. */
  readonly subscriberPort?: number
  readonly brokerPid: number
  /** The last warm-up round takes at least this long; all of them together about twice as long. */
  readonly warmUpSeconds: number
  /** How long the measured part is meant to take. */
  readonly measureSeconds: number
  /** A round is given up after this long, and counted as the rate so far. */
  readonly capSeconds: number
}

/** One round: `count` messages per publisher or client sent and awaited. */
export interface Round {
  readonly seconds: number
  readonly expected: number
  readonly delivered: number
  readonly outcome: Outcome
}

/** Runs a round in which the unit of work is done `count` times. */
export type RunRound = (count: number) => Promise<Round>

/** Extra messages (duplicates) still on their way arrive within this time. */
const quietMs = 100

/**
 * Doubles (at least) the work until one round takes `warmUpSeconds`, then measures one round of about `measureSeconds`.
 * So slow and fast brokers are measured for the same time, with every code path compiled.
 */
export async function measureRate(plan: LoadPlan, unit: string, runRound: RunRound): Promise<LoadResult> {
  let count = 1
  let round: Round
  let meter = new CpuMeter(plan.brokerPid)
  for (;;) {
    round = await runRound(count)
    if (round.outcome !== 'complete') return rateResult(plan, unit, round, meter, ['ended in warm-up'])
    if (round.seconds >= plan.warmUpSeconds) break
    count = Math.ceil(count * Math.min(8, Math.max(2, plan.warmUpSeconds / round.seconds)))
  }
  count = Math.max(1, Math.round((count / round.seconds) * plan.measureSeconds))
  meter = new CpuMeter(plan.brokerPid)
  return rateResult(plan, unit, await runRound(count), meter, [])
}

async function rateResult(
  plan: LoadPlan,
  unit: string,
  round: Round,
  meter: CpuMeter,
  notes: readonly string[],
): Promise<LoadResult> {
  const shares = meter.read()
  const rate: Metric = { name: 'rate', unit, better: 'higher', value: round.delivered / round.seconds }
  return {
    metrics: [rate],
    expected: round.expected,
    delivered: round.delivered,
    capped: round.outcome === 'capped',
    ...shares,
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes,
  }
}

/** Waits for messages that should not come. */
export function quietPeriod(): Promise<void> {
  return wait(quietMs)
}
