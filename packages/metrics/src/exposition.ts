import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import type { OpenMetricsContentType } from 'prom-client'
import type { HistogramRow, ValueRow } from './metric-row.ts'
import { metricTable } from './metric-table.ts'
import { LatencyMetric } from './latency-metric.ts'
import type { Sample } from './sample.ts'

/** A text of all metrics, in one of the two formats. */
export interface Scrape {
  readonly contentType: string
  readonly text: string
}

/** Metrics of prom-client that list every open socket at each scrape: 30 ms of the event loop with 9000 clients, whom
 * `mqtt_clients_connected` counts for nothing. */
const costly = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'process_open_fds',
]

/** The metrics of one broker in the text formats that Prometheus reads. All values of a scrape are of one moment: the broker is
 * asked once for each. */
export class Exposition {
  readonly #prometheus = new Registry()
  readonly #openMetrics = new Registry<OpenMetricsContentType>()
  readonly #metrics: readonly (readonly [ValueRow, Counter | Gauge])[]
  readonly #latencies: readonly (readonly [HistogramRow, LatencyMetric])[]
  readonly #takeSample: () => Promise<Sample>
  /** Scrapes that come while one is under way share its values. */
  #filling: Promise<void> | undefined

  constructor(takeSample: () => Promise<Sample>, of: { readonly process: boolean }) {
    this.#takeSample = takeSample
    this.#openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    const registers = [this.#prometheus, this.#openMetrics] as Registry[]
    this.#metrics = Object.entries(metricTable).flatMap(([name, row]) => {
      if (row.type === 'histogram') return []
      const labelNames = 'labels' in row ? row.labels : []
      const configuration = { name, help: row.help, labelNames, registers }
      return [[row, row.type === 'counter' ? new Counter(configuration) : new Gauge(configuration)] as const]
    })
    this.#latencies = Object.entries(metricTable).flatMap(([name, row]) => {
      if (row.type !== 'histogram') return []
      const { help, labels: labelNames } = row
      return [[row, new LatencyMetric({ name, help, labelNames, registers })] as const]
    })
    if (!of.process) return
    collectDefaultMetrics({ register: this.#prometheus })
    for (const name of costly) this.#prometheus.removeSingleMetric(name)
    for (const { name } of this.#prometheus.getMetricsAsArray()) {
      const metric = this.#prometheus.getSingleMetric(name)
      if (metric !== undefined && !Object.hasOwn(metricTable, name)) this.#openMetrics.registerMetric(metric)
    }
  }

  /** @param accept the header of the request: OpenMetrics is given to those that name it, Prometheus' own format to all others */
  async scrape(accept: string | undefined): Promise<Scrape> {
    await (this.#filling ??= this.#fill())
    const registry = accept?.includes('application/openmetrics-text') === true ? this.#openMetrics : this.#prometheus
    return { contentType: registry.contentType, text: await registry.metrics() }
  }

  /** Ends what looks at the process for these metrics. */
  close(): void {
    this.#prometheus.clear()
    this.#openMetrics.clear()
  }

  async #fill(): Promise<void> {
    try {
      const sample = await this.#takeSample()
      for (const [row, metric] of this.#metrics) fill(metric, row, sample)
      for (const [row, metric] of this.#latencies) metric.show(row.readLatencies(sample))
    } finally {
      this.#filling = undefined
    }
  }
}

function fill(metric: Counter | Gauge, row: ValueRow, sample: Sample): void {
  metric.reset()
  if ('readAll' in row) {
    for (const { labels, value } of row.readAll(sample)) metric.inc(labels, value)
    return
  }
  const value = row.read(sample)
  if (value === undefined) metric.remove()
  else metric.inc(value)
}
