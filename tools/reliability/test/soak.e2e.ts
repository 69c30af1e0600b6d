import { expect, test } from 'vitest'
import { judge } from '../src/soak/judgement.ts'
import type { SoakResult } from '../src/soak/run.ts'
import { soak } from '../dist/soak/run.js'

test('three seconds of soaking: the broker counts what its clients count', { timeout: 60_000 }, async () => {
  const result: SoakResult = await soak(3000, 2026)
  expect(result.lives).toBeGreaterThan(40)
  expect(judge(result)).toEqual([])
})

test('a judge finds what is not right', { timeout: 60_000 }, async () => {
  const result: SoakResult = await soak(500, 2027)
  result.tally.sent.bytes += 1
  result.tally.failures.push('away')
  const { last } = result
  const worse = { ...result, last: { ...last, handles: last.handles + 1 } }
  expect(judge(worse)).toEqual([
    expect.stringContaining('bytes received: the broker has counted'),
    expect.stringContaining('$SYS bytes/received: the broker has counted'),
    expect.stringContaining('handles are open at the end'),
    'a client failed: away',
  ])
})
