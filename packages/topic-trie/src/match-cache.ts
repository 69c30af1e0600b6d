import { filterMatches } from './filter-matches.ts'

/** A cached result and what it counts as. */
export interface CachedMatch<Result> {
  readonly result: Result
  readonly weight: number
}

/** Both limits hold at any time; 0 topics switches the cache off. */
export interface MatchCacheLimits {
  readonly topics: number
  /** Sum of the weights of the cached matches. */
  readonly values: number
}

/** Characters. Keys of 10 000 cached topics then take 20 MB at most, where names of 65 535 bytes could take 1.3 GB. */
const LONGEST_CACHED_TOPIC = 1024

/** How many tests of a topic against a filter cost about as much as matching one topic anew; a match of many steps adds these. */
const TESTS_PER_ENTRY = 16
/** What the steps of matches may add up to: results that took long outlive many changes that do not concern them; 10 ms. */
const MOST_TESTS_FOR_STEPS = 200_000

/** Misses after which it is decided anew which of the next results are kept. */
const MISSES_PER_DECISION = 1024
/** With less than one hit for so many misses, most topics do not come again, and those are not worth their place: keeping a
 * result costs as much as the match itself, half a microsecond. */
const MISSES_PER_HIT = 4
/** Then one result of so many is kept. That is enough to find out when topics begin to come again, within three rounds. */
const KEPT_ONE_OF = 8

/** Results by topic, in two generations: when the young one holds half of a limit it becomes the old one, and the old one
 * is dropped. A hit in the old one moves to the young. So what is in use stays, and nothing is sorted. */
export class MatchCache<Result> {
  readonly #limits: MatchCacheLimits
  #young = new Map<string, CachedMatch<Result>>()
  #old = new Map<string, CachedMatch<Result>>()
  /** Sums of the weights in each generation. */
  #youngValues = 0
  #oldValues = 0
  /** Tests that `deleteMatching` may still make before it clears instead. Every new entry pays in; so a storm of changes
   * costs no more than making the entries did, and an occasional change leaves the entries it does not concern. */
  #testsLeft = 0
  /** The same, paid by the steps that the matches took. */
  #testsForSteps = 0
  /** Since the last decision. */
  #hits = 0
  #misses = 0
  #keepOneOf = 1

  constructor(limits: MatchCacheLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(topic: string): CachedMatch<Result> | undefined {
    const match = this.#young.get(topic) ?? this.#promote(topic)
    if (match !== undefined) this.#hits += 1
    return match
  }

  /** Keeps a match, in place of an earlier one. Topics over 1 024 characters and matches over the limit are not kept, and
   * while few topics come again only a sample is. `steps`: nodes and values that it took to find it. */
  set(topic: string, match: CachedMatch<Result>, steps: number): void {
    this.#misses += 1
    if (this.#misses % this.#keepOneOf !== 0) return
    if (this.#misses >= MISSES_PER_DECISION) this.#decide()
    if (topic.length > LONGEST_CACHED_TOPIC || match.weight > this.#limits.values || this.#limits.topics < 1) return
    this.delete(topic)
    this.#insert(topic, match)
    this.#testsLeft = Math.min(this.#testsLeft + TESTS_PER_ENTRY, TESTS_PER_ENTRY * this.size)
    this.#testsForSteps = Math.min(this.#testsForSteps + steps, MOST_TESTS_FOR_STEPS)
  }

  delete(topic: string): void {
    const young = this.#young.get(topic)
    if (young !== undefined) {
      this.#young.delete(topic)
      this.#youngValues -= young.weight
      return
    }
    const old = this.#old.get(topic)
    if (old === undefined) return
    this.#old.delete(topic)
    this.#oldValues -= old.weight
  }

  /** Drops at least the topics which the filter matches. */
  deleteMatching(filter: string): void {
    if (this.size === 0) return
    if (this.size <= this.#testsLeft) this.#testsLeft -= this.size
    else if (this.size <= this.#testsForSteps) this.#testsForSteps -= this.size
    else {
      this.clear()
      return
    }
    for (const topic of this.#young.keys()) if (filterMatches(filter, topic)) this.delete(topic)
    for (const topic of this.#old.keys()) if (filterMatches(filter, topic)) this.delete(topic)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngValues = 0
    this.#oldValues = 0
    this.#testsLeft = 0
    this.#testsForSteps = 0
  }

  #decide(): void {
    this.#keepOneOf = this.#hits * MISSES_PER_HIT < this.#misses ? KEPT_ONE_OF : 1
    this.#hits = 0
    this.#misses = 0
  }

  #promote(topic: string): CachedMatch<Result> | undefined {
    const match = this.#old.get(topic)
    if (match === undefined) return undefined
    this.#old.delete(topic)
    this.#oldValues -= match.weight
    this.#insert(topic, match)
    return match
  }

  #insert(topic: string, match: CachedMatch<Result>): void {
    const { topics, values } = this.#limits
    if (this.#young.size >= topics / 2 || this.#youngValues + match.weight > values / 2) this.#age()
    if (this.size >= topics || this.#youngValues + this.#oldValues + match.weight > values) {
      this.#old.clear()
      this.#oldValues = 0
    }
    this.#young.set(topic, match)
    this.#youngValues += match.weight
  }

  #age(): void {
    const dropped = this.#old
    this.#old = this.#young
    this.#oldValues = this.#youngValues
    dropped.clear()
    this.#young = dropped
    this.#youngValues = 0
  }
}
