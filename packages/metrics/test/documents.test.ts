import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricTable } from '../src/metric-table.ts'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')

/** What the dashboards use of prom-client's own metrics, and what Prometheus adds. */
const others = new Set([
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'up',
])

/** Names of metrics in a query: what is followed by a selector, a range or nothing, and is no function or label. */
function metricsIn(query: string): string[] {
  const withoutLabels = query.replaceAll(/\{[^}]*\}/g, '{}').replaceAll(/\b(by|without) \([^)]*\)/g, '')
  return [...withoutLabels.matchAll(/\b([a-z_][a-z0-9_]*)(?=\{\}|\[| [<>=-]| and|\)|$)/g)].map(([, name]) => name ?? '')
}

/** Of a histogram, Prometheus has series with these endings. */
const isKnown = (name: string): boolean => {
  const base = name.replace(/_(bucket|sum|count)$/, '')
  return Object.hasOwn(metricTable, name) || others.has(name) || metricTable[base]?.type === 'histogram'
}

test('METRICS.md has a row for each metric, and none else', () => {
  const rows = [...read('METRICS.md').matchAll(/^\| `(mqtt_\w+)` +\| (\w+) +\| ([^|]*?) +\| (.*?) +\|$/gm)]
  expect(rows.map(([, name, type, labels, help]) => [name, type, labels, help])).toEqual(
    Object.entries(metricTable).map(([name, row]) => [
      name,
      row.type,
      'labels' in row ? row.labels.map(label => `\`${label}\``).join(', ') : '',
      row.help,
    ]),
  )
})

test('names follow the conventions of Prometheus', () => {
  for (const [name, { type }] of Object.entries(metricTable)) {
    expect(name).toMatch(/^mqtt_[a-z]+(_[a-z]+)*$/)
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
  }
})

test('every query of the dashboard names metrics that there are', () => {
  const { panels } = JSON.parse(read('dashboards/grafana.json')) as {
    panels: { id: number; title: string; targets: { expr: string }[] }[]
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const names = metricsIn(expr)
      expect(names, title).not.toHaveLength(0)
      expect(
        names.filter(name => !isKnown(name)),
        `${title}: ${expr}`,
      ).toEqual([])
    }
  }
})

test('every alert names metrics that there are, and says what to do', () => {
  const { groups } = parse(read('dashboards/alerts.yml')) as {
    groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[]
  }
  const rules = groups.flatMap(group => group.rules)
  expect(rules.length).toBeGreaterThan(3)
  for (const { alert, expr, annotations } of rules) {
    expect(Object.keys(annotations), alert).toEqual(['summary', 'action'])
    const names = metricsIn(expr)
    expect(names, alert).not.toHaveLength(0)
    expect(
      names.filter(name => !isKnown(name)),
      alert,
    ).toEqual([])
  }
})
