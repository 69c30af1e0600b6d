import type { BridgeStatus, BrokerCounts, Counters, Latency, WorkerUsage } from '@x/contract'

/** Everything that the metrics are made of, read at one moment. */
export interface Sample {
  readonly brokerId: string
  readonly version: string
  /** Since the plugin was attached. */
  readonly uptimeSeconds: number
  readonly counters: Readonly<Counters>
  readonly counts: BrokerCounts
  readonly listeners: readonly { readonly name: string; readonly connections: number }[]
  readonly latencies: Readonly<Record<string, Latency>>
  readonly bridges: readonly BridgeStatus[]
  readonly workers: readonly WorkerUsage[]
}
