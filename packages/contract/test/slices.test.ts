import { Slices } from '@x/contract'
import { expect, test } from 'vitest'

/** Slices whose steps take as long as they say, in turns that the test begins. */
function sliced(budget: number) {
  let now = 0
  let resumptions: (() => void)[] = []
  const slices = new Slices({ budget, now: () => now, defer: resume => void resumptions.push(resume) })
  const log: string[] = []
  const steps = (name: string, count: number, milliseconds: number) => {
    let done = 0
    return (): boolean => {
      now += milliseconds
      done += 1
      log.push(`${name}${done}`)
      return done < count
    }
  }
  const nextTurn = (): void => {
    const resumed = resumptions
    resumptions = []
    for (const resume of resumed) resume()
  }
  return { slices, log, steps, nextTurn }
}

test('short work is done at once, without a promise', () => {
  const { slices, log, steps } = sliced(10)
  expect(slices.run(steps('a', 3, 1))).toBeUndefined()
  expect(log).toEqual(['a1', 'a2', 'a3'])
})

test('work beyond the budget of a turn goes on in the next ones', async () => {
  const { slices, log, steps, nextTurn } = sliced(2)
  const done = slices.run(steps('a', 5, 1))
  expect(log).toEqual(['a1', 'a2'])
  nextTurn()
  expect(log).toEqual(['a1', 'a2', 'a3', 'a4'])
  nextTurn()
  await done
  expect(log).toHaveLength(5)
  expect(slices.waiting).toBe(0)
})

test('all jobs of a turn share its budget', () => {
  const { slices, log, steps, nextTurn } = sliced(2)
  void slices.run(steps('a', 2, 1))
  void slices.run(steps('b', 2, 1))
  expect(log).toEqual(['a1', 'a2'])
  nextTurn()
  expect(log).toEqual(['a1', 'a2', 'b1', 'b2'])
})

test('jobs take turns, so that a short one does not wait for a long one', () => {
  const { slices, log, steps, nextTurn } = sliced(2)
  void slices.run(steps('a', 100, 1))
  void slices.run(steps('b', 1, 1))
  nextTurn()
  expect(log).toEqual(['a1', 'a2', 'a3', 'b1'])
})

test('a step that throws ends its own job alone', async () => {
  const { slices, log, steps, nextTurn } = sliced(1)
  const failing = (): boolean => {
    throw new Error('broken')
  }
  expect(() => slices.run(failing)).toThrow('broken')
  const first = slices.run(steps('a', 2, 1))
  const second = slices.run(failing)
  const third = slices.run(steps('b', 2, 1))
  nextTurn()
  nextTurn()
  nextTurn()
  nextTurn()
  await expect(second).rejects.toThrow('broken')
  await first
  await third
  expect(log).toEqual(['a1', 'a2', 'b1', 'b2'])
})

test('a turn that lasts ends when others have been served', async () => {
  const slices = new Slices({ budget: 1 })
  let served = false
  setImmediate(() => {
    served = true
  })
  let steps = 0
  await slices.run(() => {
    // Longer than the budget of a turn.
    const until = performance.now() + 2
    while (performance.now() < until);
    steps += 1
    return steps < 3
  })
  expect(served).toBe(true)
})
