import type { Will } from '@x/contract'
import { decodeWill } from './records/message-record.ts'
import type { StoreCalls } from './calls/store-calls.ts'

/** Wills that Redis has given to this broker to publish. Those it does not confirm are given to another one. */
export class ClaimedWills {
  readonly #calls: StoreCalls
  /** Of each, the epoch it was set with: its name in Redis. */
  readonly #epochs = new WeakMap<Will, string>()
  /** Published, and Redis could not be told. */
  readonly #unsaid = new Set<string>()

  constructor(calls: StoreCalls) {
    this.#calls = calls
  }

  /** The will in an answer; undefined: there was none. */
  claimed(epoch: string, record: Buffer): Will | undefined {
    if (record.length === 0) return undefined
    const will = decodeWill(record, this.#calls.time)
    this.#epochs.set(will, epoch)
    return will
  }

  /** The name of a will that Redis has given out. */
  nameOf(will: Will): string | undefined {
    return this.#epochs.get(will)
  }

  async confirm(will: Will): Promise<void> {
    const epoch = this.nameOf(will)
    if (epoch === undefined) return
    this.#unsaid.add(epoch)
    await this.#say([epoch])
  }

  /** Says what could not be said before. */
  async sayAgain(): Promise<void> {
    if (this.#unsaid.size > 0) await this.#say([...this.#unsaid])
  }

  async #say(epochs: readonly string[]): Promise<void> {
    await this.#calls.call('confirm', ...epochs)
    for (const epoch of epochs) this.#unsaid.delete(epoch)
  }
}
