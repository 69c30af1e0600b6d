import { deferred, makeFrame } from '@x/emitter-parts'
import type { Deferred } from '@x/emitter-parts'
import { EmitterError, emitterErrorOf } from './emitter-error.ts'
import type { EmitterCounters } from './emitter-counters.ts'

/** Bytes of messages after which a frame is complete, before its turn has ended. */
const frameBytes = 256 * 1024
/** Milliseconds until what could not be sent is sent again. */
const retryDelay = 100

/** What `send` returns instead of a number in the stream. */
const noInbox = -1
const full = -3

/** What a link to another broker's inbox needs. */
export interface LinkHost {
  /** This broker's life. */
  readonly instance: string
  readonly counters: EmitterCounters
  /** Bytes of QoS 0 frames without an answer; of frames with QoS 2 whose time is over, too. */
  readonly maximumOutgoingBytes: number
  /** Milliseconds that a QoS 1 message is tried for. */
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
  /** Of its messages of QoS 1; undefined: it has none, or they were refused. */
  atLeastOnce: Deferred | undefined
  /** Of its messages of QoS 2. */
  readonly exactlyOnce: Deferred | undefined
  /** Why it could not be sent; `gone`: there was no inbox; undefined: it waits for its turn. */
  reason: 'gone' | EmitterError | undefined
}

/** Messages on their way into a frame. */
class Records {
  #records: Buffer[] = []
  bytes = 0

  /** Returns how many bytes there are. */
  add(record: Buffer): number {
    this.#records.push(record)
    return (this.bytes += record.length)
  }

  take(): readonly Buffer[] {
    const records = this.#records
    this.#records = []
    this.bytes = 0
    return records
  }
}

/** Messages for one other broker. All of one turn travel in one frame (or several, when they are large), those of QoS 0 in one of their
 * own: what has to be sent again, or read back, must not come after newer ones.
 *
 * Frames of QoS 1 and 2 are numbered, and Redis takes each once and in its turn: what failed is sent again, with all that came after
 * it, until it is there, the other broker is gone, or its time is over. That of QoS 2 does not end: the store, this broker's clients or
 * other brokers may have the message, and its publisher would send it to them again. */
export class OutgoingLink {
  readonly #host: LinkHost
  /** Of QoS 0, and of QoS 1 and 2. */
  readonly #said = new Records()
  readonly #kept = new Records()
  /** Of the frame that is being filled, once it has a message of QoS 1, or of QoS 2. */
  #atLeastOnce: Deferred | undefined
  #exactlyOnce: Deferred | undefined
  #numbered = 0
  /** Without an answer, ascending. */
  readonly #waiting = new Set<NumberedFrame>()
  #underWay = 0
  /** Something has failed: nothing is sent before everything has an answer and a while is over. */
  #failing = false
  #timer: NodeJS.Timeout | undefined
  #saidBytes = 0
  /** Undefined: the other broker is there. `gone`: it is not. An error: this one is not any more. */
  #end: 'gone' | EmitterError | undefined

  constructor(host: LinkHost) {
    this.#host = host
  }

