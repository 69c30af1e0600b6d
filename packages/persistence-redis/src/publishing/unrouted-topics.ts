import { Following } from '@x/redis-connection'
import { FilterTrie } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'

const maximumTopics = 10_000
/** Longer ones are not remembered. */
const longestTopic = 1024
/** New filters that are remembered; when there are more, all topics are forgotten and learnt again. */
const maximumNewFilters = 10_000

/** Filters by number; a topic matches with the greatest one. */
function newFilters(): FilterTrie<number, number> {
  return new FilterTrie({ derive: numbers => Math.max(0, ...numbers) })
}

/** Topics that match no filter of any stored session or shared group: messages need not go to Redis for them.
 *
 * A topic is learnt from the answer of Redis for a message, which has the number of the last new filter in it. It counts until a
 * filter with a greater number matches it. New filters are heard on a channel; when that can't be relied on, Redis is asked. */
export class UnroutedTopics {
  readonly #following: Following
  /** Each with the number of the last filter that was there when Redis found nobody. */
  readonly #topics = new Map<string, number>()
  /** Filters that came while topics were known, and the greatest number of those that match. */
  #filters = newFilters()
  /** Number of the last new filter that was heard of. */
  #heard = 0
  /** Changes when everything was forgotten: what was asked before is not learnt any more. */
  #generation = 0

  /** @param follow says that this broker goes by what it hears; returns the number of the last new filter */
  constructor(follow: () => Promise<number>) {
    this.#following = new Following(async () => this.#hasHeardAll(follow))
  }

  get generation(): number {
    return this.#generation
  }

  /** Whether it is certain that nobody in Redis takes the topic. */
  has(topic: string): boolean {
    const number = this.#topics.get(topic)
    if (number === undefined || !this.#following.isReliable) return false
    return this.#filters.size === 0 || this.#filters.match(topic) <= number
  }

  /** Redis has found nobody.
   * @param number of the last new filter then
   * @param generation when it was asked */
  learn(topic: string, number: number, generation: number): void {
    if (generation !== this.#generation || topic.length > longestTopic || number < this.#heard) return
    if (this.#topics.size >= maximumTopics) this.#topics.clear()
    // News of what came before it may still be heard, and let everything be forgotten.
    if (this.#topics.size === 0) this.#heard = number
    this.#topics.set(topic, number)
  }

  /** Filters that are new, with the number of this piece of news. */
  hear(number: number, filters: readonly string[]): void {
    const isNext = number === this.#heard + 1
    this.#heard = number
    if (!isNext || this.#topics.size === 0 || this.#filters.size + filters.length > maximumNewFilters) this.forget()
    else for (const filter of filters) this.#filters.add(filter as TopicFilter, this, number)
  }

  /** News may have been lost. */
  forget(): void {
    this.#generation += 1
    this.#following.restart()
    this.#topics.clear()
    // Taking out each would look through all topics for each.
    if (this.#filters.size > 0) this.#filters = newFilters()
  }

  async #hasHeardAll(follow: () => Promise<number>): Promise<boolean> {
    const [generation, heard] = [this.#generation, this.#heard]
    const number = await follow()
    if (generation !== this.#generation) return false
    if (number > this.#heard || number < heard) {
      // Some were not heard, or Redis has lost its numbers.
      this.forget()
      this.#heard = number
      return false
    }
    return number === this.#heard
  }
}
