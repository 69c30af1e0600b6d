import { performance } from 'node:perf_hooks'
import type { Counters, Slices } from '@x/contract'
import type { FlushQueue } from './flush-queue.ts'

/** Units of work between two readings of the clock. A unit is a packet, 512 bytes of one, or a delivery: a microsecond at most. Reading
 * the clock for each packet would cost a third of the 0.14 µs that a QoS 0 message takes. */
const stride = 128

/** Bytes to receivers for which a connection does not wait until the outboxes have been flushed: the flush of those of 8000 other
 * receivers takes 70 ms. */
const little = 65_536

/** Units that a connection may always do before it gives way, so that clients that send little never wait. */
const quantum = 32

/** ms that incoming packets may take in one turn of the event loop. */
const budget = 8

/** ms of a turn after which no further connection begins: a turn reads all sockets, and thousands may have data. Reading a chunk and
 * putting it aside takes 5 µs. */
const latest = 16

/** A connection, or a part of one, with more work than its share of a turn. */
export interface Yielding {
  /** Does one slice of the work. True: there is more. */
  goOn(): boolean
}

/** The time that all connections together may take in one turn of the event loop. When it is used up, each connection gives way after a
 * few packets; the rest is done in slices, in which the connections take turns. A connection that sends to many receivers waits until
 * these have been flushed. */
export class Turn {
  /** Units until the clock is read next. Whatever does work counts it down. */
  credit: number = stride
  /** Number of the turn; turns in which little is done share one. */
  number = 0
  readonly #counters: Counters
  readonly #slices: Slices
  readonly #flushQueue: FlushQueue
  /** End of the budget in ms of `performance.now`; 0: not asked in this turn. */
  #endsAt = 0
  /** The end of this turn has been arranged. */
  #isRunning = false
  /** What is within its {@link Yielding.goOn}, whose time the slices watch. */
  #current: Yielding | undefined
  /** The last {@link isOver} was due to the flush queue. */
  #awaitsFlush = false
  #waiting: Yielding[] = []
  #behind: Yielding[] = []
  readonly #end = (): void => this.#endTurn()

  constructor(slices: Slices, flushQueue: FlushQueue, counters: Counters) {
    this.#counters = counters
    this.#slices = slices
    this.#flushQueue = flushQueue
  }

  /** A connection begins, for the first time in this turn. False: it gives way before it does anything. */
  enter(): boolean {
    if (this.credit >= quantum) return true
    // Read for each connection then: one that has used up its credit may have taken milliseconds.
    const left = this.#timeLeft()
    this.#awaitsFlush = false
    if (left <= budget - latest) return false
    this.credit = left > 0 ? stride : quantum
    return true
  }

  /** Whether the connection has to give way. To be called when `credit` is used up. */
  isOver(): boolean {
    const hasFannedOut = this.credit <= -stride
    this.credit = stride
    this.#awaitsFlush = hasFannedOut && this.#flushQueue.isBehind
    if (this.#awaitsFlush || this.#current !== undefined) return true
    if (this.#timeLeft() > 0) return false
    // The next connection reads the clock.
    this.credit = 0
    return true
  }

  /** Charges a fan-out of so many deliveries, which has put `bytes` into outboxes. One that has filled the outboxes makes its connection
   * give way until they have been flushed, however few the receivers: what is pending would pass through main memory (fanout-100: 8.6
   * instead of 10 M msg/s). A client that sends little beside it does not wait for that. */
  fannedOut(deliveries: number, bytes: number): void {
    this.credit -= deliveries
    if (bytes > little && this.#flushQueue.isBehind) this.credit = Math.min(this.credit, -stride)
  }

  /** Charges one piece of work, which has taken this long. Milliseconds of it count for the turn also when its clock was not read before:
   * otherwise the first message that matches thousands of filters would leave the whole budget to the next one. */
  worked(microseconds: number): void {
    this.credit -= microseconds
    if (microseconds < 1000 || this.#endsAt !== 0) return
    this.#run()
    this.#endsAt = performance.now() + budget - microseconds / 1000
  }

  /** ms that are left of the budget, which begins with the first call. */
  #timeLeft(): number {
    const now = performance.now()
    if (this.#endsAt === 0) {
      this.#run()
      this.#endsAt = now + budget
    }
    return this.#endsAt - now
  }

  /** Whether the turn has no time left for this many bytes, even as the connection's first work. Small work is always done: it costs
   * less than waiting. */
  isSpentFor(bytes: number): boolean {
    if (bytes >> 9 < quantum || this.#endsAt === 0 || this.#current !== undefined) return false
    this.#awaitsFlush = false
    return performance.now() >= this.#endsAt
  }

  /** Lets `one` go on in a later turn, after {@link isOver} returned true. */
  giveWay(one: Yielding): void {
    this.#counters.turnsYielded += 1
    if (this.#awaitsFlush) this.#behind.push(one)
    // A `goOn` that returns true has the same effect.
    else if (this.#current !== one) this.#waiting.push(one)
    this.#run()
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(this.#end)
  }

  #endTurn(): void {
    this.#isRunning = false
    this.#endsAt = 0
    this.number += 1
    const waiting = this.#waiting
    this.#waiting = []
    if (!this.#flushQueue.isBehind) {
      waiting.push(...this.#behind)
      this.#behind = []
    } else if (this.#behind.length > 0) this.#run()
    for (const one of waiting) void this.#slices.run(() => this.#slice(one))
  }

  #slice(one: Yielding): boolean {
    this.#current = one
    this.credit = stride
    this.#awaitsFlush = false
    try {
      return one.goOn() && !this.#awaitsFlush
    } finally {
      this.#current = undefined
    }
  }
}
