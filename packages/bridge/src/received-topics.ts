import { TopicInterner } from '@x/packet'
import type { PublishFrame } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'

/** The topics of the messages that come on one connection, by name or by alias. MQTT 5.0 §3.3.2.3.4 */
export class ReceivedTopics {
  readonly #maximumAlias: number
  readonly #interner = new TopicInterner({ check: parseTopicName })
  readonly #byAlias = new Map<number, string>()

  /** @param maximumAlias - the highest alias that the peer was told it may use */
  constructor(maximumAlias: number) {
    this.#maximumAlias = maximumAlias
  }

  /** Returns the topic of a message, and remembers it when it comes with an alias.
   * @throws Error for an alias that the peer may not use, or that has no topic; TopicError */
  of({ source, topicStart, topicEnd, frameStart, topicAlias }: PublishFrame): string {
    if (topicAlias === 0) return this.#interner.intern(source, topicStart, topicEnd, frameStart)
    if (topicStart === topicEnd) {
      const topic = this.#byAlias.get(topicAlias)
      if (topic === undefined) throw new Error(`topic alias ${topicAlias} has no topic`)
      return topic
    }
    if (topicAlias > this.#maximumAlias) throw new Error(`topic alias ${topicAlias} is above ${this.#maximumAlias}`)
    const topic = this.#interner.intern(source, topicStart, topicEnd, frameStart)
    this.#byAlias.set(topicAlias, topic)
    return topic
  }
}
