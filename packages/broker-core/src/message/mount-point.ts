import type { PublishFrame } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { Publication } from './publication.ts'
import type { Origin } from './publication.ts'

/** Topics whose full names are remembered, so that they are put together and checked once. */
const remembered = 10_000

/** Characters of the longest topic that is remembered: all of them take a few megabytes. */
const longestRemembered = 256

const share = '$share/'

/** The part of the topic tree in which the clients of a listener live. They name topics and filters relative to it. The broker, its
 * store, hooks and events have the full names. */
export class MountPoint {
  readonly #prefix: string
  readonly #maximumLevels: number
  readonly #topics = new Map<string, string>()
  // Consecutive receivers get the same publication, so that it is encoded once.
  #last: Publication | undefined
  #lastShown: Publication | undefined

  /** @param maximumLevels - levels of a full topic name */
  constructor(prefix: string, maximumLevels: number) {
    this.#prefix = prefix
    this.#maximumLevels = maximumLevels
  }

  /** The full name of a client's topic.
   * @throws TopicError `TOPIC_TOO_LONG`, `TOPIC_TOO_MANY_LEVELS` */
  topic(topic: string): string {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const full = parseTopicName(this.#prefix + topic, { maximumLevels: this.#maximumLevels })
    if (full.length > longestRemembered) return full
    if (this.#topics.size >= remembered) this.#topics.clear()
    this.#topics.set(topic, full)
    return full
  }

  /** The full name of a client's filter, which the caller checks. An empty filter stays empty, and that of a shared subscription is
   * `$share/{ShareName}/{prefix}{filter}`. */
  filter(filter: string): string {
    if (!filter.startsWith(share)) return filter === '' ? '' : this.#prefix + filter
    const slash = filter.indexOf('/', share.length)
    if (slash < 0 || slash === filter.length - 1) return filter
    return `${filter.slice(0, slash + 1)}${this.#prefix}${filter.slice(slash + 1)}`
  }

  /** The message of a client's PUBLISH. */
  publicationOf(topic: string, origin: Origin, frame: PublishFrame): Publication {
    const { qos, retain, messageExpiryInterval } = frame
    return new Publication(topic, origin, {
      payload: frame.payload(),
      qos,
      retain,
      properties: frame.forwardableProperties(),
      expiresAt: messageExpiryInterval < 0 ? undefined : origin.now + messageExpiryInterval * 1000,
    })
  }

  /** The message as clients of the listener see it; undefined: its topic is outside of their part. */
  shown(publication: Publication): Publication | undefined {
    if (publication === this.#last) return this.#lastShown
    const { topic } = publication
    const isInside = topic.length > this.#prefix.length && topic.startsWith(this.#prefix)
    const shown = isInside ? publication.renamed(topic.slice(this.#prefix.length)) : undefined
    this.#last = publication
    this.#lastShown = shown
    return shown
  }
}
