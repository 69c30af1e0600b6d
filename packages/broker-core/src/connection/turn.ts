import { performance } from 'node:perf_hooks'
import type { Counters, Slices } from '@x/contract'
import type { FlushQueue } from './flush-queue.ts'

/** Units of work between two looks at the clock. A unit is a packet, 512 bytes of one, or a delivery: a microsecond at most. Asking
 * the clock for each packet would cost a third of the 0.14 µs that a QoS 0 message takes. */
const stride = 128

/** Units that a connection has done at least when it gives way, so that clients who send little never wait. */
const quantum = 32

/** ms that the packets which sockets bring may take of one turn of the event loop. */
const budget = 8

/** ms of a turn after which nobody begins with what has come: a turn reads all sockets, of which thousands may have something. Reading
 * and putting aside what is there takes 5 µs for each. */
const latest = 16

/** Who has more to do than its share of a turn. */
export interface Yielding {
  /** Does one slice. True: there is more. */
  goOn(): boolean
}

/** What all connections together may do in one turn of the event loop. Once that is used up, each gives way after a few packets; the
 * rest is done in slices, in which the connections take turns. Who sends to many waits until those have been written to. */
export class Turn {
  /** Units until the clock is looked at. Who does work counts it down. */
  credit: number = stride
  /** Tells turns apart, those in which little is done excepted. */
  number = 0
  readonly #counters: Counters
  readonly #slices: Slices
  readonly #flushQueue: FlushQueue
  /** ms of `performance.now`; 0: nobody has asked in this turn. */
  #endsAt = 0
  /** The end of this turn has been arranged. */
  #isRunning = false
  /** Who is within its {@link Yielding.goOn}, whose time is watched by the slices. */
  #current: Yielding | undefined
  /** What {@link isOver} has found last: the connection waits for the flush queue. */
  #awaitsFlush = false
  #waiting: Yielding[] = []
  #behind: Yielding[] = []
  readonly #end = (): void => this.#endTurn()

  constructor(slices: Slices, flushQueue: FlushQueue, counters: Counters) {
    this.#counters = counters
    this.#slices = slices
    this.#flushQueue = flushQueue
  }

  /** A connection begins with what has come, the first time in this turn. False: it gives way before it has done anything. */
  enter(): boolean {
    if (this.credit >= quantum) return true
    // Asked for each connection then: one that has used up its credit may have taken milliseconds.
    const left = this.#timeLeft()
    this.#awaitsFlush = false
    if (left <= budget - latest) return false
    this.credit = left > 0 ? stride : quantum
    return true
  }

  /** Whether the connection has to give way; asked when `credit` is used up. */
  isOver(): boolean {
    const hasFannedOut = this.credit <= -stride
    this.credit = stride
    this.#awaitsFlush = hasFannedOut && this.#flushQueue.isBehind
    if (this.#awaitsFlush || this.#current !== undefined) return true
    if (this.#timeLeft() > 0) return false
    // Whoever comes next looks at the clock.
    this.credit = 0
    return true
  }

  /** ms of the budget, which begins when this is asked first. */
  #timeLeft(): number {
    const now = performance.now()
    if (this.#endsAt === 0) {
      this.#run()
      this.#endsAt = now + budget
    }
    return this.#endsAt - now
  }

  /** Whether nothing is left of this turn for work of so many bytes, though it would be the connection's first. Small work is always
   * done: it costs less than waiting. */
  isSpentFor(bytes: number): boolean {
    if (bytes >> 9 < quantum || this.#endsAt === 0 || this.#current !== undefined) return false
    this.#awaitsFlush = false
    return performance.now() >= this.#endsAt
  }

  /** Has it go on in a later turn, after {@link isOver} has said so. */
  giveWay(one: Yielding): void {
    this.#counters.turnsYielded += 1
    if (this.#awaitsFlush) this.#behind.push(one)
    // What its goOn returns says the same.
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
