import { keepMessage } from '@x/contract'
import type { Message } from '@x/contract'
import { filterMatches } from '@x/topic-trie'

const root = '$SYS/'
const ofOwnClients = '$SYS/broker/'

/** What this broker says about itself, retained: in its own memory where its store has other brokers too. There one would stand for all
 * of them, and would stay when the broker is gone. */
export class OwnStatistics {
  /** By topic. */
  readonly #messages = new Map<string, Message>()

  /** Whether the message was one of them: no store needs to have it. */
  retain(message: Message): boolean {
    const { topic, publisher, qos, expiresAt, payload } = message
    if (!topic.startsWith(root) || publisher !== undefined || qos > 0 || expiresAt !== undefined) return false
    if (payload.length === 0) this.#messages.delete(topic)
    else this.#messages.set(topic, keepMessage(message))
    return true
  }

  matching(filter: string): Message[] {
    if (!filter.startsWith(root) || this.#messages.size === 0) return []
    return [...this.#messages.values()].filter(({ topic }) => filterMatches(filter, topic))
  }
}

/** Whether the message is for this broker's own clients alone: each broker says this about itself, by the same topics. */
export function isForOwnClients({ topic, publisher }: Message): boolean {
  return topic.charCodeAt(0) === 0x24 && publisher === undefined && topic.startsWith(ofOwnClients)
}
