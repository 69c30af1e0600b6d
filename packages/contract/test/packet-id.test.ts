import { expect, test } from 'vitest'
import { packetIdOf, sequenceWith } from '../src/index.ts'

test('packet identifiers run from 1 to 65 535 and start again at 1', { tags: ['MQTT5-2.2.1-4'] }, () => {
  expect([1, 2, 65_535, 65_536, 131_070, 131_071].map(packetIdOf)).toEqual([1, 2, 65_535, 1, 65_535, 1])
})

test.each([
  [0, 1, 1],
  [0, 65_535, 65_535],
  [1, 1, 65_536],
  [7, 3, 65_538],
  [65_535, 65_535, 131_070],
  [65_536, 2, 65_537],
])('above sequence %i, identifier %i is that of %i', (last, packetId, sequence) => {
  expect(sequenceWith(packetId, last)).toBe(sequence)
  expect(packetIdOf(sequence)).toBe(packetId)
})
