import { ManualClock } from '@x/contract/testing'
import { expect, test } from 'vitest'
import { KeepAlive } from '../src/keep-alive.ts'

function start(seconds: number): { clock: ManualClock; keepAlive: KeepAlive; seen: string[] } {
  const clock = new ManualClock()
  const seen: string[] = []
  const keepAlive = new KeepAlive({
    clock,
    seconds,
    ping: () => seen.push('ping'),
    silent: passed => seen.push(`silent for ${passed} s`),
  })
  return { clock, keepAlive, seen }
}

test('a link that sends nothing pings in each half of the interval, as long as it is answered', () => {
  const { clock, keepAlive, seen } = start(10)
  for (let half = 0; half < 8; half += 1) {
    keepAlive.received()
    clock.advance(5000)
  }
  expect(seen).toEqual(Array.from({ length: 8 }, () => 'ping'))
})

test('a link that sends and gets packets does not ping', () => {
  const { clock, keepAlive, seen } = start(10)
  for (let half = 0; half < 8; half += 1) {
    keepAlive.received()
    keepAlive.sent()
    clock.advance(5000)
  }
  expect(seen).toEqual([])
})

test('a peer that says nothing for two intervals is given up, once', () => {
  const { clock, seen } = start(10)
  clock.advance(60_000)
  expect(seen).toEqual(['ping', 'ping', 'ping', 'silent for 20 s'])
})

test('without an interval nothing is sent, and after its end neither', () => {
  const none = start(0)
  none.clock.advance(1_000_000)
  expect(none.seen).toEqual([])
  const ended = start(10)
  ended.keepAlive.end()
  ended.clock.advance(60_000)
  expect(ended.seen).toEqual([])
})
