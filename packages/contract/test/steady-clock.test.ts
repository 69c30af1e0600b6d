import { expect, test } from 'vitest'
import { SteadyClock } from '../src/index.ts'
import { ManualClock } from '../src/testing/index.ts'

const start = 1_700_000_000_000

test.each([200_000, -200_000])('does not follow a machine time that is set by %i ms', step => {
  const machine = new ManualClock(start)
  const clock = new SteadyClock(machine)
  machine.setMachineTime(step)
  expect(clock.now()).toBe(start)
  machine.advance(300)
  expect(clock.now()).toBe(start + 300)
  expect(machine.now()).toBe(start + step + 300)
})

test('rests while the process stands still, however often', () => {
  const machine = new ManualClock(start)
  const clock = new SteadyClock(machine)
  machine.standStill(60_000)
  expect(clock.now()).toBe(start + 250)
  machine.standStill(500)
  expect(clock.now()).toBe(start + 750)
  machine.standStill(3_600_000)
  expect(clock.now()).toBe(start + 1000)
})

test('tells whole milliseconds that never go back', () => {
  let monotonic = 0.7
  const clock = new SteadyClock({
    now: () => start,
    monotonic: () => monotonic,
    setTimeout: () => undefined,
    clearTimeout: () => undefined,
  })
  let last = clock.now()
  for (; monotonic < 2000; monotonic += 17.3) {
    const now = clock.now()
    expect(Number.isInteger(now)).toBe(true)
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
})

test('converts between its time and that of the machine, which others go by', () => {
  const machine = new ManualClock(start)
  const clock = new SteadyClock(machine)
  const expiresAt = clock.now() + 10_000
  expect(clock.toMachine(expiresAt)).toBe(expiresAt)
  machine.setMachineTime(3_600_000)
  expect(clock.toMachine(expiresAt)).toBe(machine.now() + 10_000)
  expect(clock.fromMachine(machine.now() + 10_000)).toBe(expiresAt)
  machine.setMachineTime(-7_200_000)
  expect(clock.toMachine(expiresAt)).toBe(machine.now() + 10_000)
})
