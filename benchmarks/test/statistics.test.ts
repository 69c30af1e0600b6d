import { expect, test } from 'vitest'
import { advantage, median, percentile } from '../src/statistics.ts'

test('takes the middle of an odd number of values, in any order', () => {
  expect(median([9, 1, 5])).toBe(5)
})

test('takes the mean of the two middle values of an even number', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('refuses to take a median or percentile of nothing', () => {
  expect(() => median([])).toThrow(RangeError)
  expect(() => percentile([], 99)).toThrow(RangeError)
})

test('takes the nearest rank for a percentile and leaves the samples as they were', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(percentile(samples, 50)).toBe(50)
  expect(percentile(samples, 99)).toBe(99)
  expect(percentile(samples, 100)).toBe(100)
  expect(percentile(samples, 0)).toBe(1)
  expect(samples[0]).toBe(100)
})

test('is above 1 when ours is better, whichever direction is better', () => {
  expect(advantage(300, 100, 'higher')).toBe(3)
  expect(advantage(100, 300, 'lower')).toBe(3)
})

test('has no advantage without both values', () => {
  expect(advantage(undefined, 1, 'higher')).toBeNaN()
  expect(advantage(1, undefined, 'lower')).toBeNaN()
})
