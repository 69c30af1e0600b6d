import type { Message, StoreLimits } from '@x/contract'
import { messageBytes, PersistenceError } from '@x/contract'

interface Share {
  messages: number
  bytes: number
}

/** How much of what is retained each client has published: one that fills its own share takes no room from the others. What the
 * broker itself publishes is in no share. */
export class RetainedShares {
  readonly #limits: StoreLimits
  /** By client identifier; only of clients that retain something. */
  readonly #shares = new Map<string, Share>()

  constructor(limits: StoreLimits) {
    this.#limits = limits
  }

  /** Whether the message would exceed its publisher's share when it takes the place of `previous`. */
  exceeds(message: Message, previous: Message | undefined): boolean {
    const share = this.#with(message, previous)
    return share !== undefined && (share.messages > this.#messages || share.bytes > this.#bytes)
  }

  /** @throws PersistenceError `QUOTA_EXCEEDED` when it would */
  check(message: Message, previous: Message | undefined): void {
    const share = this.#with(message, previous)
    if (share === undefined) return
    const { publisher } = message
    if (share.messages > this.#messages) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `client '${publisher}' would have ${share.messages} retained messages, the limit is maximumRetainedMessagesPerClient of ${this.#messages}`,
      })
    }
    if (share.bytes > this.#bytes) {
      throw new PersistenceError('QUOTA_EXCEEDED', {
        message: `client '${publisher}' would have ${share.bytes} bytes retained, the limit is maximumRetainedBytesPerClient of ${this.#bytes}`,
      })
    }
  }

  add(message: Message): void {
    const { publisher } = message
    if (publisher === undefined) return
    const share = this.#shares.get(publisher) ?? { messages: 0, bytes: 0 }
    share.messages += 1
    share.bytes += messageBytes(message)
    this.#shares.set(publisher, share)
  }

  remove(message: Message): void {
    const { publisher } = message
    const share = publisher === undefined ? undefined : this.#shares.get(publisher)
    if (publisher === undefined || share === undefined) return
    share.messages -= 1
    share.bytes -= messageBytes(message)
    if (share.messages === 0) this.#shares.delete(publisher)
  }

  get #messages(): number {
    return this.#limits.maximumRetainedMessagesPerClient ?? Infinity
  }

  get #bytes(): number {
    return this.#limits.maximumRetainedBytesPerClient ?? Infinity
  }

  /** What the publisher would have then; undefined: it has no share, or none that grows. */
  #with(message: Message, previous: Message | undefined): Share | undefined {
    const { publisher } = message
    if (publisher === undefined) return undefined
    const { messages, bytes } = this.#shares.get(publisher) ?? { messages: 0, bytes: 0 }
    const isOwn = previous?.publisher === publisher
    const replaced = isOwn ? messageBytes(previous) : 0
    const size = messageBytes(message)
    if (isOwn && size <= replaced) return undefined
    return { messages: messages + (isOwn ? 0 : 1), bytes: bytes + size - replaced }
  }
}
