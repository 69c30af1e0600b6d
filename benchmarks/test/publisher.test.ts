import { expect, test } from 'vitest'
import { cpuSecondsOf } from '../src/load/process-usage.ts'
import { SameFrame } from '../src/load/publisher.ts'
import { Tally, settle } from '../src/load/tally.ts'
import { NewTopics, wildcardFilter } from '../src/load/wildcard.ts'
import { parseCpuList } from '../src/broker-process.ts'

test('supplies one frame as often as it is asked for', () => {
  const supply = new SameFrame(Buffer.of(1, 2, 3), 10)
  expect(supply.blockSize).toBe(3)
  expect([...supply.take(2)]).toEqual([1, 2, 3, 1, 2, 3])
})

test('supplies topics that are never repeated and go round the filters', () => {
  const supply = new NewTopics(10)
  const topics = `${supply.take(20).toString('latin1')}${supply.take(20).toString('latin1')}`.match(
    /w\/\d{6}\/\d{9}\/t/g,
  )
  expect(new Set(topics).size).toBe(40)
  expect(new Set(topics?.map(topic => topic.slice(2, 8))).size).toBe(10)
  expect([0, 1].map(wildcardFilter)).toEqual(['w/000000/+/t', 'w/000001/#'])
})

test('settles as complete once every tally has its total', async () => {
  const tally = new Tally()
  const settled = settle([{ tally, total: 3 }], 10)
  tally.add(1)
  tally.add(2)
  expect(await settled).toBe('complete')
})

test('settles as capped when the time is up', async () => {
  expect(await settle([{ tally: new Tally(), total: 1 }], 0)).toBe('capped')
})

test('reads CPU time behind a process name with spaces and parentheses', () => {
  const stat = `42 (a (b) c) S ${Array.from({ length: 10 }, () => 0).join(' ')} 150 50 0 0`
  expect(cpuSecondsOf(stat)).toBe(2)
})

test('reads lists of CPUs', () => {
  expect(parseCpuList('0-2,5')).toEqual([0, 1, 2, 5])
  expect(parseCpuList('')).toEqual([0])
})
