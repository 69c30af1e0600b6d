import { expect, test } from 'vitest'
import { ReconnectDelay } from '../src/reconnect-delay.ts'

const options = { least: 1000, greatest: 30_000, stable: 5000 }

test('waits grow from the least to the greatest, and are never the same for all', () => {
  const longest = new ReconnectDelay(options, () => 1)
  expect(Array.from({ length: 5 }, () => longest.next())).toEqual([2000, 6000, 18_000, 30_000, 30_000])
  const shortest = new ReconnectDelay(options, () => 0)
  expect(Array.from({ length: 3 }, () => shortest.next())).toEqual([1000, 1000, 1000])
})

test('a connection that lasted makes the next wait a short one, one that did not does not', () => {
  const delay = new ReconnectDelay(options, () => 1)
  delay.next()
  delay.next()
  delay.ended(4999)
  expect(delay.next()).toBe(18_000)
  delay.ended(5000)
  expect(delay.next()).toBe(2000)
})
