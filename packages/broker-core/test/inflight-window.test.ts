import { packetIdOf } from '@x/contract'
import { describe, expect, test } from 'vitest'
import { Inflight, InflightWindow } from '../src/session/inflight-window.ts'
import type { InflightState } from '../src/session/inflight-window.ts'
import { Random } from './support/random.ts'

test('a message is found by its packet identifier until its flow is over', () => {
  const window = new InflightWindow(65_534)
  for (const sequence of [65_534, 65_535, 65_536]) window.add(sequence, Inflight.puback)
  expect([65_534, 65_535, 1, 2].map(id => window.find(id))).toEqual([65_534, 65_535, 65_536, -1])
  window.finish(65_535)
  expect(window.find(65_535)).toBe(-1)
  expect(window.open).toBe(2)
})

test('PUBREC turns what is waited for into PUBCOMP', () => {
  const window = new InflightWindow(0)
  window.add(0, Inflight.pubrec)
  expect(window.state(0)).toBe(Inflight.pubrec)
  window.release(0)
  expect(window.state(0)).toBe(Inflight.pubcomp)
  expect(window.open).toBe(1)
})

test('there is room below the limit, and while the packet identifier of a sequence is not in use', () => {
  const window = new InflightWindow(10)
  expect(window.hasRoom(1, 10)).toBe(true)
  window.add(10, Inflight.puback)
  expect(window.hasRoom(1, 11)).toBe(false)
  expect(window.hasRoom(2, 11)).toBe(true)
  expect(window.hasRoom(2, 10 + 65_534)).toBe(true)
  expect(window.hasRoom(2, 10 + 65_535)).toBe(false)
  expect(window.reaches(10 + 65_535)).toBe(false)
  window.finish(10)
  expect(window.hasRoom(1, 10 + 65_535)).toBe(true)
  expect(window.reaches(2 ** 52)).toBe(true)
})

test('a gap of sequences costs nothing once the window is empty', () => {
  const window = new InflightWindow(0)
  for (const sequence of [0, 5_000_000, 2 ** 40]) {
    window.add(sequence, Inflight.puback)
    expect(window.find(packetIdOf(sequence))).toBe(sequence)
    window.finish(sequence)
  }
  expect(window.open).toBe(0)
})

test('messages that pass each other are found like others', () => {
  const window = new InflightWindow(0)
  window.add(20, Inflight.puback)
  for (const sequence of [18, 3, 25, 19]) window.add(sequence, Inflight.puback)
  expect(window.nextSequence).toBe(26)
  for (const sequence of [20, 3, 19, 25, 18]) {
    expect(window.find(packetIdOf(sequence))).toBe(sequence)
    window.finish(sequence)
    expect(window.find(packetIdOf(sequence))).toBe(-1)
  }
  expect(window.open).toBe(0)
  window.add(65_536, Inflight.puback)
  expect(window.hasRoom(9, 2)).toBe(true)
  expect(window.hasRoom(9, 1)).toBe(false)
})

describe.each([1, 2, 3])('seed %i', seed => {
  test('behaves like a map of sequence to state', () => {
    const random = new Random(seed)
    const model = new Map<number, InflightState>()
    let next = random.below(200_000)
    const window = new InflightWindow(next)
    for (let step = 0; step < 2000; step += 1) {
      const limit = 1 + random.below(300)
      const open = [...model.keys()]
      if (random.next() < 0.55) {
        const sequence = next + (random.next() < 0.1 ? random.below(50) : 0)
        const lowest = open.length === 0 ? sequence : Math.min(...open)
        const room = model.size < limit && sequence - lowest < 65_535
        expect(window.hasRoom(limit, sequence)).toBe(room)
        if (!room) continue
        const state = random.pick([Inflight.puback, Inflight.pubrec, Inflight.pubcomp])
        window.add(sequence, state)
        model.set(sequence, state)
        next = sequence + 1
        expect(window.nextSequence).toBe(next)
      } else if (open.length > 0) {
        const sequence = random.next() < 0.7 ? Math.min(...open) : random.pick(open)
        if (model.get(sequence) === Inflight.pubrec && random.next() < 0.5) {
          window.release(sequence)
          model.set(sequence, Inflight.pubcomp)
        } else {
          window.finish(sequence)
          model.delete(sequence)
        }
      }
      expect(window.open).toBe(model.size)
      const probe = next - random.below(400)
      expect(window.state(probe)).toBe(model.get(probe) ?? Inflight.none)
      const id = 1 + random.below(65_535)
      const expected = [...model.keys()].find(sequence => packetIdOf(sequence) === id) ?? -1
      expect(window.find(id)).toBe(expected)
    }
  })
})
