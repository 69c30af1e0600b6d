import type { LoadResult } from './load/result.ts'
import { type Scenario, type ThroughputScenario, scenarios } from './scenarios.ts'

/** One quantity and how the broker's cost grows with it. */
export interface GrowthTable {
  /** As `--table` takes it. */
  readonly name: string
  readonly about: string
  readonly quantity: string
  readonly columns: readonly Column[]
  readonly sizes: readonly { readonly size: string; readonly scenario: Scenario }[]
}

interface Column {
  readonly title: string
  readonly value: (result: LoadResult) => number
}

function metric(result: LoadResult, name: string): number {
  return result.metrics.find(one => one.name === name)?.value ?? Number.NaN
}

function column(title: string, name: string): Column {
  return { title, value: result => metric(result, name) }
}

const rate = column('messages/s', 'rate')
const nanoseconds: Column = { title: 'ns each', value: result => 1e9 / metric(result, 'rate') }
const memory: Column = { title: 'broker, MiB', value: ({ brokerRssBytes }) => (brokerRssBytes ?? Number.NaN) / 2 ** 20 }

const oneToOne = scenarios['qos0-1-1'] as ThroughputScenario
const kibibyte = 1024

/** Sizes from small to large; each step but the last of `connections` is a multiple of ten or more. */
export const growthTables: readonly GrowthTable[] = [
  {
    name: 'connections',
    about: 'Idle connections: memory of each.',
    quantity: 'connections',
    columns: [column('bytes each', 'memory'), memory],
    // 20 000 and the files that both processes need besides are more than many systems allow one process.
    sizes: [1000, 10_000, 19_500].map(connections => ({
      size: String(connections),
      scenario: { ...scenarios['idle-10000'], kind: 'idle', connections },
    })),
  },
  {
    name: 'subscribers',
    about: 'One publisher, every message to all subscribers, QoS 0, 64 bytes.',
    quantity: 'subscribers',
    columns: [rate, nanoseconds, memory],
    sizes: [1, 10, 100, 1000, 10_000].map(subscribers => ({
      size: String(subscribers),
      scenario: { ...oneToOne, subscribers, deliveriesPerMessage: subscribers },
    })),
  },
  {
    name: 'payload',
    about: 'One publisher, one subscriber, QoS 0.',
    quantity: 'payload, bytes',
    columns: [rate, nanoseconds, memory],
    sizes: [16, kibibyte, 64 * kibibyte, kibibyte * kibibyte - 64].map(payloadBytes => ({
      size: String(payloadBytes),
      scenario: { ...oneToOne, payloadBytes },
    })),
  },
  {
    name: 'filters',
    about: 'Wildcard filters, each message to a topic never seen before that matches one of them.',
    quantity: 'filters',
    columns: [rate, nanoseconds, memory],
    sizes: [1000, 100_000, 1_000_000].map(filters => ({
      size: String(filters),
      scenario: { ...scenarios['wildcard-100k'], kind: 'wildcard', filters },
    })),
  },
  {
    name: 'retained',
    about: 'Retained messages of 64 bytes: microseconds until a new subscriber has one of them, a thousand, all.',
    quantity: 'retained',
    columns: [column('exact', 'exact'), column('a/+/J', 'a/+/J'), column('#', '#'), memory],
    sizes: [1, 100, 1000].map(secondLevels => ({
      size: String(1000 * secondLevels),
      scenario: { ...scenarios.retained, kind: 'retained', firstLevels: 1000, secondLevels },
    })),
  },
]
