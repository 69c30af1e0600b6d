import { latencyBounds } from '@x/contract'
import type { Latency } from '@x/contract'
import { Histogram } from 'prom-client'
import type { MetricValueWithName, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

interface LatencyMetricOptions {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: Registry[]
}

/** A histogram whose values were counted elsewhere. Seconds, as Prometheus has it. */
export class LatencyMetric extends Histogram {
  readonly #name: string
  readonly #help: string
  #shown: readonly (readonly [Labels, Latency])[] = []

  constructor(options: LatencyMetricOptions) {
    super(options)
    this.#name = options.name
    this.#help = options.help
  }

  show(latencies: readonly (readonly [Labels, Latency])[]): void {
    this.#shown = latencies
  }

  /** What the text formats are made of, in prom-client's own shape. */
  async getForPromString(): Promise<object> {
    const values = this.#shown.flatMap(([labels, latency]) => this.#valuesOf(labels, latency))
    return { name: this.#name, help: this.#help, type: 'histogram', aggregator: 'sum', values }
  }

  #valuesOf(labels: Labels, { counts, sum }: Latency): MetricValueWithName<string>[] {
    let count = 0
    const buckets = counts.map((number, index) => {
      count += number
      const bound = latencyBounds[index]
      const le = bound === undefined ? '+Inf' : bound / 1000
      return { metricName: `${this.#name}_bucket`, labels: { ...labels, le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels, value: sum / 1000 },
      { metricName: `${this.#name}_count`, labels, value: count },
    ]
  }
}