  /** Adds a QoS 0 message to this turn's frame of those. */
  add(record: Buffer): void {
    if (this.#end === undefined) this.#fill(this.#said, record)
  }

  /** Adds one of QoS 1 or 2 to theirs; resolves when it is in the other broker's inbox, or that broker is gone. */
  addNumbered(record: Buffer, qos: 1 | 2): Promise<void> {
    if (this.#end !== undefined) return this.#end === 'gone' ? Promise.resolve() : Promise.reject(this.#end)
    const { promise } = qos === 1 ? (this.#atLeastOnce ??= deferred()) : (this.#exactlyOnce ??= deferred())
    this.#fill(this.#kept, record)
    return promise
  }

  flush(): void {
    const { counters, instance } = this.#host
    const [said, kept] = [this.#said.take(), this.#kept.take()]
    const [atLeastOnce, exactlyOnce] = [this.#atLeastOnce, this.#exactlyOnce]
    this.#atLeastOnce = undefined
    this.#exactlyOnce = undefined
    counters.sent += said.length + kept.length
    if (said.length > 0) void this.#say(makeFrame(instance, said), said.length)
    if (kept.length > 0) this.#enqueue(makeFrame(instance, kept), atLeastOnce, exactlyOnce)
  }

  /** The other broker is gone: there is nobody left to bring anything to. */
  close(): void {
    this.#stop('gone')
    for (const frame of this.#waiting) this.#settle(frame, undefined)
  }

  /** This broker goes: what Redis does not have by now is brought to nobody. */
  abandon(): void {
    const error = new EmitterError('UNAVAILABLE', { message: 'the emitter was closed before Redis had the message' })
    this.#stop(error)
    for (const frame of this.#waiting) this.#settle(frame, typeof frame.reason === 'object' ? frame.reason : error)
  }

  #stop(end: 'gone' | EmitterError): void {
    this.flush()
    this.#end = end
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  #fill(records: Records, record: Buffer): void {
    if (this.#said.bytes + this.#kept.bytes === 0) this.#host.turnHasMessages(this)
    if (records.add(record) >= frameBytes) this.flush()
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

  #enqueue(bytes: Buffer, atLeastOnce: Deferred | undefined, exactlyOnce: Deferred | undefined): void {
    this.#numbered += 1
    const frame = {
      number: this.#numbered,
      bytes,
      since: performance.now(),
      atLeastOnce,
      exactlyOnce,
      reason: undefined,
    }
    this.#waiting.add(frame)
    if (!this.#failing) void this.#send(frame)
  }

  async #send(frame: NumberedFrame): Promise<void> {
    const [lowest] = this.#waiting
    this.#underWay += 1
    try {
      const answer = await this.#host.send(frame.number, (lowest ?? frame).number, frame.bytes)
      if (answer >= 0) this.#settle(frame, undefined)
      else this.#postpone(frame, answer === noInbox ? 'gone' : answer === full ? this.#host.full() : frame.reason)
    } catch (cause) {
      const error = emitterErrorOf(cause)
      // Redis has said no, and would say it again.
      if (mayPass(cause)) this.#postpone(frame, error)
      else if (frame.exactlyOnce !== undefined && error.code === 'QUOTA_EXCEEDED') {
        this.#refuseAtLeastOnce(frame, error)
        this.#postpone(frame, error)
      } else this.#refuse(frame, error)
    } finally {
      this.#underWay -= 1
      if (this.#failing && this.#underWay === 0 && this.#end === undefined) {
        this.#timer ??= setTimeout(() => this.#sendAgain(), retryDelay)
      }
    }
  }

  /** Redis may have room for the next frame, which is on its way, or for the one after it: what their publishers send again then comes
   * behind this one. */
  #refuse(refused: NumberedFrame, error: EmitterError): void {
    this.#settle(refused, error)
    for (const frame of this.#waiting) {
      if (frame.number < refused.number) continue
      if (frame.exactlyOnce === undefined) this.#settle(frame, error)
      else this.#refuseAtLeastOnce(frame, error)
    }
    if (this.#exactlyOnce === undefined) this.#kept.take()
    this.#atLeastOnce?.reject(error)
    this.#atLeastOnce = undefined
  }

  #settle(frame: NumberedFrame, error: EmitterError | undefined): void {
    if (!this.#waiting.delete(frame)) return
    const { atLeastOnce, exactlyOnce } = frame
    if (error === undefined) {
      atLeastOnce?.resolve()
      exactlyOnce?.resolve()
    } else {
      this.#host.counters.refused += 1
      atLeastOnce?.reject(error)
      exactlyOnce?.reject(error)
    }
  }

  /** @param reason `gone`: the other broker is dead, or Redis has lost what it had. Which one shows soon. */
  #postpone(frame: NumberedFrame, reason: NumberedFrame['reason']): void {
    this.#failing = true
    frame.reason = reason
  }

  #sendAgain(): void {
    this.#timer = undefined
    this.#failing = false
    const tooOld = performance.now() - this.#host.sendTimeout
    let kept = 0
    // Of the frame that others wait behind.
    let before: NumberedFrame['reason']
    let hasRefused = false
    for (const frame of this.#waiting) {
      const isTooOld = frame.since <= tooOld
      // What was refused is sent again by its publisher, and must not come behind what that has published since.
      if (!isTooOld && !hasRefused) break
      const reason = frame.reason ?? before
      before = reason
      if (reason === undefined) continue
      if (reason === 'gone') {
        if (isTooOld) this.#settle(frame, undefined)
        continue
      }
      hasRefused ||= frame.atLeastOnce !== undefined
      kept += frame.bytes.length
      const isOver = isTooOld && kept > this.#host.maximumOutgoingBytes
      if (frame.exactlyOnce === undefined || isOver) this.#settle(frame, reason)
      else this.#refuseAtLeastOnce(frame, reason)
    }
    for (const frame of this.#waiting) void this.#send(frame)
  }

  /** Those of QoS 1 are sent again by their publishers. */
  #refuseAtLeastOnce(frame: NumberedFrame, reason: EmitterError): void {
    if (frame.atLeastOnce === undefined) return
    this.#host.counters.refused += 1
    frame.atLeastOnce.reject(reason)
    frame.atLeastOnce = undefined
  }
}

/** Whether the same call may succeed soon. */
function mayPass(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return code === 'REDIS_UNREACHABLE' || code === 'REDIS_TIMEOUT' || code === 'REDIS_READ_ONLY'
}
