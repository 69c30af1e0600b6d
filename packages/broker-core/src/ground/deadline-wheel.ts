import { Slices } from '@x/contract'
import type { Clock } from '@x/contract'

/** An item with deadlines, which the wheel asks now and then whether one has passed. */
export interface Deadlined {
  /** Tick at which the wheel asks next; 0: not scheduled. Only the wheel writes it. */
  wheelTick: number
  /** Acts on what is due. Returns when to be asked again (ms of the wheel's clock), 0 for never, or {@link moreIsDue}. */
  checkDeadlines(now: number): number
}

/** Returned by an item that has done its share and is to be asked again after others. */
export const moreIsDue = -1
/** Deadlines that one item acts on before it returns {@link moreIsDue}. */
export const shareOfDue = 16

/** Items that are asked in one turn without slices; further ones are asked in slices. */
const askedAtOnce = 64
/** Items in one slice. */
const perStep = 8
/** In place of a tick: the item waits in `#overdue`. */
const overdueTick = -1

/** ms until an item that has failed is asked again. */
const retryDelay = 1000

/** One timer for all connections: deadlines are sorted into buckets of a tick, and a deadline that was moved (a keep-alive with every
 * packet) is found out when its old bucket comes up, so moving it costs one assignment.
 *
 * Nothing fires early. A deadline may fire up to two ticks late. After the event loop was blocked, it fires only when the sockets have
 * been read: a peer whose bytes were not read yet is not silent. */
export class DeadlineWheel {
  static readonly tickMilliseconds = 250

  /** Time of the last tick: up to one tick (plus the lag of the event loop) in the past. Hot paths read this. */
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
  /** Due items that wait for a slice; undefined while there are none. */
  #overdue: Deadlined[] | undefined

  /** @param clock never goes back
   * @param failed gets what an item throws; the other items are asked all the same */
  constructor(clock: Clock, failed: (error: unknown) => void = rethrow, slices: Slices = new Slices()) {
    this.#clock = clock
    this.#slices = slices
    this.#failed = failed
    this.now = clock.now()
    this.#tick = Math.floor(this.now / DeadlineWheel.tickMilliseconds)
  }

  /** Asks `item` at `at` or soon after. An earlier appointment stays. */
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

  /** Forgets the item, so that a closed connection is not kept in memory until its deadline, which may be hours away. */
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
    // Items that are still scheduled are never asked.
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

  /** The event loop runs timers before it reads sockets, so a late turn waits until the sockets have been read. */
  #begin(): void {
    this.now = this.#clock.now()
    const isLate = Math.floor(this.now / DeadlineWheel.tickMilliseconds) - this.#tick > 1
    if (isLate) this.#lateTurn = setImmediate(() => this.#turn())
    else this.#turn()
  }

  #turn(): void {
    this.#askedNow = 0
    const until = Math.floor(this.now / DeadlineWheel.tickMilliseconds)
    // When the clock has jumped far ahead, the empty ticks are skipped.
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
      // An item before it may have cancelled or moved it.
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
    // No step throws: `#ask` catches what an item throws.
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

  /** An item that fails is asked again. */
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
