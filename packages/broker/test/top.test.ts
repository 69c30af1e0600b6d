import { expect, test } from 'vitest'
import { topFrame } from '../src/client-tools/top-frame.ts'
import { TopNumbers } from '../src/client-tools/top-numbers.ts'

function numbersOf(rows: Readonly<Record<string, string>>, now = 0): TopNumbers {
  const numbers = new TopNumbers()
  for (const [name, text] of Object.entries(rows)) numbers.take(`$SYS/broker/${name}`, text, now)
  return numbers
}

test('a frame has clients, messages and what the broker keeps, in readable units', () => {
  const numbers = numbersOf({
    version: 'x-broker version 1',
    uptime: '90061 seconds',
    'clients/connected': '1234',
    'clients/total': '1300',
    'publish/messages/received': '5000000',
    'publish/bytes/sent': '1234567',
    'heap/current': '50000000',
  })
  const frame = topFrame(numbers, 0).join('\n')
  expect(frame).toContain('x-broker version 1, up 1 d 1 h')
  expect(frame).toMatch(/^clients +1,234 +0 +0 +1,300$/m)
  expect(frame).toMatch(/^messages +- +- +5,000,000 +0$/m)
  expect(frame).toMatch(/^payload +- +- +0 B +1\.2 MB$/m)
  expect(frame).toMatch(/^heap +50\.0 MB/m)
})

test('rates are those between two looks of the broker at itself, and 0 when it tells nothing new', () => {
  const numbers = numbersOf({ 'publish/messages/sent': '1000', 'bytes/sent': '0' })
  numbers.take('$SYS/broker/publish/messages/sent', '21000', 10_000)
  numbers.take('$SYS/broker/bytes/sent', '5000000', 10_000)
  expect(topFrame(numbers, 10_000).join('\n')).toMatch(/^messages +- +2,000\/s/m)
  expect(topFrame(numbers, 10_000).join('\n')).toMatch(/^network +- +500\.0 kB\/s/m)
  expect(topFrame(numbers, 60_000).join('\n')).toMatch(/^messages +- +0\/s/m)
})

test('listeners and errors are listed, the greatest first and a few of them, and steer no terminal', () => {
  const errors = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`errors/CODE_${index}`, String(index)]))
  const frame = topFrame(numbersOf({ ...errors, 'listeners/\u001B[2J/connections': '7' }), 0)
  expect(frame.join('\n')).not.toContain('\u001B')
  const at = frame.indexOf('errors of peers')
  expect(frame.slice(at + 1).map(line => line.trim().split(/ +/)[0])).toEqual([
    ...Array.from({ length: 8 }, (_, index) => `CODE_${19 - index}`),
    'and',
  ])
  expect(frame[frame.indexOf('listeners') + 1]).toMatch(/^ {2}\?\[2J +7$/)
})

test('other topics are no numbers', () => {
  const numbers = new TopNumbers()
  numbers.take('$SYS/other/uptime', '1', 0)
  expect(numbers.text('uptime')).toBe('')
})
