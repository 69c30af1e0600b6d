import { filterMatches, isWildcardFilter } from './filter-matches.ts'
import { FilterWalk } from './filter-walk.ts'
import { LevelIndex } from './level-index.ts'
import { SortedTopics, TopicCursor } from './sorted-topics.ts'

/** Topics that a search passes over before it says that it has found nothing yet. */
const step = 64

/** Values by topic, queried by filter: retained messages. Holds up to 16.7 million topics (a Map's limit; `set` throws a
 * RangeError beyond it). Any string is an ordinary topic.
 * @see MQTT 5.0 §3.3.1.3, §4.7 */
export class TopicIndex<Value> {
  readonly #values = new Map<string, Value>()
  /** The keys of `#values` in order, so that a filter can leap to the branches it reaches. */
  readonly #topics = new SortedTopics()
  /** The same by the names of their levels, for filters whose fixed levels come behind a wildcard. */
  readonly #levels = new LevelIndex()

  get size(): number {
    return this.#values.size
  }

  /** Keeps the value and returns the one it replaces, undefined when there was none. */
  set(topic: string, value: Value): Value | undefined {
    const previous = this.#values.get(topic)
    const isNew = previous === undefined && !this.#values.has(topic)
    this.#values.set(topic, value)
    if (isNew) {
      this.#topics.add(topic)
      this.#levels.add(topic)
    }
    return previous
  }

  /** Removes the topic and returns its value, undefined when there was none. */
  delete(topic: string): Value | undefined {
    const previous = this.#values.get(topic)
    if (this.#values.delete(topic)) {
      this.#topics.delete(topic)
      this.#levels.delete(topic)
    }
    return previous
  }

  /** The value of the topic, undefined when there is none. */
  get(topic: string): Value | undefined {
    return this.#values.get(topic)
  }

  /** The topics which a plain, valid filter matches, with their values; in ascending order of UTF-16 units. A filter
   * without wildcards is one look-up; one with a level that few topics have looks at these; another visits only branches it can
   * reach, each in logarithmic time.
   *
   * The index may change while this is iterated: a topic that stays is given exactly once, with its value at that
   * moment; one that is set or deleted meanwhile may or may not be given, a deleted one never after its deletion. */
  *match(filter: string): IterableIterator<[topic: string, value: Value]> {
    for (const found of this.search(filter)) if (found !== undefined) yield found
  }

  /** The same in small steps: gives undefined for each 64 topics that it has passed over, so that others can be served. */
  *search(filter: string): IterableIterator<[topic: string, value: Value] | undefined> {
    if (!isWildcardFilter(filter)) {
      if (this.#values.has(filter)) yield [filter, this.#values.get(filter) as Value]
      return
    }
    const candidates = this.#levels.candidates(filter)
    if (candidates === undefined) yield* this.#walk(filter)
    else yield* this.#among(filter, candidates)
  }

  /** All topics and values, in no particular order. Changes meanwhile are as with `match`. */
  [Symbol.iterator](): IterableIterator<[topic: string, value: Value]> {
    return this.#values.entries()
  }

  *#among(filter: string, candidates: readonly string[]): IterableIterator<[topic: string, value: Value]> {
    const matching = candidates.filter(topic => filterMatches(filter, topic)).sort()
    for (const topic of matching) if (this.#values.has(topic)) yield [topic, this.#values.get(topic) as Value]
  }

  *#walk(filter: string): IterableIterator<[topic: string, value: Value] | undefined> {
    let passed = 0
    const walk = new FilterWalk(filter)
    const cursor = new TopicCursor(this.#topics)
    let topic = cursor.seek(walk.start)
    while (topic !== undefined) {
      const verdict = walk.judge(topic)
      if (verdict.type === 'end') return
      if (verdict.type === 'match') yield [topic, this.#values.get(topic) as Value]
      else if ((passed += 1) % step === 0) yield undefined
      topic = verdict.type === 'seek' ? cursor.seek(verdict.to) : cursor.next()
    }
  }
}
