import { expect, test, vi } from 'vitest'
import { systemClock } from '../src/index.ts'

test('follows the fake timers of a test framework', () => {
  vi.useFakeTimers({ now: 1000 })
  try {
    const ran: string[] = []
    systemClock.setTimeout(() => ran.push('task'), 50)
    systemClock.clearTimeout(systemClock.setTimeout(() => ran.push('cleared'), 50))
    vi.advanceTimersByTime(50)
    expect(ran).toEqual(['task'])
    expect(systemClock.now()).toBe(1050)
  } finally {
    vi.useRealTimers()
  }
})
