/** What to do at a topic: give it out and go on, pass it over, continue at the first topic not below `to`, or stop. */
export type Verdict =
  | { readonly type: 'match' }
  | { readonly type: 'pass' }
  | { readonly type: 'seek'; readonly to: string }
  | { readonly type: 'end' }

const MATCH: Verdict = { type: 'match' }
const PASS: Verdict = { type: 'pass' }
const END: Verdict = { type: 'end' }

/** The character that follows `/` in order: all topics below a level come before the level's name followed by it. */
const AFTER_SLASH = '0'
/** The character that follows `$` in order. */
const AFTER_DOLLAR = '%'

/** Walks sorted topics for one wildcard filter, leaping over every branch that the filter cannot reach.
 *
 * The filter is cut at its `+` levels into runs of fixed text: `a/+/b/c` has the runs `a/` and `/b/c`. A topic takes
 * the runs in turn, with any one level between two of them. Where a run is not found, all topics with the same levels
 * before it lie together, and among them the ones with this run too; so the walk seeks them, or what follows. */
export class FilterWalk {
  /** Where to begin: no topic below it matches. */
  readonly start: string
  readonly #runs: readonly string[]
  /** Whether `/#` (or a `#` alone) follows the last run. */
  readonly #hasRest: boolean
  readonly #matchesEverything: boolean
  readonly #beginsWithWildcard: boolean

  constructor(filter: string) {
    this.#hasRest = filter === '#' || filter.endsWith('/#')
    this.#matchesEverything = filter === '#'
    this.#runs = cutAtPlus(this.#hasRest ? filter.slice(0, -2) : filter)
    this.start = this.#runs[0] ?? ''
    this.#beginsWithWildcard = filter === '#' || filter === '+' || filter.startsWith('+/')
  }

  /** For topics in ascending order. */
  judge(topic: string): Verdict {
    if (this.#beginsWithWildcard && topic.startsWith('$')) return { type: 'seek', to: AFTER_DOLLAR } // [MQTT5-4.7.2-1]
    if (this.#matchesEverything) return MATCH
    const last = this.#runs.length - 1
    let end = 0
    for (let i = 0; i < last; i++) {
      const run = this.#runs[i] ?? ''
      if (!topic.startsWith(run, end)) return this.#leap(topic, end, i)
      const slash = topic.indexOf('/', end + run.length)
      end = slash < 0 ? topic.length : slash
    }
    const run = this.#runs[last] ?? ''
    return this.#endsWell(topic, end + run.length) && topic.startsWith(run, end) ? MATCH : this.#leap(topic, end, last)
  }

  /** Whether a topic that took all runs up to `end` may be as long as it is. */
  #endsWell(topic: string, end: number): boolean {
    return topic.length === end || (this.#hasRest && topic[end] === '/')
  }

  /** Where to go from a topic in which the run of this index is not found at `end`. */
  #leap(topic: string, end: number, index: number): Verdict {
    const isFirst = index === 0
    // Sibling levels such as `x!` come between `x` and what lies below it, so that nothing may be leapt over here.
    if (!isFirst && topic.length === end) return PASS
    const branch = topic.slice(0, end)
    const target = branch + (this.#runs[index] ?? '')
    if (topic < target) return { type: 'seek', to: target }
    // `#` takes the target itself and what lies below it; siblings like `target!` come between the two.
    if (this.#hasRest && topic < `${target}/`) return { type: 'seek', to: `${target}/` }
    return isFirst ? END : { type: 'seek', to: branch + AFTER_SLASH }
  }
}

/** The text between the `+` levels, slashes included; one run more than there are such levels. */
function cutAtPlus(filter: string): string[] {
  const runs: string[] = []
  let start = 0
  for (let plus = filter.indexOf('+'); plus >= 0; plus = filter.indexOf('+', plus + 1)) {
    const beginsLevel = plus === 0 || filter[plus - 1] === '/'
    const endsLevel = plus + 1 === filter.length || filter[plus + 1] === '/'
    if (!beginsLevel || !endsLevel) continue
    runs.push(filter.slice(start, plus))
    start = plus + 1
  }
  runs.push(filter.slice(start))
  return runs
}
