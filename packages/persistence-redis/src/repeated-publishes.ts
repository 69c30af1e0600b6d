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
  reject(error: unknown): void
}

export interface RepeatedPublishesHost<One extends Unanswered> {
  /** Says these again, and settles them. Rejects when nobody knows what has become of them. */
  publish(messages: readonly One[]): Promise<void>
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
    this.#waiting.push(one)
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
      try {
        await this.#host.publish(some)
      } catch {
        // The connection has reported it. Also with its memory full Redis may have them from before.
        await pause()
        continue
      }
      // Empty once it is closed.
      for (const { bytes } of this.#waiting.splice(0, some.length)) this.#bytes -= bytes.length
    }
    this.#isRunning = false
  }
}

async function pause(): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, retryDelay).unref())
}
