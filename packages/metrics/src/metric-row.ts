import type { Latency } from '@x/contract'
import type { Sample } from './sample.ts'

/** One value of a metric that has labels. */
export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface PlainRow {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Undefined: the store does not count it, and the metric is left out. */
  readonly read: (sample: Sample) => number | undefined
}

interface LabelledRow {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels: readonly string[]
  readonly readAll: (sample: Sample) => readonly LabelledValue[]
}

/** Durations in seconds, by the value of one label. */
export interface HistogramRow {
  readonly type: 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  readonly readLatencies: (sample: Sample) => readonly (readonly [Readonly<Record<string, string>>, Latency])[]
}

/** A metric that is one number, or one for each value of a label. */
export type ValueRow = PlainRow | LabelledRow
/** A metric of any type. */
export type MetricRow = ValueRow | HistogramRow

/** A number that rises and falls. */
export const gauge = (help: string, read: PlainRow['read']): PlainRow => ({ type: 'gauge', help, read })
/** A number that only rises. */
export const counter = (help: string, read: PlainRow['read']): PlainRow => ({ type: 'counter', help, read })

/** A counter whose values differ in one label. */
export function counterBy(
  label: string,
  help: string,
  read: (sample: Sample) => Readonly<Record<string, number>>,
): LabelledRow {
  return {
    type: 'counter',
    help,
    labels: [label],
    readAll: sample => Object.entries(read(sample)).map(([name, value]) => ({ labels: { [label]: name }, value })),
  }
}

/** A value for each thing that there may be several of: listeners, bridges, workers. */
export function perThing<Thing>(
  { type, help, labels }: Pick<LabelledRow, 'type' | 'help' | 'labels'>,
  things: (sample: Sample) => readonly Thing[],
  read: (thing: Thing) => readonly (readonly [value: number, ...labels: string[]])[],
): LabelledRow {
  return {
    type,
    help,
    labels,
    readAll: sample =>
      things(sample).flatMap(thing =>
        read(thing).map(([value, ...texts]) => ({
          labels: Object.fromEntries(labels.map((label, index) => [label, texts[index] ?? ''])),
          value,
        })),
      ),
  }
}
