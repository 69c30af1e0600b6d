import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Confirmations } from '../src/index.ts'

describe('confirmations of changes', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** A change whose answer is given by hand. */
  function making(confirmations: Confirmations): {
    answer(number: number, brokers: readonly string[]): void
    state(): Promise<'waits' | 'done'>
  } {
    let resolve: (change: { number: number; brokers: readonly string[] }) => void = () => undefined
    let state: 'waits' | 'done' = 'waits'
    void confirmations.change(() => new Promise(answer => void (resolve = answer))).then(() => (state = 'done'))
    return {
      answer: (number, brokers) => resolve({ number, brokers }),
      state: async () => {
        await vi.advanceTimersByTimeAsync(0)
        return state
      },
    }
  }

  test('a change waits for all of its brokers, and for no earlier number of theirs', async () => {
    const confirmations = new Confirmations(1000, () => undefined)
    const change = making(confirmations)
    change.answer(7, ['a', 'b'])
    confirmations.confirmed('a', 7)
    confirmations.confirmed('b', 6)
    expect(await change.state()).toBe('waits')
    confirmations.confirmed('b', 8)
    expect(await change.state()).toBe('done')
  })

  test('what was confirmed before the answer came counts, what was confirmed before the change was begun does not', async () => {
    const confirmations = new Confirmations(1000, () => undefined)
    confirmations.confirmed('a', 7)
    const change = making(confirmations)
    confirmations.confirmed('b', 7)
    change.answer(7, ['a', 'b'])
    expect(await change.state()).toBe('waits')
    confirmations.confirmed('a', 7)
    expect(await change.state()).toBe('done')
  })

  test('a broker that has left is not waited for, and one that says nothing no longer than the timeout', async () => {
    const unconfirmed = vi.fn<() => void>()
    const confirmations = new Confirmations(1000, unconfirmed)
    const change = making(confirmations)
    change.answer(7, ['a', 'b'])
    await vi.advanceTimersByTimeAsync(990)
    confirmations.left('a')
    expect(await change.state()).toBe('waits')
    await vi.advanceTimersByTimeAsync(10)
    expect(await change.state()).toBe('done')
    expect(unconfirmed).toHaveBeenCalledTimes(1)
  })

  test('a change that fails is nobody’s to wait for', async () => {
    const confirmations = new Confirmations(1000, () => undefined)
    await expect(confirmations.change(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})
