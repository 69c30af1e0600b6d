import type { Message } from '@x/contract'
import { expect, test } from 'vitest'
import { encodeMessage, IncomingFrame, makeFrame } from '../src/index.ts'

const message: Message = {
  topic: 'a/b',
  payload: Buffer.from('!'),
  qos: 1,
  retain: false,
  properties: undefined,
  expiresAt: undefined,
  publisher: undefined,
  brokerId: 'one',
  brokerCounter: 1,
}

const frame = makeFrame('one~1', [encodeMessage(message, 'one', [])])

test('a frame has the name of its sender, then each message with its lengths', () => {
  const expected = Buffer.concat([
    Buffer.of(0, 0, 0, 5),
    Buffer.from('one~1'),
    Buffer.of(1), // QoS 1, no flags
    Buffer.of(0x3f, 0xf0, 0, 0, 0, 0, 0, 0), // 1 as a double
    Buffer.of(0, 0, 0, 3),
    Buffer.from('a/b'),
    Buffer.of(0, 0, 0, 1),
    Buffer.from('!'),
  ])
  expect(frame).toEqual(expected)
})

test('a frame that ends anywhere within a field is FRAME_INVALID', () => {
  const whole = new Set([9, frame.length])
  for (let length = 0; length < frame.length; length += 1) {
    if (whole.has(length)) continue
    const read = (): void => {
      const incoming = new IncomingFrame(frame.subarray(0, length), undefined)
      while (incoming.hasMore) incoming.next()
    }
    expect(read, `${length} bytes`).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }))
  }
})
