import type { EmitterHost } from '@x/contract'
import { DeliveryLine, IncomingFrame } from '@x/emitter-parts'
import type { EmitterCounters } from './emitter-counters.ts'

/** Frames asked of the stream at a time. */
const pageSize = 16
/** Milliseconds after a read that has failed. */
const readRetryDelay = 250

/** Milliseconds after which an idle inbox is kept for another while. */
export const tendInterval = 4500

/** Milliseconds in which a frame comes by the channel that lies in the stream already. */
const underWay = 20

/** Fields of an entry of the stream. */
export type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]]

/** What the inbox needs, and whom it tells. */
export interface InboxHost {
  readonly deliver: EmitterHost['deliver']
  readonly counters: EmitterCounters
  /** Whether the client has connected to another broker than this one since: what it has published there would come before. */
  isElsewhere(clientId: string, broker: string): boolean
  /** Bytes of frames that may wait for delivery; more of QoS 1 and 2 stays in Redis, of QoS 0 is dropped. */
  readonly maximumIncomingBytes: number
  /** Bytes that are delivered before they are taken out of the inbox, other than with the next renewal. */
  readonly tendBytes: number
  /** Entries of the stream after that number, in order. */
  read(after: number, limit: number): Promise<readonly StreamEntry[]>
  /** Keeps the inbox for another while, and takes out what is delivered: up to `done`, with which it had got `bytes`. */
  tend(seen: number, done: number, bytes: number): Promise<{ readonly lost: boolean; readonly last: number }>
  /** The number of the last frame. */
  last(): Promise<number>
}

/** What other brokers have for this one: frames that come by the channel, in their order, and those that the channel has lost
 * from the stream. */
export class Inbox {
  readonly #host: InboxHost
  readonly #lines = new Map<string, DeliveryLine>()
  /** Number of the last frame that was taken. */
  #taken = 0
  /** Bytes that the inbox had got up to it. */
  #takenBytes = 0
  /** The highest number that was heard of. */
  #heard = 0
  /** The last number when the inbox was tended: by the next time it has been heard, or never will be. */
  #last = 0
  /** Taken and not yet delivered, ascending: number to the bytes that the inbox had got before it. */
  readonly #undelivered = new Map<number, number>()
  #waitingBytes = 0
  #untendedBytes = 0
  /** Who waits for the delivery of everything up to a number. */
  readonly #awaited = new Set<{ readonly number: number; readonly resolve: () => void }>()
  /** The last frame that was done when the inbox was tended, and when that was. */
  #tended = { done: NaN, at: 0 }
  #reading = false
  #closed = false

  constructor(host: InboxHost) {
    this.#host = host
  }

