import { isExpired } from '@x/contract'
import type { Message, RetainedPage } from '@x/contract'
import { filterMatches } from '@x/topic-trie'
import { keyOf, messageOf, packetOf } from './aedes-packet.ts'
import type { OldPersistence } from './old-persistence.ts'

/** Messages in a page. */
const pageSize = 256

/** What the retained messages of an old store are completed from. */
interface RetainedSources {
  /** Retained messages that memory has for a filter; none when other brokers may have replaced them. */
  readonly ownMessages: (filter: string) => Iterable<Message | undefined>
  /** ms since the epoch */
  readonly now: () => number
}

/** The retained messages in an old store, with what it would lose of them: their properties and their expiry. */
export class OldRetained {
  readonly #sources: RetainedSources
  /** Messages of this life that have properties or an expiry, by topic. */
  readonly #whole = new Map<string, Message>()

  constructor(sources: RetainedSources) {
    this.#sources = sources
  }

  /** Stores a retained message; an empty payload deletes it. */
  async keep(store: OldPersistence, message: Message): Promise<void> {
    await store.storeRetained(packetOf(message))
    const { topic, payload, properties, expiresAt } = message
    const isMore = payload.length > 0 && (properties !== undefined || expiresAt !== undefined)
    if (isMore) this.#whole.set(topic, { ...messageOf(packetOf(message)), properties, expiresAt })
    else this.#whole.delete(topic)
  }

  /** Returns the same as `find`, in pages. */
  async page(store: OldPersistence, filter: string): Promise<RetainedPage> {
    return pageOf(await this.find(store, filter), 0)
  }

  /** Returns the messages whose topics match, without those that have expired. */
  async find(store: OldPersistence, filter: string): Promise<Message[]> {
    const found = new Map<string, Message>()
    for await (const packet of store.createRetainedStream(filter)) {
      // Stores differ in what they find for a wildcard, and some find too much.
      if (filterMatches(filter, packet.topic)) found.set(packet.topic, this.#withProperties(messageOf(packet)))
    }
    // They find too little where a level is empty.
    for (const message of this.#sources.ownMessages(filter)) {
      if (message !== undefined) found.set(message.topic, message)
    }
    const now = this.#sources.now()
    return [...found.values()].filter(message => !isExpired(message, now))
  }

  clear(): void {
    this.#whole.clear()
  }

  /** The message with what the old store has lost of it, if the store still has the same message. */
  #withProperties(message: Message): Message {
    const whole = this.#whole.get(message.topic)
    return whole !== undefined && keyOf(whole) === keyOf(message) ? whole : message
  }
}

/** Old stores know no pages; the caller takes some messages at a time. */
function pageOf(messages: readonly Message[], from: number): RetainedPage {
  const page = messages.slice(from, from + pageSize)
  const next = from + pageSize
  return next < messages.length ? Object.assign(page, { more: () => pageOf(messages, next) }) : page
}
