import { isExpired, isSameMessage } from '@x/contract'
import type { Clock, Message } from '@x/contract'
import { filterMatches } from '@x/topic-trie'

const statistics = '$SYS/'

/** Retained messages that the broker itself publishes below `$SYS/`. They say how this broker is now, so they stay in memory: written
 * every few seconds, they would be most of what an idle broker writes. */
export class VolatileRetained {
  readonly #clock: Clock
  readonly #messages = new Map<string, Message>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#messages.size
  }

  /** Keeps the message, whose bytes must be its own. False: it is not one of these. */
  take(message: Message): boolean {
    const { topic, payload, publisher, qos } = message
    if (publisher !== undefined || qos !== 0 || !topic.startsWith(statistics)) return false
    if (payload.length === 0) this.#messages.delete(topic)
    else this.#messages.set(topic, message)
    return true
  }

  match(filter: string): readonly Message[] {
    if (!filter.startsWith('$')) return []
    const now = this.#clock.now()
    return [...this.#messages.values()].filter(
      message => filterMatches(filter, message.topic) && !isExpired(message, now),
    )
  }

  has(topic: string): boolean {
    return this.#messages.has(topic)
  }

  isCurrent(message: Message): boolean {
    const kept = this.#messages.get(message.topic)
    return kept !== undefined && isSameMessage(kept, message)
  }
}
