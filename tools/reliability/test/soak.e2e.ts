import { expect, test } from 'vitest'
import { judge } from '../dist/soak/judgement.js'
import { soak } from '../dist/soak/run.js'

test('two seconds of soaking: the broker counts what its clients count, and a judge finds what is not right', async () => {
  const result = await soak(2000, 2026)
  expect(result.lives).toBeGreaterThan(3)
  expect(judge(result)).toEqual([])

  result.tally.sent.bytes += 1
  result.tally.failures.push('away')
  const { last } = result
  const worse = { ...result, last: { ...last, handles: last.handles + 1 } }
  expect(judge(worse)).toEqual([
    expect.stringContaining('bytes received: the broker has counted'),
    expect.stringContaining('$SYS bytes/received: the broker has counted'),
    expect.stringContaining('mqtt_received_bytes_total: the broker has counted'),
    expect.stringContaining('handles are open at the end'),
    'a client failed: away',
  ])

  const { toldOfTakeOver } = last
  expect(judge({ ...result, last: { ...last, toldOfTakeOver: [...toldOfTakeOver, 'nobody'] } })).toContain(
    'nobody was taken over, and had not been cut',
  )
})
