import { FilterEntry } from './filter-entry.ts'
import { isWildcardFilter } from './filter-matches.ts'
import { DeepTrie } from './deep-trie.ts'
import { MatchCache } from './match-cache.ts'
import type { TopicFilter } from './topic.ts'
import { MAXIMUM_TRIE_LEVELS, WildcardTrie } from './wildcard-trie.ts'
import type { MatchWalk } from './wildcard-trie.ts'

/** How a FilterTrie derives and keeps its results. */
export interface FilterTrieOptions<Value, Result> {
  /** Makes a match result of the values of all matching (filter, key) pairs, in no particular order; a key that matches
   * by several filters is there several times. The array is fresh and may be kept. It is the result itself unless given.
   * What it throws comes out of `match`, and nothing is cached. */
  readonly derive?: (values: readonly Value[]) => Result
  /** What a result counts as towards `maximumCachedValues`; the number of values unless given. A result that sums its values up is
   * worth keeping however many these are. */
  readonly weigh?: (result: Result) => number
  /** Told after each match that no cache has spared, unless it was short, how many nodes and values it took: 20 of them take about a
   * microsecond. */
  readonly worked?: (steps: number) => void
  /** Topics; 10 000 unless given. At the limit the half that was not used lately is dropped; 0 caches nothing. */
  readonly maximumCachedTopics?: number
  /** Sum of what the cached matches count as; 1 000 000 unless given. A single match with more is not cached. */
  readonly maximumCachedValues?: number
}

/** Steps of a short match. */
const UNREPORTED_STEPS = 64

type Entries<Value> = Map<TopicFilter, FilterEntry<Value>>

/** Which filters match a topic. Values are kept by (filter, key); filters are plain ones, without `$share/NAME/`. Any
 * string is an ordinary level, and any value an ordinary key.
 * @see MQTT 5.0 §4.7 */
export class FilterTrie<Value, Result = readonly Value[]> {
  /** Filters without wildcards, of any depth: matching one is a look-up of the topic. */
  readonly #exact: Entries<Value> = new Map()
  /** Wildcard filters of up to MAXIMUM_TRIE_LEVELS levels; the same entries hang in `#trie`. */
  readonly #wildcard: Entries<Value> = new Map()
  readonly #trie = new WildcardTrie<Value>()
  /** Wildcard filters with more levels; the same entries hang in `#deepTrie`. */
  readonly #deep: Entries<Value> = new Map()
  readonly #deepTrie = new DeepTrie<Value>()
  readonly #cache: MatchCache<Result>
  readonly #derive: (values: readonly Value[]) => Result
  readonly #weigh: ((result: Result) => number) | undefined
  readonly #worked: ((steps: number) => void) | undefined
  #size = 0
  #generation = 0

  constructor(options: FilterTrieOptions<Value, Result> = {}) {
    this.#derive = options.derive ?? (values => values as Result)
    this.#weigh = options.weigh
    this.#worked = options.worked
    this.#cache = new MatchCache({
      topics: options.maximumCachedTopics ?? 10_000,
      values: options.maximumCachedValues ?? 1_000_000,
    })
  }

  /** Number of (filter, key) pairs. */
  get size(): number {
    return this.#size
  }

  /** A number that grows whenever any match result may have changed: as long as it is the same, a result is current. */
  get generation(): number {
    return this.#generation
  }

  /** Keeps the value under this filter and key. True: the pair is new; false: the value of the pair was replaced. */
  add(filter: TopicFilter, key: unknown, value: Value): boolean {
    const entries = this.#entriesFor(filter)
    const entry = entries.get(filter)
    let isNew = true
    if (entry === undefined) this.#addEntry(filter, entries, new FilterEntry(key, value))
    else isNew = entry.set(key, value)
    if (isNew) this.#size++
    this.#changed(filter, entries)
    return isNew
  }

  /** Removes the value of this filter and key. False: there was none. Takes no longer with more keys on the filter. */
  remove(filter: TopicFilter, key: unknown): boolean {
    const entries = this.#entriesFor(filter)
    const outcome = entries.get(filter)?.delete(key) ?? 'absent'
    if (outcome === 'absent') return false
    if (outcome === 'last') {
      entries.delete(filter)
      if (entries === this.#wildcard) this.#trie.remove(filter)
      else if (entries === this.#deep) this.#deepTrie.remove(filter)
    }
    this.#size--
    this.#changed(filter, entries)
    return true
  }

  /** The value of exactly this filter and key; undefined when there is none. */
  get(filter: TopicFilter, key: unknown): Value | undefined {
    return this.#entriesFor(filter).get(filter)?.get(key)
  }

  /** Whether any key has exactly this filter. */
  has(filter: TopicFilter): boolean {
    return this.#entriesFor(filter).has(filter)
  }

  /** Every filter once, in no particular order. Filters added or removed meanwhile may or may not be seen. */
  *filters(): IterableIterator<TopicFilter> {
    yield* this.#exact.keys()
    yield* this.#wildcard.keys()
    yield* this.#deep.keys()
  }

  /** The result for all filters that match the topic, at once current after every change. The same object is returned
   * until it changes or leaves the cache, so it must not be altered. A topic of any length and depth is matched; whether it is a
   * valid name is not checked. */
  match(topic: string): Result {
    const cached = this.#cache.get(topic)
    return cached === undefined ? this.#matchAnew(topic) : cached.result
  }

  /** Drops the cached result of one topic, or all, for a `derive` that depends on more than the values. */
  invalidate(topic?: string): void {
    this.#generation++
    if (topic === undefined) this.#cache.clear()
    else this.#cache.delete(topic)
  }

  #matchAnew(topic: string): Result {
    const generation = this.#generation
    const values: Value[] = []
    const walk: MatchWalk<Value> = { values, visited: 0 }
    // No filter in #exact has a wildcard, and so a topic with wildcard characters finds none by them.
    if (this.#exact.size > 0) this.#exact.get(topic as TopicFilter)?.appendTo(values)
    if (this.#wildcard.size > 0) this.#trie.collect(topic, walk)
    if (this.#deep.size > 0) this.#deepTrie.collect(topic, walk)
    const steps = walk.visited + values.length
    const result = this.#derive(values)
    const weight = this.#weigh === undefined ? values.length : this.#weigh(result)
    // A derive that changed the trie has made its own result out of date.
    if (generation === this.#generation) this.#cache.set(topic, { result, weight }, steps)
    if (steps > UNREPORTED_STEPS) this.#worked?.(steps)
    return result
  }

  #entriesFor(filter: TopicFilter): Entries<Value> {
    if (!isWildcardFilter(filter)) return this.#exact
    return hasMoreLevels(filter, MAXIMUM_TRIE_LEVELS) ? this.#deep : this.#wildcard
  }

  #addEntry(filter: TopicFilter, entries: Entries<Value>, entry: FilterEntry<Value>): void {
    entries.set(filter, entry)
    if (entries === this.#wildcard) this.#trie.add(filter, entry)
    else if (entries === this.#deep) this.#deepTrie.add(filter, entry)
  }

  #changed(filter: TopicFilter, entries: Entries<Value>): void {
    this.#generation++
    if (entries === this.#exact) this.#cache.delete(filter)
    else this.#cache.deleteMatching(filter)
  }
}

function hasMoreLevels(filter: string, maximum: number): boolean {
  if (filter.length < maximum) return false
  let levels = 1
  for (let slash = filter.indexOf('/'); slash >= 0; slash = filter.indexOf('/', slash + 1)) {
    if (++levels > maximum) return true
  }
  return false
}
