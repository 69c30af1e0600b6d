import { type BrokerName, ours } from './brokers.ts'
import type { LoadResult, Metric } from './load/result.ts'
import type { Ratio, Summary } from './summary.ts'

/** A number short enough for a table: `3.23 M`, `596 k`, `42.1`. */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (value >= 999_500) return `${significant(value / 1e6)} M`
  if (value >= 10_000) return `${significant(value / 1e3)} k`
  return significant(value)
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString()
}

function percent(share: number | null): string {
  return share === null ? '?' : `${Math.round(share * 100)} %`
}

/** `rate 3.23 M msg/s, …; broker 100 %, load 71 %` */
export function progressLine(result: LoadResult): string {
  const metrics = result.metrics.map(({ name, value, unit }) => `${name} ${compact(value)} ${unit}`).join(', ')
  const rss = result.brokerRssBytes === null ? '' : `, ${compact(result.brokerRssBytes / 2 ** 20)} MiB`
  const loss = result.delivered === result.expected ? '' : `, ${result.delivered} of ${result.expected} delivered`
  return `${metrics}; broker ${percent(result.brokerCpu)}${rss}, load ${percent(result.loadCpu)}${loss}`
}

/** The tables of medians and ratios, and what is to be known about them, in Markdown. */
export function report(
  summaries: readonly Summary[],
  ratios: readonly Ratio[],
  brokers: readonly BrokerName[],
): string {
  const others = brokers.filter(name => name !== ours)
  const header = ['scenario', 'metric', ...brokers, ...(brokers.includes(ours) ? others.map(name => `× ${name}`) : [])]
  const rows = rowsOf(summaries).map(({ scenario, metric }) => {
    const cells = brokers.map(broker => cell(find(summaries, scenario, broker), metric.name))
    const comparisons = header.slice(2 + brokers.length).map((_, index) => {
      const ratio = ratios.find(r => r.scenario === scenario && r.metric === metric.name && r.broker === others[index])
      return ratio === undefined || Number.isNaN(ratio.ratio) ? '-' : ratio.ratio.toFixed(ratio.ratio < 10 ? 2 : 1)
    })
    return [scenario, `${metric.name} (${metric.unit})`].concat(cells, comparisons)
  })
  return `${table([header, ...rows], 2)}\n${remarks(summaries)}`
}

function rowsOf(summaries: readonly Summary[]): { scenario: Summary['scenario']; metric: Metric }[] {
  const rows = new Map<string, { scenario: Summary['scenario']; metric: Metric }>()
  for (const { scenario, metrics } of summaries)
    for (const metric of metrics) rows.set(`${scenario} ${metric.name}`, { scenario, metric })
  return [...rows.values()]
}

function find(summaries: readonly Summary[], scenario: string, broker: BrokerName): Summary | undefined {
  return summaries.find(summary => summary.scenario === scenario && summary.broker === broker)
}

/** `*` marks the load process as the limit, `!` a remark below. */
function cell(summary: Summary | undefined, name: string): string {
  const metric = summary?.metrics.find(one => one.name === name)
  if (summary === undefined || metric === undefined) return '-'
  return `${compact(metric.value)}${summary.loadLimited ? '*' : ''}${summary.remarks.length > 0 ? '!' : ''}`
}

function remarks(summaries: readonly Summary[]): string {
  const lines = summaries.flatMap(({ scenario, broker, loadLimited, loadCpu, brokerCpu, remarks: own }) => [
    ...(loadLimited
      ? [
          `* ${scenario}, ${broker}: the load process was the limit (load ${percent(loadCpu)}, broker ${percent(brokerCpu)})`,
        ]
      : []),
    ...own.map(remark => `! ${scenario}, ${broker}: ${remark}`),
  ])
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`
}

/** A table in Markdown; the first row is its header. Columns from `texts` on are aligned to the right. */
export function table(rows: readonly (readonly string[])[], texts: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => (column < texts ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column < texts ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [header = [], ...body] = rows
  return [line(header), rule, ...body.map(line)].join('\n')
}
