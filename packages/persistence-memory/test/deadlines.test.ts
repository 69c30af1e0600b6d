import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deadline } from '../src/deadlines.ts'
import { Deadlines } from '../src/deadlines.ts'

const seed = 20_241_124

test('takes what was set and not cancelled, by time and then by the order of setting', () => {
  const steps = fc.array(fc.record({ at: fc.nat(50), cancels: fc.option(fc.nat(100)) }), { maxLength: 200 })
  const property = fc.property(steps, fc.nat(60), (all, now) => {
    const deadlines = new Deadlines<number>()
    const set: Deadline<number>[] = []
    const cancelled = new Set<number>()
    for (const { at, cancels } of all) {
      set.push(deadlines.set(at, set.length))
      const victim = cancels === null ? undefined : set[cancels]
      if (victim === undefined) continue
      deadlines.cancel(victim)
      cancelled.add(victim.subject)
    }
    expect(deadlines.size).toBe(set.length - cancelled.size)
    const expected = set
      .filter(({ at, subject }) => at <= now && !cancelled.has(subject))
      .sort((one, other) => one.at - other.at || one.subject - other.subject)
    const taken: Deadline<number>[] = []
    for (let due = deadlines.take(now); due !== undefined; due = deadlines.take(now)) taken.push(due)
    expect(taken.map(({ subject }) => subject)).toEqual(expected.map(({ subject }) => subject))
  })
  fc.assert(property, { seed, numRuns: 300 })
})

test('holds no more cancelled deadlines than pending ones, but for a few', () => {
  const deadlines = new Deadlines<number>()
  let largest = 0
  deadlines.set(1, 0)
  for (let count = 1; count <= 100_000; count += 1) {
    deadlines.cancel(deadlines.set(1_000_000 + count, count))
    largest = Math.max(largest, deadlines.footprint)
  }
  expect(largest).toBeLessThanOrEqual(34)
  expect(deadlines.size).toBe(1)
  expect(deadlines.take(1)?.subject).toBe(0)
  expect(deadlines.take(2 ** 50)).toBeUndefined()
})
