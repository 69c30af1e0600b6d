import { expect, test } from 'vitest'
import { startBroker } from './support/start-broker.ts'

test('reading a list takes 2 ms of a turn of the event loop at most', async () => {
  const { broker } = await startBroker()
  let steps = 0
  /** Half a millisecond. */
  const step = (): boolean => {
    const began = performance.now()
    while (performance.now() - began < 0.5);
    steps += 1
    return steps < 12
  }
  const done = broker.inspection.slices.run(step)
  // A fifth one may begin just before the end of the second millisecond.
  expect(steps).toBeLessThanOrEqual(5)
  await done
  expect(steps).toBe(12)
})
