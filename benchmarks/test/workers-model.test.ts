import { expect, test } from 'vitest'
import { project } from '../src/workers/model.ts'

const costs = { publish: 10, pair: 20, crossing: 8, delivery: 0.1, copy: 2, connection: 100, handOut: 5 }

const row = (name: string, cores: number): readonly [number, string] => {
  const found = project(costs, cores).find(one => one.name === name)
  return [Math.round(found?.perSecond ?? 0), found?.limit ?? '']
}

test('messages that stay at their worker grow with the cores', () => {
  expect(row('publishers-1000', 1)).toEqual([100_000, 'the cores'])
  expect(row('publishers-1000', 16)).toEqual([1_600_000, 'the cores'])
})

test('of those for somebody else as many cross as there are other workers', () => {
  expect(row('pairs-100', 1)[0]).toBe(50_000)
  expect(row('pairs-100', 4)[0]).toBe(Math.round(4e6 / 26))
})

test('one publisher to a thousand receivers is held back by the copies for other workers', () => {
  expect(row('fanout-1000, one publisher', 1)).toEqual([10_000_000, 'the cores'])
  expect(row('fanout-1000, one publisher', 64)).toEqual([
    Math.round(1e9 / (1000 / 640 + 126)),
    'copies to other workers, at the publisher’s worker',
  ])
})

test('connections are held back by the primary, which hands each of them out', () => {
  expect(row('connect-storm', 4)).toEqual([40_000, 'the cores'])
  expect(row('connect-storm', 64)).toEqual([200_000, 'the primary, which hands out connections'])
})
