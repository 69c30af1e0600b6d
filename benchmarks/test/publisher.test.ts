import { expect, test } from 'vitest'
import { FrameRing } from '@x/load'
import { NewTopics, wildcardFilter } from '../src/load/wildcard.ts'

test('supplies frames in turns, without a seam at the end of a round', () => {
  const supply = new FrameRing([Buffer.of(1, 2), Buffer.of(3, 4), Buffer.of(5, 6)], 5)
  expect(supply.blockSize).toBe(2)
  expect([...supply.take(2)]).toEqual([1, 2, 3, 4])
  expect([...supply.take(2)]).toEqual([5, 6, 1, 2])
  expect([...supply.take(1)]).toEqual([3, 4])
})

test('supplies no more than its frames at a time, however much room there is', () => {
  expect(new FrameRing([Buffer.of(1), Buffer.of(2)], Number.POSITIVE_INFINITY).blockSize).toBe(2)
})

test('refuses frames that differ in length', () => {
  expect(() => new FrameRing([Buffer.of(1), Buffer.of(1, 2)], 10)).toThrow('frames differ in length')
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
