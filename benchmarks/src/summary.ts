import { type BrokerName, ours } from './brokers.ts'
import { type Floors, floors } from './floors.ts'
import type { LoadResult, Metric } from './load/result.ts'
import { advantage, median } from './statistics.ts'

/** One run of one scenario against one broker: a result, or why there is none. */
export type Run = { readonly scenario: string; readonly broker: BrokerName } & (
  | { readonly result: LoadResult }
  | { readonly failure: string }
)

/** The medians of one scenario's runs against one broker. */
export interface Summary {
  readonly scenario: string
  readonly broker: BrokerName
  readonly metrics: readonly Metric[]
  readonly loadCpu: number
  readonly brokerCpu: number | null
  /** The load process was the limit: the broker can do more than the number says. */
  readonly loadLimited: boolean
  /** Losses, duplicates, time limits, failures. */
  readonly remarks: readonly string[]
}

const busyLoad = 0.95
const idleBroker = 0.9

/** True when a run measured the load process: it had no CPU left and the broker had. */
export function isLoadLimited(result: Pick<LoadResult, 'loadCpu' | 'brokerCpu'>): boolean {
  return result.loadCpu >= busyLoad && result.brokerCpu !== null && result.brokerCpu < idleBroker
}

/** Takes the medians of all runs of one scenario against one broker. */
export function summarize(runs: readonly Run[], scenario: string, broker: BrokerName): Summary | undefined {
  const mine = runs.filter(run => run.scenario === scenario && run.broker === broker)
  if (mine.length === 0) return undefined
  const results = mine.flatMap(run => ('result' in run ? [run.result] : []))
  const brokerShares = results.flatMap(({ brokerCpu }) => (brokerCpu === null ? [] : [brokerCpu]))
  const loadCpu = results.length === 0 ? 0 : median(results.map(result => result.loadCpu))
  const brokerCpu = brokerShares.length === 0 ? null : median(brokerShares)
  return {
    scenario,
    broker,
    metrics: medianMetrics(results),
    loadCpu,
    brokerCpu,
    loadLimited: isLoadLimited({ loadCpu, brokerCpu }),
    remarks: [...new Set(mine.flatMap(remarksOf))],
  }
}

function medianMetrics(results: readonly LoadResult[]): Metric[] {
  const [first] = results
  return (first?.metrics ?? []).map(({ name: wanted, unit, better }) => ({
    name: wanted,
    unit,
    better,
    value: median(
      results.flatMap(({ metrics }) => metrics.filter(({ name }) => name === wanted).map(({ value }) => value)),
    ),
  }))
}

function remarksOf(run: Run): string[] {
  if ('failure' in run) return [`failed: ${run.failure}`]
  const { expected, delivered, capped, notes } = run.result
  if (capped) return [`time limit: ${delivered} of ${expected} by then`, ...notes]
  return delivered === expected ? [...notes] : [`delivered ${delivered} of ${expected}`, ...notes]
}

/** Why the bench has to fail because of our broker's `runs`: what it lost, duplicated, or could not do at all. */
export function faults(runs: readonly Run[]): string[] {
  return runs.flatMap(run => {
    if (run.broker !== ours) return []
    if ('failure' in run) return [`${run.scenario}: ${run.failure}`]
    const { expected, delivered, capped } = run.result
    if (delivered > expected) return [`${run.scenario}: ${delivered - expected} messages too many`]
    return delivered < expected && !capped ? [`${run.scenario}: lost ${expected - delivered} of ${expected}`] : []
  })
}

/** How many times better ours is, for each metric that both have. */
export interface Ratio {
  readonly scenario: string
  readonly metric: string
  readonly broker: BrokerName
  readonly ratio: number
}

/** Compares ours with each other broker. */
export function ratiosOf(summaries: readonly Summary[]): Ratio[] {
  return summaries
    .filter(({ broker }) => broker === ours)
    .flatMap(({ scenario, metrics }) =>
      summaries
        .filter(other => other.scenario === scenario && other.broker !== ours)
        .flatMap(other =>
          metrics.map(({ name, better, value }) => {
            const theirs = other.metrics.find(metric => metric.name === name)?.value
            return { scenario, metric: name, broker: other.broker, ratio: advantage(value, theirs, better) }
          }),
        ),
    )
}

/** The ratios that are under their floor, in words. */
export function underFloor(ratios: readonly Ratio[]): string[] {
  return ratios.flatMap(({ scenario, metric, broker, ratio }) => {
    const floor = (floors as Readonly<Record<string, Floors>>)[scenario]?.[metric]?.[broker]
    return floor === undefined || !(ratio < floor)
      ? []
      : [`${scenario} ${metric}: ${ratio.toFixed(2)} times ${broker}, the floor is ${floor}`]
  })
}
