import { expect, test } from 'vitest'
import { keepMessage } from '../src/index.ts'
import type { Message } from '../src/index.ts'

test.each([0, 1, 63, 64, 65, 100, 4000, 5000])('a kept message with %i bytes holds no other bytes', length => {
  const chunk = Buffer.alloc(65_536, 7)
  const message: Message = {
    topic: 'a',
    payload: chunk.subarray(100, 100 + length),
    qos: 1,
    retain: false,
    properties: chunk.subarray(5000, 5000 + length),
    expiresAt: undefined,
    publisher: undefined,
    brokerId: 'b',
    brokerCounter: 1,
  }
  const { payload, properties } = keepMessage(message)
  expect([payload.buffer.byteLength, properties?.buffer.byteLength]).toEqual([length, length])
  expect(payload.equals(message.payload)).toBe(true)
})
