import { Qlobber } from 'qlobber'
import type { FilterEntry } from './filter-entry.ts'

/** Levels up to which a filter may be added: qlobber recurses once per level. */
export const MAXIMUM_TRIE_LEVELS = 100

const DOLLAR = 0x24

/** qlobber with MQTT's rules: one entry per wildcard filter, topics of any depth, and no leading wildcard for `$`. */
export class WildcardTrie<Value> extends Qlobber<FilterEntry<Value>, FilterEntry<Value>, Value[]> {
  constructor() {
    super({ separator: '/', wildcard_one: '+', wildcard_some: '#', match_empty_levels: true })
  }

  /** Appends the values of every filter that matches the topic. */
  collect(topic: string, values: Value[]): void {
    const levels = this._split(topic)
    if (topic.charCodeAt(0) !== DOLLAR) {
      this._match(values, 0, levels, this._trie)
      return
    }
    // Going down the literal first level by hand leaves out the leading wildcards. [MQTT5-4.7.2-1]
    const node = this._trie.get(levels[0] ?? '')
    if (node !== undefined) this._match(values, 1, levels, node)
  }

  /** The levels of a filter, or of a topic as many as can matter: one level more than any filter here has tells the
   * filters that end from those that go on with `#`. */
  override _split(text: string): string[] {
    // By hand: String.split takes twice as long for a text it has not seen (85 against 186 ns for four levels).
    const levels: string[] = []
    let start = 0
    for (let slash = text.indexOf('/'); slash >= 0; slash = text.indexOf('/', start)) {
      levels.push(text.slice(start, slash))
      if (levels.length > MAXIMUM_TRIE_LEVELS) return levels
      start = slash + 1
    }
    levels.push(text.slice(start))
    return levels
  }

  override _initial_value(entry: FilterEntry<Value>): FilterEntry<Value> {
    return entry
  }

  override _add_values(values: Value[], entry: FilterEntry<Value>): void {
    entry.appendTo(values)
  }

  /** A filter is removed with its whole entry. */
  override _remove_value(): boolean {
    return true
  }
}
