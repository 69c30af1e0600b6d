import { rmSync } from 'node:fs'
import { hasRedisServer } from '@x/redis-connection/testing'
import { describe, expect, test } from 'vitest'
import { reportOf } from '../src/report.ts'
import { run } from '../src/run.ts'

/** Milliseconds of faults. The runs go on beside each other: what takes long is waiting for leases, restarts and silence. */
const milliseconds = 20_000

describe.concurrent('every promise is kept', () => {
  test.skipIf(!hasRedisServer())(
    'by three brokers while they, Redis and the links break (apt-get install redis-server)',
    async () => {
      const result = await run({ seed: 7, milliseconds, brokers: 3, store: 'redis', replicated: false })
      const report = Object.fromEntries(reportOf(result))
      expect(result.violations, `seed 7, history in ${result.directory}`).toEqual([])
      // Something was broken, and something arrived.
      expect(Number(report['brokers killed'])).toBeGreaterThan(2)
      expect(result.history.filter(({ kind }) => kind === 'received').length).toBeGreaterThan(10)
      rmSync(result.directory, { recursive: true })
    },
    300_000,
  )

  for (const brokers of [1, 3]) {
    test(`by ${brokers} of a directory while they are killed and started again`, async () => {
      const result = await run({ seed: 8, milliseconds, brokers, store: 'lmdb', replicated: false })
      const report = Object.fromEntries(reportOf(result))
      expect(result.violations, `seed 8, history in ${result.directory}`).toEqual([])
      expect(Number(report['brokers killed'])).toBeGreaterThan(2)
      // How much depends on the disk, and on who else uses it.
      expect(result.history.filter(({ kind }) => kind === 'received').length).toBeGreaterThan(10)
      rmSync(result.directory, { recursive: true })
    }, 300_000)
  }
})
