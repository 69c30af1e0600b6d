import { Slices, systemClock } from '@x/contract'
import type { Clock } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { DeadlineWheel, moreIsDue } from '../src/ground/deadline-wheel.ts'
import type { Deadlined } from '../src/ground/deadline-wheel.ts'
import { Random } from './support/random.ts'

class Item implements Deadlined {
  wheelTick = 0
  /** When it was asked. */
  readonly asked: number[] = []
  readonly #answer: (now: number) => number

  constructor(answer: (now: number) => number = () => 0) {
    this.#answer = answer
  }

  checkDeadlines(now: number): number {
    this.asked.push(now)
    return this.#answer(now)
  }
}

const tick = DeadlineWheel.tickMilliseconds

test('asks at the deadline or up to two ticks later, never before', () => {
  const clock = new ManualClock()
  const start = clock.now()
  const wheel = new DeadlineWheel(clock)
  const items = Array.from({ length: 40 }, (_, index) => ({ at: start + index * 97, item: new Item() }))
  for (const { at, item } of items) wheel.schedule(item, at)
  clock.advance(40 * 97 + 3 * tick)
  for (const { at, item } of items) {
    expect(item.asked).toHaveLength(1)
    expect((item.asked[0] ?? 0) - at).toBeGreaterThanOrEqual(0)
    expect((item.asked[0] ?? 0) - at).toBeLessThanOrEqual(2 * tick)
  }
})

test('asks again when the item says so, and forgets it otherwise', () => {
  const clock = new ManualClock()
  const wheel = new DeadlineWheel(clock)
  const item = new Item(now => (item.asked.length < 3 ? now + 1000 : 0))
  wheel.schedule(item, clock.now() + 1000)
  clock.advance(60_000)
  expect(item.asked).toHaveLength(3)
})

test('an earlier appointment stays, a later one gives way', () => {
  const clock = new ManualClock()
  const start = clock.now()
  const wheel = new DeadlineWheel(clock)
  const item = new Item()
  wheel.schedule(item, start + 10_000)
  wheel.schedule(item, start + 1000)
  wheel.schedule(item, start + 20_000)
  clock.advance(30_000)
  expect(item.asked.map(at => at - start)).toEqual([1000])
})

test('cancel forgets the appointment, and a new one counts', () => {
  const clock = new ManualClock()
  const start = clock.now()
  const wheel = new DeadlineWheel(clock)
  const item = new Item()
  wheel.schedule(item, start + 1000)
  wheel.cancel(item)
  clock.advance(5000)
  expect(item.asked).toEqual([])
  wheel.schedule(item, start + 6000)
  clock.advance(5000)
  expect(item.asked).toHaveLength(1)
})

test('a clock that jumps ahead leaves nobody out', async () => {
  let now = 1_700_000_000_000
  let task: (() => void) | undefined
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimeout: next => {
      task = next
      return 1
    },
    clearTimeout: () => undefined,
  }
  const wheel = new DeadlineWheel(clock)
  const items = [500, 1000, 60_000, 3_600_000].map(delay => {
    const item = new Item(at => (item.asked.length < 2 ? at + 1000 : 0))
    wheel.schedule(item, now + delay)
    return item
  })
  const turn = (milliseconds: number): void => {
    now += milliseconds
    const due = task
    task = undefined
    due?.()
  }
  turn(7_200_000)
  await new Promise(setImmediate)
  expect(items.map(({ asked }) => asked.length)).toEqual([1, 1, 1, 1])
  for (let count = 0; count < 8; count += 1) turn(tick)
  expect(items.map(({ asked }) => asked.length)).toEqual([2, 2, 2, 2])
})

test('has one timer at a time, and none when nothing is scheduled', () => {
  let open = 0
  let most = 0
  const manual = new ManualClock()
  const clock: Clock = {
    now: () => manual.now(),
    monotonic: () => manual.monotonic(),
    setTimeout: (task, milliseconds) => {
      open += 1
      most = Math.max(most, open)
      return manual.setTimeout(() => {
        open -= 1
        task()
      }, milliseconds)
    },
    clearTimeout: timer => {
      open -= 1
      manual.clearTimeout(timer)
    },
  }
  const wheel = new DeadlineWheel(clock)
  const item = new Item(now => (item.asked.length < 10 ? now + 1000 : 0))
  wheel.schedule(item, clock.now() + 1000)
  manual.advance(60_000)
  expect([open, most]).toEqual([0, 1])
  wheel.schedule(new Item(), clock.now() + 1000)
  expect(open).toBe(1)
  wheel.close()
  expect(open).toBe(0)
})

test('now follows the clock while anything is scheduled, a tick behind at most', () => {
  const clock = new ManualClock()
  const wheel = new DeadlineWheel(clock)
  wheel.schedule(new Item(at => at + 1000), clock.now() + 1000)
  for (let step = 0; step < 50; step += 1) {
    clock.advance(130)
    expect(clock.now() - wheel.now).toBeLessThanOrEqual(tick)
    expect(wheel.now).toBeLessThanOrEqual(clock.now())
  }
})

