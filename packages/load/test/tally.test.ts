import { expect, test } from 'vitest'
import { Tally, settle } from '../src/tally.ts'

test('settles as complete once every tally has its total', async () => {
  const tally = new Tally()
  const settled = settle([{ tally, total: 3 }], 10)
  tally.add(1)
  tally.add(2)
  expect(await settled).toBe('complete')
})

test('settles as capped when the time is up', async () => {
  expect(await settle([{ tally: new Tally(), total: 1 }], 0)).toBe('capped')
})
