import type { Message, QueueEntry, QueueLimits } from '@x/contract'
import { messageOverhead } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines } from '../src/deadlines.ts'
import type { ExpiringQueue } from '../src/queue-expiry.ts'
import { SessionQueue } from '../src/session-queue.ts'

const seed = 20_241_124

interface ModelEntry {
  readonly sequence: number
  readonly bytes: number
  readonly expiresAt: number | undefined
  waiting: boolean
  released: boolean
}

/** The queue as a list, written down from its promises. */
class ModelQueue {
  entries: ModelEntry[] = []
  last = 0
  sentThrough = 0
  takenThrough = 0
  owner: { room: number } | undefined
  behind = false
  dropped = 0
  /** Expired entries make room from then on. */
  nextLook = Infinity
  now = 0
  readonly limits: QueueLimits

  constructor(limits: QueueLimits) {
    this.limits = limits
  }

  append(bytes: number, expiresAt: number | undefined): void {
    const live = this.owner !== undefined && !this.behind
    if (!live && !this.makeRoom(bytes)) return
    this.last += 1
    const entry = { sequence: this.last, bytes, expiresAt, waiting: true, released: false }
    if (live && this.owner !== undefined && this.owner.room > 0) {
      this.owner.room -= 1
      entry.waiting = false
      this.takenThrough = entry.sequence
    } else if (live) {
      this.behind = true
      if (!this.makeRoom(bytes)) return
    }
    this.entries.push(entry)
    if (entry.waiting) this.nextLook = Math.min(this.nextLook, expiresAt ?? Infinity)
  }

  makeRoom(bytes: number): boolean {
    const { maximumQueuedBytes, maximumQueuedMessages, overflow } = this.limits
    for (let hasLooked = false; ;) {
      const waiting = this.entries.filter(entry => entry.waiting)
      const used = waiting.reduce((sum, entry) => sum + entry.bytes, 0)
      if (waiting.length < maximumQueuedMessages && used + bytes <= maximumQueuedBytes) return true
      if (!hasLooked && this.nextLook <= this.now) {
        hasLooked = true
        this.dropExpired()
        continue
      }
      hasLooked = true
      this.dropped += 1
      if (overflow === 'dropNewest' || bytes > maximumQueuedBytes || waiting[0] === undefined) return false
      this.entries.splice(this.entries.indexOf(waiting[0]), 1)
    }
  }

  dropExpired(): void {
    const isOver = ({ waiting, expiresAt = Infinity }: ModelEntry): boolean => waiting && expiresAt <= this.now
    const left = this.entries.filter(entry => !isOver(entry))
    this.dropped += this.entries.length - left.length
    this.entries = left
    const times = left.filter(({ waiting }) => waiting).map(({ expiresAt = Infinity }) => expiresAt)
    this.nextLook = Math.max(this.now + 100, Math.min(...times, Infinity))
  }

  read(after: number, limit: number, now: number): number[] {
    const read: ModelEntry[] = []
    let seen = after
    for (const entry of this.entries.filter(({ sequence }) => sequence > after)) {
      if (read.length === limit) break
      seen = entry.sequence
      if (entry.waiting && (entry.expiresAt ?? Infinity) <= now) {
        this.entries = this.entries.filter(other => other !== entry)
        this.dropped += 1
      } else read.push(entry)
    }
    if (!this.entries.some(({ sequence }) => sequence > seen)) this.behind = false
    for (const entry of read) entry.waiting = false
    this.takenThrough = Math.max(this.takenThrough, read.at(-1)?.sequence ?? 0)
    return read.map(({ sequence }) => sequence)
  }

  detach(sentThrough: number): void {
    this.owner = undefined
    this.sentThrough = Math.max(this.sentThrough, sentThrough)
    this.takenThrough = this.sentThrough
    for (const entry of this.entries) {
      const waited = entry.waiting
      entry.waiting = entry.sequence > this.sentThrough && !entry.released
      if (entry.waiting && !waited) this.nextLook = Math.min(this.nextLook, entry.expiresAt ?? Infinity)
    }
  }
}

type Step =
  | { readonly kind: 'append'; readonly bytes: number; readonly expiresIn: number | null }
  | { readonly kind: 'read'; readonly limit: number }
  | { readonly kind: 'reread'; readonly limit: number }
  | { readonly kind: 'acknowledge' | 'release' | 'detach'; readonly pick: number }
  | { readonly kind: 'attach'; readonly room: number }
  | { readonly kind: 'advance'; readonly milliseconds: number }

