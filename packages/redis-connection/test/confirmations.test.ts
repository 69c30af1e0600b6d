import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Confirmations } from '../src/index.ts'

describe('confirmations of changes', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function confirmationsOf(unconfirmed = (): void => undefined): Confirmations {
    const nothing = { atTurnEnd: () => undefined, say: () => Promise.resolve() }
    return new Confirmations({ timeout: 1000, unconfirmed, ...nothing })
  }

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
    const confirmations = confirmationsOf()
    const change = making(confirmations)
    change.answer(7, ['a', 'b'])
    confirmations.confirmed('a', 7)
    confirmations.confirmed('b', 6)
    expect(await change.state()).toBe('waits')
    confirmations.confirmed('b', 8)
    expect(await change.state()).toBe('done')
  })

  test('what was confirmed before the answer came counts, what was confirmed before the change was begun does not', async () => {
    const confirmations = confirmationsOf()
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
    const confirmations = confirmationsOf(unconfirmed)
    const change = making(confirmations)
    change.answer(7, ['a', 'b'])
    await vi.advanceTimersByTimeAsync(990)
    confirmations.left('a')
    expect(await change.state()).toBe('waits')
    await vi.advanceTimersByTimeAsync(10)
    expect(await change.state()).toBe('done')
    expect(unconfirmed).toHaveBeenCalledTimes(1)
  })

  test('what was applied in one turn is said once to each broker', async () => {
    const said: [string, number][] = []
    const tasks: (() => void)[] = []
    const confirmations = new Confirmations({
      timeout: 1000,
      unconfirmed: () => undefined,
      atTurnEnd: task => void tasks.push(task),
      say: async (broker, number) => void said.push([broker, number]),
    })
    for (const number of [1, 2, 3]) confirmations.confirm('a', number)
    confirmations.confirm('b', 4)
    for (const task of tasks) task()
    expect(said).toEqual([
      ['a', 3],
      ['b', 4],
    ])
    expect(tasks).toHaveLength(1)
  })

  test('a change that fails is nobody’s to wait for', async () => {
    const confirmations = confirmationsOf()
    await expect(confirmations.change(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})
