/** Milliseconds until what Redis did not answer is said again. */
const retryDelay = 250
/** Bytes of messages that are said again at most; of others the publisher is told that it is not known whether they are stored. */
const mostBytes = 16_777_216
/** Messages that one call takes. */
const largestCall = 32

/** A message that Redis may have or not. */
export interface Unanswered {
  /** As a batch has it. */
  readonly bytes: Buffer
  /** Ascends in the order of publishing. */
  readonly number: number
  reject(error: unknown): void
}

/** What repeated publishes need, and whom they tell. */
export interface RepeatedPublishesHost<One extends Unanswered> {
  /** Says these again, and settles them. Rejects when nobody knows what has become of them. */
  publish(messages: readonly One[]): Promise<void>
  /** Whether an earlier one than this is on its way: it may have to be said again before. */
  isOvertaking(number: number): boolean
}

/** QoS 2 messages whose receipt Redis did not confirm: they are said again, one after the other, until it does. Given up, they could be
 * stored: then their publisher, which sends them again, hears that they are known, and nobody else would get them who is not stored. */
export class RepeatedPublishes<One extends Unanswered> {
  readonly #host: RepeatedPublishesHost<One>
  #waiting: One[] = []
  #bytes = 0
  #isRunning = false
  #closed = false

  constructor(host: RepeatedPublishesHost<One>) {
    this.#host = host
  }

  /** Later ones have to wait behind those that are there. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** False: there is no room for it. */
  add(one: One): boolean {
    if (this.#closed || this.#bytes + one.bytes.length > mostBytes) return false
    // Not every call that has failed is known to have failed in its turn.
    const place = this.#waiting.findLastIndex(({ number }) => number < one.number)
    this.#waiting.splice(place + 1, 0, one)
    this.#bytes += one.bytes.length
    if (!this.#isRunning) void this.#run()
    return true
  }

  close(error: unknown): void {
    this.#closed = true
    for (const one of this.#waiting) one.reject(error)
    this.#waiting = []
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    await pause()
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, largestCall)
      if (this.#host.isOvertaking((some[0] as One).number)) {
        await pause()
        continue
      }
      try {
        await this.#host.publish(some)
      } catch {
        // The connection has reported it. Also with its memory full Redis may have them from before.
        await pause()
        continue
      }
      // Others may stand between them by now.
      const said = new Set(some)
      this.#waiting = this.#waiting.filter(one => !said.has(one))
      for (const { bytes } of some) this.#bytes -= bytes.length
    }
    this.#isRunning = false
  }
}

async function pause(): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, retryDelay).unref())
}