const append = fc.record({
  kind: fc.constant('append' as const),
  bytes: fc.integer({ min: messageOverhead + 1, max: messageOverhead + 12 }),
  expiresIn: fc.option(fc.integer({ min: 1, max: 40 }), { freq: 3 }),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  append,
  append,
  append,
  fc.record({ kind: fc.constantFrom('read' as const, 'reread' as const), limit: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constantFrom('acknowledge' as const, 'release' as const), pick: fc.nat(20) }),
  fc.record({ kind: fc.constant('detach' as const), pick: fc.nat(20) }),
  fc.record({ kind: fc.constant('attach' as const), room: fc.nat(6) }),
  fc.record({ kind: fc.constant('advance' as const), milliseconds: fc.nat(20) }),
)

const limits: fc.Arbitrary<QueueLimits> = fc.record({
  maximumQueuedMessages: fc.nat(6),
  maximumQueuedBytes: fc.integer({ min: 0, max: 4 * messageOverhead }),
  overflow: fc.constantFrom('dropOldest' as const, 'dropNewest' as const),
})

function message(bytes: number, expiresAt: number | undefined): Message {
  return {
    topic: 't',
    payload: Buffer.alloc(bytes - messageOverhead - 1),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt,
    publisher: undefined,
    brokerId: 'b',
    brokerCounter: 1,
  }
}

function shape(entry: { sequence: number; released: boolean; waiting?: boolean }): unknown {
  return [entry.sequence, entry.released, entry.waiting]
}

/** Runs the steps on queue and model side by side. */
class Race {
  readonly clock = new ManualClock()
  readonly model: ModelQueue
  readonly context
  readonly queue: SessionQueue
  dropped = 0
  room = 0
  offered: number[] = []

  constructor(bounds: QueueLimits) {
    this.model = new ModelQueue(bounds)
    this.context = {
      limits: bounds,
      queuesAtMostOnce: false,
      clock: this.clock,
      dropped: ({ count }: { count: number }) => void (this.dropped += count),
      queuedMessages: 0,
      waitingBytes: 0,
      largest: undefined,
      expiries: new Deadlines<ExpiringQueue>(),
    }
    this.queue = new SessionQueue(this.context, 'client')
  }

  take(one: Step): void {
    const { model, queue, clock } = this
    switch (one.kind) {
      case 'append': {
        const expiresAt = one.expiresIn === null ? undefined : clock.now() + one.expiresIn
        model.now = clock.now()
        model.append(one.bytes, expiresAt)
        queue.append({
          message: message(one.bytes, expiresAt),
          qos: 1,
          retain: false,
          subscriptionIdentifiers: undefined,
        })
        return
      }
      case 'read':
      case 'reread': {
        const after = one.kind === 'read' ? model.takenThrough : 0
        const expected = model.read(after, one.limit, clock.now())
        expect(queue.read(after, one.limit).map(({ sequence }) => sequence)).toEqual(expected)
        return
      }
      case 'acknowledge':
      case 'release': {
        const sequence = model.entries[one.pick]?.sequence ?? one.pick
        queue[one.kind](sequence)
        if (one.kind === 'acknowledge') model.entries = model.entries.filter(entry => entry.sequence !== sequence)
        for (const entry of model.entries) {
          if (one.kind === 'release' && entry.sequence === sequence)
            Object.assign(entry, { released: true, waiting: false })
        }
        return
      }
      case 'attach': {
        this.#attach(one.room)
        return
      }
      case 'detach': {
        const sentThrough = Math.min(model.last, model.sentThrough + one.pick)
        queue.detach(sentThrough)
        model.detach(sentThrough)
        return
      }
      case 'advance': {
        clock.advance(one.milliseconds)
      }
    }
  }

  #attach(room: number): void {
    this.room = room
    this.offered = []
    this.queue.attach({
      deliver: entry => {
        this.offered.push(entry.sequence)
        this.room -= 1
        return this.room >= 0
      },
      fenced() {},
    })
    this.model.sentThrough = Math.max(this.model.sentThrough, this.model.takenThrough)
    this.model.owner = { room }
    this.model.behind = this.model.entries.length > 0
  }

  compare(): void {
    const { model, queue } = this
    const actual: QueueEntry[] = []
    for (let sequence = 1; sequence <= queue.lastSequence; sequence += 1) {
      const entry = queue.entry(sequence)
      if (entry !== undefined) actual.push(entry)
    }
    expect(actual.map(entry => shape(entry))).toEqual(model.entries.map(entry => shape(entry)))
    expect(queue.lastSequence).toBe(model.last)
    expect(queue.sentThrough).toBe(model.sentThrough)
    expect(queue.takenThrough).toBe(model.takenThrough)
    expect(this.dropped).toBe(model.dropped)
    expect(this.context.queuedMessages).toBe(model.entries.length)
    expect(this.offered).toEqual([...this.offered].sort((left, right) => left - right))
  }
}

test('behaves like a list of entries in every order of calls, limits and expiries', () => {
  const property = fc.property(limits, fc.array(step, { maxLength: 120 }), (bounds, steps) => {
    const race = new Race(bounds)
    for (const one of steps) {
      race.take(one)
      race.compare()
    }
  })
  fc.assert(property, { seed, numRuns: 500 })
})
