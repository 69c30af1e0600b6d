export { metrics, metricsOptions } from './metrics.ts'
export type { Metrics, MetricsOptions } from './metrics.ts'
export { MetricsError } from './metrics-error.ts'
export type { MetricsErrorCode } from './metrics-error.ts'
