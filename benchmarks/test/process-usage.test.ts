import { expect, test } from 'vitest'
import { cpuSecondsOf } from '../src/load/process-usage.ts'

test('reads CPU time behind a process name with spaces and parentheses', () => {
  const stat = `42 (a (b) c) S ${Array.from({ length: 10 }, () => 0).join(' ')} 150 50 0 0`
  expect(cpuSecondsOf(stat)).toEqual({ user: 1.5, kernel: 0.5 })
})
