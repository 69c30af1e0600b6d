import type { Delivery } from '@x/contract'
import { messageOverhead } from '@x/contract'
import { expect, test } from 'vitest'
import { WaitingQueue } from '../src/session/waiting-queue.ts'
import { Random } from './support/random.ts'

function delivery(number: number, size = 0): Delivery {
  const message = {
    topic: 't',
    payload: Buffer.alloc(size),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: undefined,
    brokerId: 'b',
    brokerCounter: number,
  } as const
  return { message, qos: 1, retain: false, subscriptionIdentifiers: undefined }
}

const numberOf = (item: Delivery | undefined): number | undefined => item?.message.brokerCounter

const limits = { maximumQueuedMessages: 3, maximumQueuedBytes: 4 * messageOverhead, overflow: 'dropOldest' } as const

test('first in, first out', () => {
  const queue = new WaitingQueue(limits)
  for (const number of [1, 2, 3]) expect(queue.push(delivery(number))).toBe(0)
  expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()].map(numberOf)).toEqual([1, 2, 3, undefined])
  expect(queue).toMatchObject({ length: 0, bytes: 0 })
})

test('dropOldest gives the place of the oldest to the newest', () => {
  const queue = new WaitingQueue(limits)
  expect([1, 2, 3, 4, 5].map(number => queue.push(delivery(number)))).toEqual([0, 0, 0, 1, 1])
  expect([queue.shift(), queue.shift(), queue.shift()].map(numberOf)).toEqual([3, 4, 5])
})

test('dropNewest keeps what is there', () => {
  const queue = new WaitingQueue({ ...limits, overflow: 'dropNewest' })
  expect([1, 2, 3, 4, 5].map(number => queue.push(delivery(number)))).toEqual([0, 0, 0, 1, 1])
  expect([queue.shift(), queue.shift(), queue.shift()].map(numberOf)).toEqual([1, 2, 3])
})

test('bytes are all that a message takes, and a large one costs as many small ones as it needs', () => {
  const small = messageOverhead + 10
  const queue = new WaitingQueue({ ...limits, maximumQueuedMessages: 100, maximumQueuedBytes: 10 * small })
  for (let number = 1; number <= 10; number += 1) queue.push(delivery(number, 9))
  expect(queue.bytes).toBe(10 * small)
  expect(queue.push(delivery(11, 9 + 2 * small + 1))).toBe(4)
  expect(queue.bytes).toBe(9 * small + 1)
  expect(numberOf(queue.shift())).toBe(5)
})

test('a message that does not fit even alone is dropped, and pushes nobody out', () => {
  const queue = new WaitingQueue(limits)
  queue.push(delivery(1))
  expect(queue.push(delivery(2, 4 * messageOverhead))).toBe(1)
  expect(queue.length).toBe(1)
  expect(numberOf(queue.shift())).toBe(1)
})

test('congested beyond half of either limit', () => {
  const queue = new WaitingQueue({ ...limits, maximumQueuedMessages: 4, maximumQueuedBytes: 1_000_000 })
  for (const [size, congested] of [
    [0, false],
    [0, false],
    [0, true],
  ] as const) {
    queue.push(delivery(1, size))
    expect(queue.isBackedUp).toBe(congested)
  }
  const bytes = new WaitingQueue({ ...limits, maximumQueuedMessages: 1000 })
  bytes.push(delivery(1, messageOverhead - 1))
  expect(bytes.isBackedUp).toBe(false)
  bytes.push(delivery(2, 0))
  expect(bytes.isBackedUp).toBe(true)
})

test.each([1, 2])('behaves like an array, seed %i', seed => {
  const random = new Random(seed)
  for (const overflow of ['dropOldest', 'dropNewest'] as const) {
    const bounds = { maximumQueuedMessages: 1500, maximumQueuedBytes: 1000 * (messageOverhead + 20), overflow }
    const queue = new WaitingQueue(bounds)
    const model: { number: number; size: number }[] = []
    let bytes = 0
    for (let number = 0; number < 6000; number += 1) {
      if (random.next() < 0.6) {
        const size = messageOverhead + 1 + random.below(30)
        let dropped = 0
        while (model.length >= bounds.maximumQueuedMessages || bytes + size > bounds.maximumQueuedBytes) {
          dropped += 1
          if (bounds.overflow === 'dropNewest') break
          bytes -= model.shift()?.size ?? 0
        }
        if (dropped === 0 || bounds.overflow === 'dropOldest') {
          model.push({ number, size })
          bytes += size
        }
        expect(queue.push(delivery(number, size - 1 - messageOverhead))).toBe(dropped)
      } else {
        const first = model.shift()
        bytes -= first?.size ?? 0
        expect(numberOf(queue.shift())).toBe(first?.number)
      }
      expect(queue.length).toBe(model.length)
    }
    expect(queue.bytes).toBe(bytes)
  }
})

test('all queues together keep to maximumTotalQueuedBytes, and one that goes makes room', () => {
  const bounds = { ...limits, maximumTotalQueuedBytes: 3 * (messageOverhead + 1) }
  const total = { bytes: 0 }
  const [one, other] = [new WaitingQueue(bounds, total), new WaitingQueue(bounds, total)]
  expect([one.push(delivery(1)), one.push(delivery(2)), other.push(delivery(3))]).toEqual([0, 0, 0])
  expect([other.push(delivery(4)), other.length]).toEqual([1, 1])
  expect(numberOf(other.shift())).toBe(4)
  one.clear()
  expect(total.bytes).toBe(0)
  expect([other.push(delivery(5)), other.push(delivery(6)), other.push(delivery(7))]).toEqual([0, 0, 0])
})
