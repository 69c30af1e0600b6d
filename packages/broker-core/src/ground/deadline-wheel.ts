import { Slices } from '@x/contract'
import type { Clock } from '@x/contract'

/** Something that has deadlines of its own and is asked now and then whether one has passed. */
export interface Deadlined {
  /** Tick at which the wheel asks next; 0: it doesn't. Written by the wheel alone. */
  wheelTick: number
  /** Acts on what is due. Answers when to be asked again (milliseconds since the epoch), 0 for never, or {@link moreIsDue}. */
  checkDeadlines(now: number): number
}

/** Answer of an item that has done its share, and is to be asked again when others were served. */
export const moreIsDue = -1
/** What one item does of much that is due at the same time, before it answers {@link moreIsDue}. */
export const shareOfDue = 16

/** Items that are asked at once in a turn; what exceeds it is cut into slices. */
const askedAtOnce = 64
/** Items in one of these. */
const perStep = 8
/** In place of a tick: the item waits in `#overdue`. */
const overdueTick = -1

/** Milliseconds after an item has failed. */
const retryDelay = 1000

/** One timer for all connections: deadlines are sorted into buckets of a tick, and a deadline that was moved (a keep-alive
 * with every packet) is found out when its old bucket comes up, so moving it costs one assignment.
 *
 * Nothing fires early; it may fire up to two ticks late, and when the event loop stood still not before that has read what came
 * meanwhile: a peer is not silent because nobody listened. */
export class DeadlineWheel {
  static readonly tickMilliseconds = 250

  /** Time of the last tick: up to a tick (plus what the event loop lags) in the past. What hot paths read. */
  now: number
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #buckets = new Map<number, Set<Deadlined>>()
  #tick: number
  #timer: unknown
  /** A timer is set, or the wheel is turning and will set it. */
  #running = false
  #population = 0
  /** Items asked in this turn. */
  #askedNow = 0
  /** A turn that waits until sockets have been read. */
  #lateTurn: NodeJS.Immediate | undefined
  readonly #slices: Slices
  /** Items that are due, and wait because so many are; undefined while there are none. */
  #overdue: Deadlined[] | undefined

  /** @param clock never goes back
   * @param failed takes what an item throws, which keeps back none of the others */
  constructor(clock: Clock, failed: (error: unknown) => void = rethrow, slices: Slices = new Slices()) {
    this.#clock = clock
    this.#slices = slices
    this.#failed = failed
    this.now = clock.now()
    this.#tick = Math.floor(this.now / DeadlineWheel.tickMilliseconds)
  }

  /** Asks `item` at `at` or soon after; an earlier appointment stays. */
  schedule(item: Deadlined, at: number): void {
    if (!this.#running) this.#start()
    const tick = Math.max(Math.ceil(at / DeadlineWheel.tickMilliseconds), this.#tick + 1)
    if (item.wheelTick !== 0 && item.wheelTick <= tick) return
    this.cancel(item)
    item.wheelTick = tick
    this.#population += 1
    const bucket = this.#buckets.get(tick)
    if (bucket === undefined) this.#buckets.set(tick, new Set([item]))
    else bucket.add(item)
  }

  /** Forgets the item, so that a connection that has gone is not kept until a deadline which may be hours away. */
  cancel(item: Deadlined): void {
    const { wheelTick } = item
    if (wheelTick === 0) return
    item.wheelTick = 0
    const bucket = this.#buckets.get(wheelTick)
    if (bucket?.delete(item) !== true) return
    this.#population -= 1
    if (bucket.size === 0) this.#buckets.delete(wheelTick)
  }

  close(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    clearImmediate(this.#lateTurn)
    this.#buckets.clear()
    this.#population = 0
    this.#overdue = undefined
    // Whatever is still scheduled is never asked.
    this.#running = true
  }

  #start(): void {
    this.#running = true
    this.now = this.#clock.now()
    this.#tick = Math.floor(this.now / DeadlineWheel.tickMilliseconds)
    this.#arm()
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => this.#begin(), DeadlineWheel.tickMilliseconds)
  }

  /** The event loop runs timers before it reads sockets, so a turn that comes too late waits for that. */
  #begin(): void {
    this.now = this.#clock.now()
    const isLate = Math.floor(this.now / DeadlineWheel.tickMilliseconds) - this.#tick > 1
    if (isLate) this.#lateTurn = setImmediate(() => this.#turn())
    else this.#turn()
  }

  #turn(): void {
    this.#askedNow = 0
    const until = Math.floor(this.now / DeadlineWheel.tickMilliseconds)
    // A clock that jumped far ahead is not followed tick by tick.
    if (until - this.#tick > this.#buckets.size) {
      for (const tick of [...this.#buckets.keys()].toSorted((a, b) => a - b)) {
        if (tick <= until) this.#empty(tick)
      }
      this.#tick = until
    }
    while (this.#tick < until) {
      this.#tick += 1
      this.#empty(this.#tick)
    }
    if (this.#population > 0) this.#arm()
    else this.#running = false
  }

  #empty(tick: number): void {
    const bucket = this.#buckets.get(tick)
    if (bucket === undefined) return
    this.#buckets.delete(tick)
    this.#population -= bucket.size
    for (const item of bucket) {
      // One before it may have cancelled it, or moved it.
      if (item.wheelTick !== tick) continue
      this.#askedNow += 1
      if (this.#askedNow > askedAtOnce) this.#postpone(item)
      else this.#check(item)
    }
  }

  #check(item: Deadlined): void {
    item.wheelTick = 0
    const next = this.#ask(item)
    if (next === moreIsDue) this.#postpone(item)
    else if (next > 0) this.schedule(item, next)
  }

  #postpone(item: Deadlined): void {
    item.wheelTick = overdueTick
    if (this.#overdue !== undefined) {
      this.#overdue.push(item)
      return
    }
    const overdue = [item]
    this.#overdue = overdue
    let place = 0
    // No step throws: what an item throws is taken by `#ask`.
    void this.#slices.run(() => {
      if (this.#overdue !== overdue) return false
      for (const end = Math.min(place + perStep, overdue.length); place < end; place += 1) {
        const due = overdue[place] as Deadlined
        if (due.wheelTick === overdueTick) this.#check(due)
      }
      if (place < overdue.length) return true
      this.#overdue = undefined
      return false
    })
  }

  /** One that fails is asked again. */
  #ask(item: Deadlined): number {
    try {
      return item.checkDeadlines(this.now)
    } catch (error) {
      this.#failed(error)
      return this.now + retryDelay
    }
  }
}

function rethrow(error: unknown): never {
  throw error
}
