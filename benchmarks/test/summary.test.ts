import { expect, test } from 'vitest'
import type { LoadResult } from '../src/load/result.ts'
import { compact, report } from '../src/report.ts'
import { type Run, faults, isLoadLimited, ratiosOf, summarize, underFloor } from '../src/summary.ts'

function result(rate: number, changes: Partial<LoadResult> = {}): LoadResult {
  return {
    metrics: [{ name: 'rate', unit: 'msg/s', better: 'higher', value: rate }],
    expected: 100,
    delivered: 100,
    capped: false,
    loadCpu: 0.5,
    brokerCpu: 1,
    brokerKernelCpu: 0.5,
    brokerFirstCpu: 1,
    brokerRssBytes: 1,
    notes: [],
    ...changes,
  }
}

const run = (broker: 'x' | 'aedes', value: LoadResult): Run => ({ scenario: 'qos0-1-1', broker, result: value })

test('takes the median of the runs', () => {
  const runs = [run('x', result(1)), run('x', result(100)), run('x', result(3))]
  expect(summarize(runs, 'qos0-1-1', 'x')?.metrics[0]?.value).toBe(3)
})

test('has no summary for what was not run', () => {
  expect(summarize([], 'qos0-1-1', 'x')).toBeUndefined()
})

test('says that the load was the limit when it had no CPU left and the broker had', () => {
  expect(isLoadLimited({ loadCpu: 0.96, brokerCpu: 0.7 })).toBe(true)
  expect(isLoadLimited({ loadCpu: 0.96, brokerCpu: 0.95 })).toBe(false)
  expect(isLoadLimited({ loadCpu: 0.9, brokerCpu: 0.5 })).toBe(false)
  expect(isLoadLimited({ loadCpu: 0.96, brokerCpu: null })).toBe(false)
})

test('finds fault with losses, duplicates and failures of our broker alone', () => {
  const lost = result(1, { delivered: 99 })
  expect(faults([run('x', lost)])).toEqual(['qos0-1-1: lost 1 of 100'])
  expect(faults([run('x', result(1, { delivered: 101 }))])).toEqual(['qos0-1-1: 1 messages too many'])
  expect(faults([{ scenario: 'qos0-1-1', broker: 'x', failure: 'broken' }])).toEqual(['qos0-1-1: broken'])
  expect(faults([run('aedes', lost)])).toEqual([])
})

test('does not take what the time limit cut off for lost', () => {
  expect(faults([run('x', result(1, { delivered: 99, capped: true }))])).toEqual([])
})

test('compares ours with the others and finds what is under its floor', () => {
  const summaries = (['x', 'aedes'] as const).flatMap(
    broker => summarize([run('x', result(300)), run('aedes', result(100))], 'qos0-1-1', broker) ?? [],
  )
  const ratios = ratiosOf(summaries)
  expect(ratios).toEqual([{ scenario: 'qos0-1-1', metric: 'rate', broker: 'aedes', ratio: 3 }])
  expect(underFloor(ratios)[0]).toContain('qos0-1-1 rate: 3.00 times aedes, the floor is')
  expect(underFloor([{ scenario: 'qos0-1-1', metric: 'rate', broker: 'aedes', ratio: 1000 }])).toEqual([])
})

test('prints medians, ratios, and remarks below the table', () => {
  const runs = [
    run('x', result(3_230_000, { delivered: 90 })),
    run('aedes', result(115_000, { loadCpu: 1, brokerCpu: 0.5 })),
  ]
  const summaries = (['x', 'aedes'] as const).flatMap(broker => summarize(runs, 'qos0-1-1', broker) ?? [])
  const text = report(summaries, ratiosOf(summaries), ['x', 'aedes'])
  expect(text).toContain('3.23 M!')
  expect(text).toContain('115 k*')
  expect(text).toContain('28.1 |')
  expect(text).toContain('! qos0-1-1, x: delivered 90 of 100')
  expect(text).toContain('* qos0-1-1, aedes: the load process was the limit (load 100 %, broker 50 %)')
})

test('writes numbers short', () => {
  expect([3_230_000, 999_600, 596_000, 1234, 42.13, Number.NaN].map(compact)).toEqual([
    '3.23 M',
    '1 M',
    '596 k',
    '1234',
    '42.1',
    '-',
  ])
})
