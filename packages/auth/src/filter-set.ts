import { filterMatches, isWildcardFilter } from '@x/topic-trie'

/** Filters of one kind; of those without wildcards there may be thousands, and one look finds them. */
export class FilterSet {
  readonly #plain = new Set<string>()
  readonly #wild: string[] = []

  constructor(filters: Iterable<string>) {
    for (const filter of filters) {
      if (isWildcardFilter(filter)) this.#wild.push(filter)
      else this.#plain.add(filter)
    }
  }

  matches(topic: string): boolean {
    return this.#plain.has(topic) || this.#wild.some(filter => filterMatches(filter, topic))
  }
}
