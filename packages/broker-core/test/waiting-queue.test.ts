import type { Delivery } from '@x/contract'
import { expect, test } from 'vitest'
import { WaitingQueue } from '../src/waiting-queue.ts'
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

const limits = { maximumQueuedMessages: 3, maximumQueuedBytes: 100, overflow: 'dropOldest' } as const

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

test('bytes are topic and payload, and a large message costs as many small ones as it needs', () => {
  const queue = new WaitingQueue({ ...limits, maximumQueuedMessages: 100 })
  for (let number = 1; number <= 10; number += 1) queue.push(delivery(number, 9))
  expect(queue.bytes).toBe(100)
  expect(queue.push(delivery(11, 34))).toBe(4)
  expect(queue.bytes).toBe(95)
  expect(numberOf(queue.shift())).toBe(5)
})

test('a message that does not fit even alone is dropped, and pushes nobody out', () => {
  const queue = new WaitingQueue(limits)
  queue.push(delivery(1))
  expect(queue.push(delivery(2, 1000))).toBe(1)
  expect(queue.length).toBe(1)
  expect(numberOf(queue.shift())).toBe(1)
})

test('congested beyond half of either limit', () => {
  const queue = new WaitingQueue({ ...limits, maximumQueuedMessages: 4 })
  for (const [size, congested] of [
    [0, false],
    [0, false],
    [0, true],
  ] as const) {
    queue.push(delivery(1, size))
    expect(queue.congested).toBe(congested)
  }
  const bytes = new WaitingQueue({ ...limits, maximumQueuedMessages: 1000 })
  bytes.push(delivery(1, 49))
  expect(bytes.congested).toBe(false)
  bytes.push(delivery(2, 0))
  expect(bytes.congested).toBe(true)
})

test.each([1, 2])('behaves like an array, seed %i', seed => {
  const random = new Random(seed)
  for (const overflow of ['dropOldest', 'dropNewest'] as const) {
    const bounds = { maximumQueuedMessages: 1500, maximumQueuedBytes: 20_000, overflow }
    const queue = new WaitingQueue(bounds)
    const model: { number: number; size: number }[] = []
    let bytes = 0
    for (let number = 0; number < 6000; number += 1) {
      if (random.next() < 0.6) {
        const size = 1 + random.below(30)
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
        expect(queue.push(delivery(number, size - 1))).toBe(dropped)
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
