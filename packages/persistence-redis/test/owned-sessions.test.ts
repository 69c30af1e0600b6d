import type { PersistenceHost } from '@x/contract'
import { Slices, systemClock } from '@x/contract'
import { expect, test } from 'vitest'
import { OwnedSessions } from '../src/owned-sessions.ts'
import type { StoreCalls } from '../src/calls/store-calls.ts'

const host: PersistenceHost = {
  brokerId: 'broker',
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: 1, maximumQueuedBytes: 1, overflow: 'dropOldest' },
  groupReady: () => undefined,
  dropped: () => undefined,
}

test('looks at two hundred queues at a time, at each once more when news may have been lost meanwhile', async () => {
  let [looks, underWay, most] = [0, 0, 0]
  const calls: Pick<StoreCalls, 'callFor'> = {
    callFor: async () => {
      looks += 1
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise(setImmediate)
      underWay -= 1
      return [[], 0]
    },
  }
  const sessions = new OwnedSessions(calls as StoreCalls, host, () => undefined)
  const owner = { deliver: () => true, fenced: () => undefined }
  for (let index = 0; index < 2500; index += 1) sessions.add(`${index}`, `epoch ${index}`, owner).opened(0, false)
  sessions.lookAgain()
  sessions.lookAgain()
  await expect.poll(() => [looks, underWay]).toEqual([5000, 0])
  expect(most).toBe(200)
})
