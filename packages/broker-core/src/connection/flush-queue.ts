import { performance } from 'node:perf_hooks'

/** Bytes that may be pending in all outboxes together before their publishers wait for a flush. A socket is read up to 32 times in a
 * turn: what 1000 receivers get of that is 2 GB, which passes through main memory several times. In steps of 16 MiB fanout-1000 was 2.4
 * times as fast, and took 0.2 instead of 0.9 GB (4 MiB: 1.7 times). */
export const flushBytes = 16_777_216

/** A program that publishes does not wait; beyond this many bytes in one turn the outboxes are flushed at once. */
const mostBytes = 8 * flushBytes

/** ms of a turn that writing to sockets may take: a write is a system call of 5 to 10 µs, so 10 000 receivers take 80 ms. */
const budget = 8

/** Outboxes that are flushed between two looks at the clock. Each may have 100 KB, which takes 0.2 ms. */
const stride = 4

/** What has bytes to flush at the end of the turn: an outbox. */
export interface Flushable {
  flushSafely(): void
}

/** The order of flushing: the bytes of a fan-out to many receivers wait for all others, so that one message to 10 000 receivers delays
 * no acknowledgement. */
export const Urgency = { none: 0, bulk: 1, prompt: 2 } as const

/** Receivers of a fan-out that is bulk: their writes take a few milliseconds. */
const manyReceivers = 256

/** Receivers of a fan-out whose copies do not fit into the processor's caches. */
const severalReceivers = 8

/** Bytes of a run that are written by themselves when others follow in the same turn: to copy both into one buffer for several receivers
 * costs more than a second write (fanout-100: 1.7 times as many messages, in two thirds of the memory; qos0-1-1: a tenth less). */
const worthWriting = 16_384

/** Flushes every outbox that was written to in a turn of the event loop, once, at the end of the turn. Flushing that takes longer than
 * {@link budget} goes on in the next turns. */
export class FlushQueue {
  /** One of {@link Urgency}, for the bytes that are written now. */
  urgency: number = Urgency.prompt
  /** Bytes from which a run is written by itself when others follow. */
  leastRun: number = Infinity
  #prompt: Flushable[] = []
  #bulk: Flushable[] = []
  /** Number of outboxes in `#bulk` that were flushed. */
  #flushed = 0
  #scheduled = false
  #spent = 0
  readonly #endTurn = (): void => {
    this.#scheduled = false
    this.#flushSome()
  }

  /** The outbox has something to flush of the present urgency. */
  add(outbox: Flushable): void {
    if (this.urgency === Urgency.prompt) this.#prompt.push(outbox)
    else this.#bulk.push(outbox)
    this.#schedule()
  }

  /** A fan-out begins. */
  beginFanOut(receivers: number): void {
    if (receivers >= manyReceivers) this.urgency = Urgency.bulk
    if (receivers >= severalReceivers) this.leastRun = worthWriting
  }

  /** The fan-out has ended; it has put `bytes` into outboxes. */
  endFanOut(bytes: number): void {
    this.urgency = Urgency.prompt
    this.leastRun = Infinity
    this.#spent += bytes
    if (this.#spent >= mostBytes) this.#flushAll()
  }

  /** Publishers to many receivers wait until these have been flushed. */
  get isBehind(): boolean {
    return this.#spent >= flushBytes || this.#flushed > 0
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#endTurn)
  }

  #flushSome(): void {
    const prompt = this.#prompt
    this.#prompt = []
    const end = performance.now() + budget
    const done = flushUntil(prompt, 0, end)
    if (done < prompt.length) this.#prompt = prompt.slice(done)
    this.#flushed = flushUntil(this.#bulk, this.#flushed, end)
    if (this.#flushed === this.#bulk.length) this.#bulkDone()
    if (this.#prompt.length > 0 || this.#bulk.length > 0) this.#schedule()
  }

  #flushAll(): void {
    flushUntil(this.#prompt, 0, Infinity)
    this.#prompt = []
    flushUntil(this.#bulk, this.#flushed, Infinity)
    this.#bulkDone()
  }

  #bulkDone(): void {
    this.#bulk = []
    this.#flushed = 0
    this.#spent = 0
  }
}

/** Flushes from `start` on until `end`, in ms of `performance.now`, but some in any case; returns the index of the first that was
 * not flushed. */
function flushUntil(outboxes: readonly Flushable[], start: number, end: number): number {
  let index = start
  while (index < outboxes.length) {
    const stop = Math.min(index + stride, outboxes.length)
    for (; index < stop; index += 1) (outboxes[index] as Flushable).flushSafely()
    if (performance.now() >= end) break
  }
  return index
}
