import { expect, test } from 'vitest'
import { parseCpuList } from '../src/broker-process.ts'

test('reads lists of CPUs', () => {
  expect(parseCpuList('0-2,5')).toEqual([0, 1, 2, 5])
  expect(parseCpuList('')).toEqual([])
})
