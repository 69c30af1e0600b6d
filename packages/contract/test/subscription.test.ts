import { expect, test } from 'vitest'
import type { Subscription } from '../src/index.ts'
import { mergeSubscriptions } from '../src/index.ts'

const plain: Subscription = {
  filter: 'a',
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: undefined,
}

test('merges to the highest QoS and every identifier once, in order', { tags: ['MQTT5-3.3.4-2'] }, () => {
  const matching: Subscription[] = [
    { ...plain, qos: 0, subscriptionIdentifier: 3 },
    { ...plain, qos: 2, subscriptionIdentifier: 1 },
    { ...plain, qos: 0 },
    { ...plain, qos: 0, subscriptionIdentifier: 3 },
  ]
  expect(mergeSubscriptions(matching, false)).toEqual({
    qos: 2,
    retainAsPublished: false,
    subscriptionIdentifiers: [3, 1],
  })
})

test('has no identifiers when no subscription has one, and keeps retainAsPublished of any', () => {
  expect(mergeSubscriptions([plain, { ...plain, retainAsPublished: true }], false)).toEqual({
    qos: 1,
    retainAsPublished: true,
    subscriptionIdentifiers: undefined,
  })
})

test('leaves noLocal subscriptions out for the own messages alone', { tags: ['MQTT5-3.8.3-3'] }, () => {
  const noLocal = { ...plain, noLocal: true }
  expect(mergeSubscriptions([noLocal], true)).toBeUndefined()
  expect(mergeSubscriptions([noLocal], false)?.qos).toBe(1)
  expect(mergeSubscriptions([], false)).toBeUndefined()
})
