import { expect, test } from 'vitest'
import { Presence } from '../src/presence.ts'
import { createCounters } from '../src/emitter-counters.ts'

test('a lost lease is told once, until all is well again', async () => {
  const codes: string[] = []
  const counters = createCounters()
  const redis = { lost: false, inboxLost: false, joins: true }
  const lease = new Presence({
    brokerId: 'one',
    counters,
    report: ({ code }) => void codes.push(code),
    join: async () => {
      if (!redis.joins) throw new Error('cut')
      redis.lost = false
    },
    renew: async () => ({
      lost: redis.lost,
      inbox: { lost: redis.inboxLost, mayMiss: false },
      known: async () => true,
    }),
    tend: async () => ({ lost: redis.inboxLost, mayMiss: false }),
  })
  expect(await lease.renew()).toBe(true)
  Object.assign(redis, { lost: true, joins: false })
  await expect(lease.renew()).rejects.toThrow('cut')
  await expect(lease.renew()).rejects.toThrow('cut')
  redis.joins = true
  expect(await lease.renew()).toBe(false)
  // The other node of a cluster.
  redis.inboxLost = true
  expect(await lease.renew()).toBe(true)
  redis.inboxLost = false
  expect(await lease.renew()).toBe(true)
  expect([codes, counters.leasesLost]).toEqual([['LEASE_LOST'], 1])
  redis.lost = true
  await lease.renew()
  expect(codes).toHaveLength(2)
})
