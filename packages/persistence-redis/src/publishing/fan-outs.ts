import { PersistenceError } from '@x/contract'
import { messagesOf, reachedOf } from '../news.ts'
import type { SpreadNews } from '../news.ts'
import type { Fields, OwnedSessions } from '../owned-sessions.ts'
import type { StoreCalls } from '../calls/store-calls.ts'

/** A message whose takers get it by further calls. */
interface FanOut {
  /** Sessions and groups it was for, or at most, as long as it is not done. */
  reached: number
  done(reached: number): void
  lost(error: PersistenceError): void
}

type SpreadAnswer = readonly [
  goesOn: number,
  first: Buffer,
  floor: number,
  offered: readonly Buffer[],
  drops: Fields,
  joined: readonly Buffer[],
  done: readonly (Buffer | number)[],
]

/** Messages for more sessions than one call may take: Redis has them, and one of the brokers calls until all sessions have.
 *
 * Those of a broker that is gone are done by another one, which notices it when it renews its lease. */
export class FanOuts {
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions
  /** Of this broker, by the number that it has in Redis: those with lower ones are done first. */
  readonly #waiting = new Map<number, FanOut>()
  #isCalling = false
  #isWanted = false
  #closed = false

  constructor(calls: StoreCalls, sessions: OwnedSessions) {
    this.#calls = calls
    this.#sessions = sessions
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  add(number: number, fanOut: FanOut): void {
    this.#waiting.set(number, fanOut)
    if (this.#closed) this.close()
    else this.goOn()
  }

  /** Does what is to be done, unless another broker does, and looks what is done. What fails is tried again after the next call. */
  goOn(): void {
    this.#isWanted = true
    if (!this.#isCalling) void this.#callOn()
  }

  /** Another broker has done some of them; the next call confirms it. */
  hear({ reached }: Pick<SpreadNews, 'reached'>): void {
    this.#count(reached)
    this.goOn()
  }

  close(): void {
    this.#closed = true
    for (const one of this.#waiting.values()) one.lost(lostError('the store was closed'))
    this.#waiting.clear()
  }

  async #callOn(): Promise<void> {
    this.#isCalling = true
    try {
      while (this.#isWanted && !this.#closed) {
        this.#isWanted = false
        this.#take((await this.#calls.call('spread', this.#calls.limits())) as SpreadAnswer)
      }
    } catch {
      // The connection has reported it.
    } finally {
      this.#isCalling = false
    }
  }

  #take([goesOn, first, floor, offered, drops, joined, [, ...done]]: SpreadAnswer): void {
    if (goesOn === 1) this.#isWanted = true
    if (this.#closed) return
    this.#sessions.offerAll(messagesOf(offered))
    this.#sessions.reportDrops(drops)
    for (let index = 0; index + 1 < joined.length; index += 2) {
      const publisher = String(joined[index])
      this.#sessions.announce([String(joined[index + 1])], publisher.startsWith('1') ? publisher.slice(1) : undefined)
    }
    this.#count(reachedOf(done))
    this.#settleBelow(first.length === 0 ? Infinity : Number(String(first)), floor)
  }

  #count(reached: ReadonlyMap<number, number>): void {
    for (const [number, count] of reached) {
      const one = this.#waiting.get(number)
      if (one !== undefined) one.reached = count
    }
  }

  /** @param floor what was there up to this number may have been lost with a former life of Redis */
  #settleBelow(first: number, floor: number): void {
    for (const [number, one] of this.#waiting) {
      if (number > floor && number >= first) continue
      this.#waiting.delete(number)
      if (number > floor) one.done(one.reached)
      else one.lost(lostError('Redis was restarted'))
    }
  }
}

function lostError(why: string): PersistenceError {
  return new PersistenceError('UNAVAILABLE', { message: `${why} before all sessions had the message` })
}
