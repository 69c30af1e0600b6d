import { messageBytes } from '@x/contract'
import type { Delivery, QueueLimits } from '@x/contract'

/** Head slots that are dead before the array is cut. */
const compactAt = 1024

/** QoS 1 and 2 messages that wait for room in the window of a session without a stored queue; first in, first out, within
 * the limits of {@link QueueLimits}. */
export class WaitingQueue {
  readonly #limits: QueueLimits
  #items: (Delivery | undefined)[] = []
  #head = 0
  #bytes = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Beyond half of a limit: whoever fills it had better slow down. */
  get congested(): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes } = this.#limits
    return this.length * 2 > maximumQueuedMessages || this.#bytes * 2 > maximumQueuedBytes
  }

  /** Appends; answers how many messages the limits cost, this one included when it is the one that goes. */
  push(delivery: Delivery): number {
    const size = messageBytes(delivery.message)
    // Nothing would be won by making room for what does not fit even alone.
    if (size > this.#limits.maximumQueuedBytes) return 1
    let dropped = 0
    while (this.#isOver(size)) {
      if (this.#limits.overflow === 'dropNewest') return dropped + 1
      this.shift()
      dropped += 1
    }
    this.#items.push(delivery)
    this.#bytes += size
    return dropped
  }

  shift(): Delivery | undefined {
    if (this.length === 0) return undefined
    const delivery = this.#items[this.#head] as Delivery
    this.#items[this.#head] = undefined
    this.#head += 1
    this.#bytes -= messageBytes(delivery.message)
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= compactAt && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return delivery
  }

  #isOver(size: number): boolean {
    return this.length >= this.#limits.maximumQueuedMessages || this.#bytes + size > this.#limits.maximumQueuedBytes
  }
}
