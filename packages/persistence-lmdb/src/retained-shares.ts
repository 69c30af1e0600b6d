import { messageBytes, PersistenceError } from '@x/contract'
import type { Message, StoreLimits } from '@x/contract'
import type { Environment } from './environment.ts'
import { kind, textKey } from './keys.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'

interface Share {
  readonly messages: number
  readonly bytes: number
}

const none: Share = { messages: 0, bytes: 0 }

/** How much of what is retained each client has published: one that fills its own share takes no room from the others. What the
 * broker itself publishes is in no share. */
export class RetainedShares {
  readonly #environment: Environment
  readonly #limits: StoreLimits
  readonly #writer = new RecordWriter()

  constructor(environment: Environment, limits: StoreLimits) {
    this.#environment = environment
    this.#limits = limits
  }

  /** Whether the publisher may have so much more, whatever it replaces. */
  hasRoomFor({ publisher }: Message, more: { readonly topics: number; readonly bytes: number }): boolean {
    const { maximumRetainedMessagesPerClient = Infinity, maximumRetainedBytesPerClient = Infinity } = this.#limits
    if (publisher === undefined) return true
    const { messages, bytes } = this.#of(publisher)
    return (
      messages + more.topics <= maximumRetainedMessagesPerClient && bytes + more.bytes <= maximumRetainedBytesPerClient
    )
  }

  /** Why the message would exceed its publisher's share when it takes the place of `previous`; undefined: it would not. */
  excess(message: Message, previous: Message | undefined): PersistenceError | undefined {
    const { publisher } = message
    if (publisher === undefined) return undefined
    const { maximumRetainedMessagesPerClient = Infinity, maximumRetainedBytesPerClient = Infinity } = this.#limits
    const { messages, bytes } = this.#of(publisher)
    const isOwn = previous?.publisher === publisher
    const replaced = isOwn ? messageBytes(previous) : 0
    const size = messageBytes(message)
    if (isOwn && size <= replaced) return undefined
    if (!isOwn && messages + 1 > maximumRetainedMessagesPerClient) {
      return new PersistenceError('QUOTA_EXCEEDED', {
        message: `client '${publisher}' would have ${messages + 1} retained messages, the limit is maximumRetainedMessagesPerClient of ${maximumRetainedMessagesPerClient}`,
      })
    }
    const total = bytes + size - replaced
    if (total <= maximumRetainedBytesPerClient) return undefined
    return new PersistenceError('QUOTA_EXCEEDED', {
      message: `client '${publisher}' would have ${total} bytes retained, the limit is maximumRetainedBytesPerClient of ${maximumRetainedBytesPerClient}`,
    })
  }

  /** A topic has another retained message than before. */
  change(before: Message | undefined, after: Message | undefined): void {
    const sizeBefore = before === undefined ? 0 : messageBytes(before)
    const sizeAfter = after === undefined ? 0 : messageBytes(after)
    if (before?.publisher === after?.publisher) {
      const messages = (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
      this.#add(after?.publisher, messages, sizeAfter - sizeBefore)
      return
    }
    if (before !== undefined) this.#add(before.publisher, -1, -sizeBefore)
    if (after !== undefined) this.#add(after.publisher, 1, sizeAfter)
  }

  #of(publisher: string): Share {
    const value = this.#environment.get(textKey(kind.retainedShare, publisher))
    if (value === undefined) return none
    const reader = new RecordReader(value)
    return { messages: reader.u48(), bytes: reader.u48() }
  }

  #add(publisher: string | undefined, messages: number, bytes: number): void {
    if (publisher === undefined || (messages === 0 && bytes === 0)) return
    const share = this.#of(publisher)
    const key = textKey(kind.retainedShare, publisher)
    const left = share.messages + messages
    if (left <= 0) this.#environment.remove(key)
    else
      this.#environment.put(
        key,
        this.#writer
          .begin()
          .u48(left)
          .u48(share.bytes + bytes)
          .take(),
      )
  }
}