  close(): void {
    this.#closed = true
    for (const line of this.#lines.values()) line.close()
    for (const { resolve } of this.#awaited) resolve()
  }

  /** A frame that comes by the channel: of QoS 0 messages, `qFRAME`, or one that lies in the stream as well, `sNUMBER BYTES FRAME`. */
  hearFrame(payload: Buffer): void {
    if (payload[0] === 0x73) this.#hearNumbered(payload)
    else if (payload[0] !== 0x71) this.#host.counters.invalid += 1
    else if (this.#hasRoom) this.#push(payload.subarray(1), undefined)
    else this.#host.counters.droppedIncoming += 1
  }

  #hearNumbered(payload: Buffer): void {
    const afterNumber = payload.indexOf(0x20)
    const afterBytes = payload.indexOf(0x20, afterNumber + 1)
    const number = Number(payload.toString('latin1', 1, afterNumber))
    const bytes = Number(payload.toString('latin1', afterNumber + 1, afterBytes))
    if (afterBytes === -1 || !Number.isSafeInteger(number) || !Number.isSafeInteger(bytes)) {
      this.#host.counters.invalid += 1
      return
    }
    this.#heard = Math.max(this.#heard, number)
    if (number === this.#taken + 1 && !this.#reading && this.#hasRoom) {
      this.#take(payload.subarray(afterBytes + 1), number, bytes)
    } else if (number > this.#taken) void this.catchUp()
  }

  /** Reads what the stream has beyond what was taken, as far as there is room. */
  async catchUp(): Promise<void> {
    if (this.#reading || this.#closed || !this.#hasRoom) return
    this.#reading = true
    this.#host.counters.readBacks += 1
    try {
      while (await this.#readPage());
      this.#reading = false
    } catch {
      // The connection has reported it.
      setTimeout(() => {
        this.#reading = false
        void this.catchUp()
      }, readRetryDelay).unref()
    }
  }

  /** Returns whether there may be more. */
  async #readPage(): Promise<boolean> {
    const [after, heard] = [this.#taken, this.#heard]
    const entries = await this.#host.read(after, pageSize)
    for (const [id, [, bytes, , frame]] of entries) {
      const number = Number(id.toString('latin1').split('-')[0])
      if (frame !== undefined && number > this.#taken) this.#take(frame, number, Number(bytes?.toString('latin1')))
    }
    return (this.#taken > after || this.#heard > heard) && this.#hasRoom && !this.#closed
  }

  /** Keeps the inbox. Returns whether it had ended, and what was in it is lost. */
  async tend(): Promise<boolean> {
    const [first] = this.#undelivered
    const [done, doneBytes] = first === undefined ? [this.#taken, this.#takenBytes] : [first[0] - 1, first[1]]
    this.#untendedBytes = 0
    this.#tended = { done, at: performance.now() }
    const { lost, last } = await this.#host.tend(this.#taken, done, doneBytes)
    if (lost) {
      // It counts from the beginning.
      this.#takenBytes = 0
      for (const number of this.#undelivered.keys()) this.#undelivered.set(number, 0)
    } else if (this.#last > this.#taken) {
      this.#heard = Math.max(this.#heard, last)
      void this.catchUp()
    }
    this.#last = last
    return lost
  }

  /** The same in one command, as long as nothing has come. */
  async glance(): Promise<boolean> {
    const { done, at } = this.#tended
    const isIdle = done === this.#taken && this.#last === done && performance.now() - at < tendInterval
    return isIdle && (await this.#host.last()) === done ? false : this.tend()
  }

  /** Answers once everything is delivered that is in the inbox now, or so many milliseconds are over. */
  async arrived(timeout: number): Promise<void> {
    // Without Redis nobody knows; the connection has reported it.
    const number = await this.#host.last().catch(() => Number.NaN)
    if (this.#closed || !(number > this.#deliveredThrough)) return
    this.#heard = Math.max(this.#heard, number)
    const look = setTimeout(() => void this.catchUp(), underWay)
    await new Promise<void>(resolve => {
      const end = setTimeout(() => one.resolve(), timeout)
      const one = {
        number,
        resolve: () => {
          clearTimeout(end)
          this.#awaited.delete(one)
          resolve()
        },
      }
      this.#awaited.add(one)
    })
    clearTimeout(look)
  }

  /** A frame may have been lost on its way. */
  get isBehind(): boolean {
    return this.#last > this.#taken
  }

  get #deliveredThrough(): number {
    const [first] = this.#undelivered.keys()
    return first === undefined ? this.#taken : first - 1
  }

  get #hasRoom(): boolean {
    return this.#waitingBytes < this.#host.maximumIncomingBytes
  }

  #take(frame: Buffer, number: number, bytes: number): void {
    this.#taken = number
    this.#takenBytes = bytes
    this.#undelivered.set(number, bytes - frame.length)
    this.#push(frame, number)
  }

  #push(bytes: Buffer, number: number | undefined): void {
    this.#waitingBytes += bytes.length
    let frame: IncomingFrame
    try {
      frame = new IncomingFrame(bytes, number)
    } catch (error) {
      this.#done(bytes.length, number, error)
      return
    }
    let line = this.#lines.get(frame.sender)
    if (line === undefined) {
      line = new DeliveryLine({
        deliver: (message, groups) => {
          const { qos, publisher } = message
          if (qos === 0 && publisher !== undefined && this.#host.isElsewhere(publisher, frame.sender)) {
            this.#host.counters.droppedLate += 1
            return undefined
          }
          this.#host.counters.delivered += 1
          return this.#host.deliver(message, groups)
        },
        done: ({ size }, ...rest) => this.#done(size, ...rest),
      })
      this.#lines.set(frame.sender, line)
    }
    line.push(frame)
  }

  #done(size: number, number: number | undefined, error: unknown): void {
    if (error !== undefined) this.#host.counters.invalid += 1
    this.#waitingBytes -= size
    if (number !== undefined) {
      this.#undelivered.delete(number)
      if (this.#awaited.size > 0) this.#tellArrived()
      this.#untendedBytes += size
      if (this.#untendedBytes >= this.#host.tendBytes) this.tend().catch(ignore)
    }
    if (this.#heard > this.#taken && this.#waitingBytes * 2 <= this.#host.maximumIncomingBytes) void this.catchUp()
  }

  #tellArrived(): void {
    const through = this.#deliveredThrough
    for (const one of this.#awaited) {
      if (one.number <= through) one.resolve()
    }
  }

  /** Forgets brokers that have left. */
  forget(sender: string): void {
    if (this.#lines.get(sender)?.isEmpty === true) this.#lines.delete(sender)
  }
}

/** The connection has reported it, and renewing comes again. */
function ignore(): void {}
