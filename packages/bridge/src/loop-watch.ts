import { createHash } from 'node:crypto'
import type { Clock } from '@x/contract'

/** Times that a message may leave after it has come back, before it is taken for one that goes in circles. */
const mostRounds = 10
/** ms within which they must happen. */
const roundsWithin = 30_000
/** ms without the message after which its circle is over. */
const circleEnds = 2000
/** ms from one report to the next. */
const betweenReports = 60_000
/** Messages that are remembered; beyond that the oldest is forgotten. */
const maximumRemembered = 4096
/** Bytes of a payload that is remembered as it is; of longer ones a digest. */
const longestPlain = 128

/** What a message has done lately. */
interface Trace {
  lastWay: 'out' | 'in'
  rounds: number
  /** ms, of the clock. */
  since: number
  seen: number
}

/** Finds messages that go in circles where nothing in them says so: before MQTT 5.0 a message carries nothing of its way. One that leaves, comes
 * back the same, leaves again and so on goes in a circle; both its copies, which go round in either direction, are stopped here. */
export class LoopWatch {
  readonly #clock: Clock
  readonly #found: (topic: string, rounds: number) => void
  readonly #traces = new Map<string, Trace>()
  #reportedAt = -Infinity

  /** @param found - called for a message that goes in circles, at most once in a minute */
  constructor(clock: Clock, found: (topic: string, rounds: number) => void) {
    this.#clock = clock
    this.#found = found
  }

  /** Whether the message, which passes the bridge on this way now, is to go no further. `topic` is its name at this broker. */
  stops(way: 'out' | 'in', topic: string, payload: Buffer): boolean {
    const now = this.#clock.monotonic()
    const key = keyOf(topic, payload)
    const trace = this.#traces.get(key)
    if (trace === undefined || isOver(trace, now)) {
      this.#remember(key, { lastWay: way, rounds: 0, since: now, seen: now })
      return false
    }
    if (way === 'out' && trace.lastWay === 'in') trace.rounds += 1
    trace.lastWay = way
    trace.seen = now
    if (trace.rounds < mostRounds) return false
    if (now - this.#reportedAt >= betweenReports) {
      this.#reportedAt = now
      this.#found(topic, trace.rounds)
    }
    return true
  }

  #remember(key: string, trace: Trace): void {
    this.#traces.delete(key)
    const oldest = this.#traces.size < maximumRemembered ? undefined : this.#traces.keys().next()
    if (oldest?.done === false) this.#traces.delete(oldest.value)
    this.#traces.set(key, trace)
  }
}

function isOver({ rounds, since, seen }: Trace, now: number): boolean {
  return rounds < mostRounds ? now - since > roundsWithin : now - seen > circleEnds
}

function keyOf(topic: string, payload: Buffer): string {
  const isShort = payload.length <= longestPlain
  const content = isShort ? payload.toString('latin1') : createHash('sha1').update(payload).digest('base64')
  return `${topic}\0${content}`
}
