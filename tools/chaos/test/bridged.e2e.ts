import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runBridged } from '../src/bridged-run.ts'

/** Milliseconds of faults. */
const milliseconds = 12_000

describe.concurrent('nothing that a broker has acknowledged is lost, nothing of QoS 2 comes twice, and topics keep their order', () => {
  test.for([
    [4, 11],
    [5, 12],
  ] as const)(
    'over a bridge that speaks %i while both brokers are killed, and the link is cut and stalled',
    { timeout: 150_000 },
    async ([version, seed]) => {
      const { history, violations, directory } = await runBridged({ seed, milliseconds, version })
      expect(violations, `seed ${seed}, history in ${directory}`).toEqual([])
      // Something was broken, and something arrived.
      expect(history.filter(event => event.kind === 'fault').length).toBeGreaterThan(3)
      expect(history.filter(event => event.kind === 'received').length).toBeGreaterThan(50)
      rmSync(directory, { recursive: true })
    },
  )
})
