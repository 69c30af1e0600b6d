import { expect, test } from 'vitest'
import { planFaults } from '../src/fault-plan.ts'
import { callLook, packetLook } from '../src/points.ts'
import { Random } from '../src/random.ts'

const options = { milliseconds: 60_000, brokers: 3, store: 'redis' } as const

test('a seed gives the same faults again, another seed gives others', () => {
  const plan = planFaults(new Random(1), options)
  expect(planFaults(new Random(1), options)).toEqual(plan)
  expect(planFaults(new Random(2), options)).not.toEqual(plan)
})

test('ten minutes have at least 100 kills and 20 cut links to Redis', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const plan = planFaults(new Random(seed), { ...options, milliseconds: 600_000 }).map(({ fault }) => fault)
    expect(plan.filter(({ kind }) => kind === 'kill' || kind === 'killAtPoint').length).toBeGreaterThan(100)
    expect(plan.filter(fault => fault.kind === 'cutLink' && fault.link === 'redis').length).toBeGreaterThanOrEqual(20)
  }
})

test('without Redis nothing of it is struck, and ten minutes have at least 300 kills', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const faults = planFaults(new Random(seed), { milliseconds: 600_000, brokers: 1, store: 'lmdb' }).map(
      ({ fault }) => fault,
    )
    expect(faults.filter(({ kind }) => kind === 'kill' || kind === 'killAtPoint').length).toBeGreaterThan(300)
    expect(JSON.stringify(faults)).not.toMatch(/redis/i)
  }
})

test('a PUBACK is found where it begins, whatever the chunks are and whatever the payloads look like', () => {
  // PUBLISH QoS 0 of topic 'a' whose payload looks like a PUBACK; then PUBACK 7.
  const bytes = Buffer.from([0x30, 7, 0, 1, 0x61, 0x40, 2, 0, 7, 0x40, 2, 0, 7])
  expect(packetLook(4)(bytes)).toBe(9)
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const look = packetLook(4)
    const places = [look(bytes.subarray(0, cut)), look(bytes.subarray(cut))]
    expect(places).toEqual(cut > 9 ? [9, -1] : [-1, 9 - cut])
  }
})

test('a call of a function is found where its command begins', () => {
  const before = '*1\r\n$4\r\nPING\r\n'
  const bytes = Buffer.from(`${before}*3\r\n$5\r\nFCALL\r\n$9\r\nx_publish\r\n$1\r\n1\r\n`)
  expect(callLook('publish')(bytes)).toBe(before.length)
  expect(callLook('settle')(bytes)).toBe(-1)
})

test('ten minutes of one Redis lose what it has three times; of one with a replica only what the replica has not', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const kindsOf = (replicated: boolean): string[] =>
      planFaults(new Random(seed), { ...options, milliseconds: 600_000, replicated }).map(({ fault }) => fault.kind)
    const [alone, pair] = [kindsOf(false), kindsOf(true)]
    expect(alone.filter(kind => kind === 'rewindRedis' || kind === 'emptyRedis')).toHaveLength(3)
    expect(pair.filter(kind => kind === 'rewindRedis' || kind === 'emptyRedis')).toHaveLength(0)
    expect(pair.filter(kind => kind === 'loseUnreplicated').length).toBeGreaterThanOrEqual(7)
    expect(alone.filter(kind => kind === 'fillRedis').length).toBeGreaterThan(2)
  }
})