test('asks nobody after close', () => {
  const clock = new ManualClock()
  const wheel = new DeadlineWheel(clock)
  const item = new Item()
  wheel.schedule(item, clock.now() + 1000)
  wheel.close()
  wheel.schedule(item, clock.now() + 1000)
  clock.advance(10_000)
  expect(item.asked).toEqual([])
})

test.each([1, 2, 3])('moved and cancelled deadlines are all kept, seed %i', seed => {
  const random = new Random(seed)
  const clock = new ManualClock()
  const wheel = new DeadlineWheel(clock)
  const deadlines = new Map<Item, number>()
  const late: number[] = []
  const items = Array.from({ length: 30 }, () => {
    const item: Item = new Item(now => {
      const deadline = deadlines.get(item) ?? 0
      if (deadline === 0) return 0
      if (now < deadline) return deadline
      late.push(now - deadline)
      deadlines.set(item, 0)
      return 0
    })
    return item
  })
  for (let step = 0; step < 2000; step += 1) {
    const item = random.pick(items)
    if (random.next() < 0.1) {
      wheel.cancel(item)
      deadlines.set(item, 0)
    } else {
      const deadline = clock.now() + 1 + random.below(5000)
      deadlines.set(item, deadline)
      wheel.schedule(item, deadline)
    }
    clock.advance(random.below(300))
    for (const deadline of deadlines.values()) {
      if (deadline > 0) expect(clock.now() - deadline).toBeLessThanOrEqual(2 * tick)
    }
  }
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
})

test('after the event loop stood still, what came meanwhile is read before deadlines are looked at', async () => {
  const wheel = new DeadlineWheel(systemClock)
  onTestFinished(() => wheel.close())
  const item = new Item()
  wheel.schedule(item, Date.now() + 300)
  await new Promise(resolve => setTimeout(resolve, 100))
  const until = Date.now() + 1000
  while (Date.now() < until) void until
  // It comes when the wheel's timer is overdue, so sockets would be read behind it and before this.
  const asked = await new Promise<number>(resolve => {
    setImmediate(() => resolve(item.asked.length))
  })
  expect(asked).toBe(0)
  await vi.waitFor(() => expect(item.asked).toHaveLength(1))
})

/** Slices whose budget of a turn is spent after so many looks at the clock. */
function countingSlices(looks: number): { slices: Slices; turn: () => void } {
  let time = 0
  let resume: (() => void) | undefined
  const slices = new Slices({
    budget: looks,
    now: () => (time += 1),
    defer: next => {
      resume = next
    },
  })
  return {
    slices,
    turn: () => {
      const next = resume
      resume = undefined
      next?.()
    },
  }
}

test('many that are due at once are asked in slices, each once, but for those that cancel or move meanwhile', () => {
  const clock = new ManualClock()
  const { slices, turn } = countingSlices(100)
  const wheel = new DeadlineWheel(clock, undefined, slices)
  const items = Array.from({ length: 5000 }, () => new Item())
  for (const item of items) wheel.schedule(item, clock.now() + 1000)
  clock.advance(1250)
  const asked = (): number => items.filter(item => item.asked.length > 0).length
  expect(asked()).toBeGreaterThan(64)
  expect(asked()).toBeLessThan(2500)
  const [cancelled, moved] = items.slice(-2) as [Item, Item]
  wheel.cancel(cancelled)
  wheel.cancel(moved)
  wheel.schedule(moved, clock.now() + 1000)
  for (let count = 0; count < 100; count += 1) turn()
  expect(items.slice(0, -2).every(item => item.asked.length === 1)).toBe(true)
  expect([cancelled.asked.length, moved.asked.length]).toEqual([0, 0])
  clock.advance(1250)
  expect([cancelled.asked.length, moved.asked.length]).toEqual([0, 1])
})

test('an item with more than its share due is asked again until there is no more', () => {
  const clock = new ManualClock()
  const wheel = new DeadlineWheel(clock)
  const busy = new Item(() => (busy.asked.length < 3 ? moreIsDue : 0))
  const other = new Item()
  for (const item of [busy, other]) wheel.schedule(item, clock.now() + 1000)
  clock.advance(1250)
  expect([busy.asked.length, other.asked.length]).toEqual([3, 1])
})

test('nobody is asked after close, those that wait for a later turn included', () => {
  const clock = new ManualClock()
  const { slices, turn } = countingSlices(10)
  const wheel = new DeadlineWheel(clock, undefined, slices)
  const items = Array.from({ length: 1000 }, () => new Item())
  for (const item of items) wheel.schedule(item, clock.now() + 1000)
  clock.advance(1250)
  const asked = items.filter(item => item.asked.length > 0).length
  wheel.close()
  for (let count = 0; count < 10; count += 1) turn()
  expect(items.filter(item => item.asked.length > 0).length).toBe(asked)
})
