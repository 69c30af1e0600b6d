import { once } from 'node:events'
import { expect, test } from 'vitest'
import { streamPair } from '../src/program/stream-pair.ts'

test('who writes to a pair waits until the other end reads', async () => {
  const [first, second] = streamPair()
  let written = 0
  while (first.write(Buffer.alloc(1024), () => (written += 1)) && written < 1000) await new Promise(setImmediate)
  expect(first.writableNeedDrain).toBe(true)
  const drained = once(first, 'drain')
  second.resume()
  await drained
})

test('one end of a pair reads what was written before the other was destroyed, and then the end', async () => {
  const [first, second] = streamPair()
  first.write('last words')
  first.destroy()
  const chunks: Buffer[] = []
  for await (const chunk of second) chunks.push(chunk as Buffer)
  expect(Buffer.concat(chunks).toString()).toBe('last words')
})
