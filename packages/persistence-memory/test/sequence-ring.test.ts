import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SequenceRing } from '../src/sequence-ring.ts'

const seed = 20_241_124

type Step = { readonly kind: 'push'; readonly gap: number } | { readonly kind: 'remove'; readonly pick: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), gap: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('remove' as const), pick: fc.nat(200) }),
)

test('holds the same items as a sorted list, whatever is pushed and removed', () => {
  const property = fc.property(fc.array(step, { maxLength: 300 }), steps => {
    const ring = new SequenceRing<{ sequence: number }>()
    let model: number[] = []
    let last = 0
    for (const one of steps) {
      if (one.kind === 'push') {
        last += one.gap
        ring.push({ sequence: last })
        model.push(last)
      } else {
        const sequence = model[one.pick % (model.length + 1)] ?? one.pick
        expect(ring.remove(sequence)?.sequence).toBe(model.includes(sequence) ? sequence : undefined)
        model = model.filter(item => item !== sequence)
      }
      const items = Array.from({ length: ring.length }, (_, place) => ring.itemAt(place)?.sequence)
      expect(items.filter(item => item !== undefined)).toEqual(model)
      expect(ring.size).toBe(model.length)
      for (const sequence of model) expect(ring.get(sequence)?.sequence).toBe(sequence)
    }
  })
  fc.assert(property, { seed, numRuns: 200 })
})

test('holds no slots while it is empty', () => {
  const ring = new SequenceRing<{ sequence: number }>()
  expect(ring.footprint).toBe(0)
  for (let sequence = 1; sequence <= 1000; sequence += 1) ring.push({ sequence })
  for (let sequence = 1000; sequence >= 1; sequence -= 1) ring.remove(sequence)
  expect(ring.footprint).toBe(0)
})

test('does not grow with what has passed through while one item stays', () => {
  const ring = new SequenceRing<{ sequence: number }>()
  let largest = 0
  ring.push({ sequence: 0 })
  for (let sequence = 1; sequence <= 200_000; sequence += 1) {
    ring.push({ sequence })
    if (sequence > 10) ring.remove(sequence - 10)
    largest = Math.max(largest, ring.footprint)
  }
  expect(ring.size).toBe(11)
  expect(largest).toBeLessThanOrEqual(32)
})

test('gives slots back when a long queue has drained', () => {
  const ring = new SequenceRing<{ sequence: number }>()
  for (let sequence = 1; sequence <= 100_000; sequence += 1) ring.push({ sequence })
  for (let sequence = 1; sequence <= 99_990; sequence += 1) ring.remove(sequence)
  expect(ring.footprint).toBeLessThanOrEqual(128)
  expect(ring.itemAt(0)?.sequence).toBe(99_991)
})

test('finds items whose sequences have left the 32-bit range', () => {
  const ring = new SequenceRing<{ sequence: number }>()
  const start = 2 ** 33
  for (let offset = 0; offset < 20; offset += 1) ring.push({ sequence: start + offset })
  for (let offset = 0; offset < 20; offset += 2) ring.remove(start + offset)
  expect(ring.get(start + 7)?.sequence).toBe(start + 7)
  expect(ring.get(start + 8)).toBeUndefined()
})
