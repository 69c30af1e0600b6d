import { ManualClock } from '@x/contract/testing'
import { expect, test } from 'vitest'
import { LoopWatch } from '../src/loop-watch.ts'

function start(): { clock: ManualClock; found: string[]; out(text: string): boolean; in(text: string): boolean } {
  const clock = new ManualClock()
  const found: string[] = []
  const watch = new LoopWatch(clock, (topic, rounds) => found.push(`${topic} ${rounds}`))
  return {
    clock,
    found,
    out: text => watch.stops('out', 'a', Buffer.from(text)),
    in: text => watch.stops('in', 'a', Buffer.from(text)),
  }
}

test.each(['on', 'x'.repeat(100_000)])(
  'a message that comes back ten times is stopped, on either way, and told once',
  text => {
    const { found, ...bridge } = start()
    for (let round = 0; round < 10; round += 1) {
      expect([bridge.out(text), bridge.in(text)]).toEqual([false, false])
    }
    expect([bridge.out(text), bridge.in(text), bridge.out(text)]).toEqual([true, true, true])
    expect(found).toEqual(['a 10'])
  },
)

test('once it no longer comes it may be published again', () => {
  const { clock, ...bridge } = start()
  for (let round = 0; round < 11; round += 1) {
    bridge.out('on')
    bridge.in('on')
  }
  expect(bridge.out('on')).toBe(true)
  clock.advance(2001)
  expect(bridge.out('on')).toBe(false)
})

test('the same message again and again in one direction is none that goes in circles', () => {
  const { found, ...bridge } = start()
  for (let time = 0; time < 1000; time += 1) expect(bridge.out('on')).toBe(false)
  for (let time = 0; time < 1000; time += 1) expect(bridge.in('on')).toBe(false)
  expect(found).toEqual([])
})

test('messages to and fro with different contents, or slowly, are none either', () => {
  const { clock, found, ...bridge } = start()
  for (let time = 0; time < 100; time += 1) {
    bridge.out(`${time}`)
    bridge.in(`${time}`)
    bridge.out('on')
    bridge.in('on')
    clock.advance(4000)
  }
  expect(found).toEqual([])
})

test('of many messages the oldest is forgotten', () => {
  const { found, ...bridge } = start()
  for (let round = 0; round < 11; round += 1) {
    for (let number = 0; number < 4097; number += 1) {
      expect([bridge.out(`${number}`), bridge.in(`${number}`)]).toEqual([false, false])
    }
  }
  expect(found).toEqual([])
})
