import { deferred } from './deferred.ts'
import type { Deferred } from './deferred.ts'
import type { EmitterError } from './emitter-error.ts'
import { emitterErrorOf } from './emitter-error.ts'
import type { EmitterCounters } from './emitter-counters.ts'
import { makeFrame } from './message-frame.ts'

/** Bytes of messages after which a frame is complete, before its turn has ended. */
const frameBytes = 256 * 1024
/** Milliseconds until what could not be sent is sent again. */
const retryDelay = 100

/** What `send` answers instead of a number in the stream. */
const noInbox = -1
const full = -3

export interface LinkHost {
  /** This broker's life. */
  readonly instance: string
  readonly counters: EmitterCounters
  /** Bytes of QoS 0 frames without an answer. */
  readonly maximumOutgoingBytes: number
  /** Milliseconds that a QoS 1 or 2 frame is tried for. */
  readonly sendTimeout: number
  /** Puts a frame into the other broker's inbox. `lowest`: the lowest number that is still waited for. */
  send(number: number, lowest: number, frame: Buffer): Promise<number>
  /** Says a frame to the other broker, if it hears it. */
  say(frame: Buffer): Promise<unknown>
  /** Calls `flush` at the end of this turn. */
  turnHasMessages(link: OutgoingLink): void
  /** The other broker's inbox is full. */
  full(): EmitterError
}

/** A frame that is to be in the other broker's inbox. */
interface NumberedFrame {
  readonly number: number
  readonly bytes: Buffer
  readonly since: number
  readonly answer: Deferred
  reason: EmitterError | undefined
}

/** Messages for one other broker. All of one turn travel in one frame (or several, when they are large).
 *
 * Frames of QoS 1 and 2 are numbered, and Redis takes each once and in its turn: what failed is sent again, with all that came after
 * it, until it is there, the other broker is gone, or its time is over. */
export class OutgoingLink {
  readonly #host: LinkHost
  #records: Buffer[] = []
  #recordBytes = 0
  /** Of the frame that is being filled, once it has a message of QoS 1 or 2. */
  #answer: Deferred | undefined
  #numbered = 0
  /** Without an answer, ascending. */
  readonly #waiting = new Set<NumberedFrame>()
  #underWay = 0
  /** Something has failed: nothing is sent before everything has an answer and a while is over. */
  #failing = false
  #timer: NodeJS.Timeout | undefined
  #saidBytes = 0
  #closed = false

  constructor(host: LinkHost) {
    this.#host = host
  }

  /** Adds a message to this turn's frame. */
  add(record: Buffer): void {
    if (this.#closed) return
    if (this.#records.length === 0) this.#host.turnHasMessages(this)
    this.#records.push(record)
    this.#recordBytes += record.length
    if (this.#recordBytes >= frameBytes) this.flush()
  }

  /** The same; answers when it is in the other broker's inbox, or that broker is gone. */
  addAtLeastOnce(record: Buffer): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#answer ??= deferred()
    const { promise } = this.#answer
    this.add(record)
    return promise
  }

  flush(): void {
    const [records, answer] = [this.#records, this.#answer]
    if (records.length === 0) return
    this.#records = []
    this.#recordBytes = 0
    this.#answer = undefined
    const frame = makeFrame(this.#host.instance, records)
    this.#host.counters.sent += records.length
    if (answer === undefined) void this.#say(frame, records.length)
    else this.#enqueue(frame, answer)
  }

  /** The other broker is gone: there is nobody left to bring anything to. */
  close(): void {
    this.#closed = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#answer?.resolve()
    for (const { answer } of this.#waiting) answer.resolve()
    this.#waiting.clear()
    this.#records = []
  }

  async #say(frame: Buffer, messages: number): Promise<void> {
    const { counters, maximumOutgoingBytes } = this.#host
    if (this.#saidBytes > maximumOutgoingBytes) {
      counters.droppedOutgoing += messages
      return
    }
    this.#saidBytes += frame.length
    try {
      await this.#host.say(frame)
    } catch {
      counters.droppedOutgoing += messages
    } finally {
      this.#saidBytes -= frame.length
    }
  }

  #enqueue(bytes: Buffer, answer: Deferred): void {
    this.#numbered += 1
    const frame = { number: this.#numbered, bytes, since: Date.now(), answer, reason: undefined }
    this.#waiting.add(frame)
    if (!this.#failing) void this.#send(frame)
  }

  async #send(frame: NumberedFrame): Promise<void> {
    const [lowest] = this.#waiting
    this.#underWay += 1
    try {
      const answer = await this.#host.send(frame.number, (lowest ?? frame).number, frame.bytes)
      if (answer >= 0) this.#settle(frame, undefined)
      else this.#postpone(frame, answer === full ? this.#host.full() : undefined, answer === noInbox)
    } catch (cause) {
      const error = emitterErrorOf(cause)
      // Redis has said no, and would say it again.
      if (mayPass(cause)) this.#postpone(frame, error, false)
      else this.#settle(frame, error)
    } finally {
      this.#underWay -= 1
      if (this.#failing && this.#underWay === 0 && !this.#closed) {
        this.#timer ??= setTimeout(() => this.#sendAgain(), retryDelay)
      }
    }
  }

  #settle(frame: NumberedFrame, error: EmitterError | undefined): void {
    if (!this.#waiting.delete(frame)) return
    if (error === undefined) frame.answer.resolve()
    else {
      this.#host.counters.refused += 1
      frame.answer.reject(error)
    }
  }

  /** @param isGone there is no inbox: the other broker is dead, or Redis has lost what it had. Which one shows soon. */
  #postpone(frame: NumberedFrame, reason: EmitterError | undefined, isGone: boolean): void {
    this.#failing = true
    frame.reason = isGone ? undefined : (reason ?? frame.reason)
  }

  #sendAgain(): void {
    this.#timer = undefined
    this.#failing = false
    const tooOld = Date.now() - this.#host.sendTimeout
    // Without a reason there was no inbox all the time.
    for (const frame of this.#waiting) if (frame.since <= tooOld) this.#settle(frame, frame.reason)
    for (const frame of this.#waiting) void this.#send(frame)
  }
}

/** Whether the same call may succeed soon. */
function mayPass(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return code === 'REDIS_UNREACHABLE' || code === 'REDIS_TIMEOUT' || code === 'REDIS_READ_ONLY'
}
