import type { CpuShares } from './process-usage.ts'

/** One measured quantity of one run. */
export interface Metric {
  readonly name: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly value: number
}

/** What the load process prints, as one line of JSON; the shares are of the measured part, `null` where /proc does not tell. */
export interface LoadResult extends CpuShares {
  readonly metrics: readonly Metric[]
  /** Messages that had to arrive in the measured part, and those that did; a difference is a loss unless `capped`. */
  readonly expected: number
  readonly delivered: number
  /** The time was up before everything had arrived: the metrics are the rates until then. */
  readonly capped: boolean
  /** Resident memory of the broker at the end of the measured part. */
  readonly brokerRssBytes: number | null
  readonly notes: readonly string[]
}
