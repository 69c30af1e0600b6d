import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PersistentCall, Repetitions } from '../src/calls/persistent-call.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('calls that fail wait for one of them to succeed, and then follow by and by', async () => {
  const repetitions = new Repetitions()
  let [isAway, made, underWay, most] = [true, 0, 0, 0]
  const call = async (): Promise<void> => {
    made += 1
    underWay += 1
    most = Math.max(most, underWay)
    await Promise.resolve()
    underWay -= 1
    if (isAway) throw new Error('away')
  }
  const calls = Array.from({ length: 1000 }, () => new PersistentCall(call, () => true, repetitions))
  await vi.advanceTimersByTimeAsync(2000)
  expect(made).toBeLessThan(1010)
  ;[isAway, most] = [false, 0]
  await vi.advanceTimersByTimeAsync(250)
  await Promise.all(calls.map(async ({ answered }) => answered))
  expect(most).toBe(256)
})

test('one that fails for ever keeps none of the others back', async () => {
  const repetitions = new Repetitions()
  const answers: number[] = []
  let isAway = true
  for (const number of [0, 1, 2, 3]) {
    const call = async (): Promise<void> => {
      if (isAway || number === 0) throw new Error('away')
      answers.push(number)
    }
    void new PersistentCall(call, () => true, repetitions)
  }
  await vi.advanceTimersByTimeAsync(100)
  isAway = false
  await vi.advanceTimersByTimeAsync(2000)
  expect(answers.toSorted()).toEqual([1, 2, 3])
})

test('what is not to be repeated rejects', async () => {
  const call = new PersistentCall(
    async () => Promise.reject(new Error('never')),
    () => false,
    new Repetitions(),
  )
  await expect(call.answered).rejects.toThrow('never')
})
