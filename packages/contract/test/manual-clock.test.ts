import { expect, test } from 'vitest'
import { ManualClock } from '../src/testing/index.ts'

test('runs timers at their own time, in the order of time, as far as it is moved', () => {
  const clock = new ManualClock(1000)
  const ran: [name: string, at: number][] = []
  const note = (name: string) => (): void => void ran.push([name, clock.now()])
  clock.setTimeout(note('late'), 30)
  clock.setTimeout(note('early'), 10)
  const cancelled = clock.setTimeout(note('cancelled'), 10)
  clock.setTimeout(() => clock.setTimeout(note('nested'), 5), 10)
  clock.clearTimeout(cancelled)
  clock.advance(20)
  expect(ran).toEqual([
    ['early', 1010],
    ['nested', 1015],
  ])
  expect(clock.now()).toBe(1020)
  clock.advance(10)
  expect(ran.at(-1)).toEqual(['late', 1030])
})
