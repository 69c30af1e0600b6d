import { filterMatches, isWildcardFilter } from '@x/topic-trie'

/** A filter with what it decides. */
export interface Decider {
  readonly topic: string
  readonly allow: boolean
}

/** Filters of which the first that matches decides. Of those without wildcards there may be thousands, and one look finds them. */
export class OrderedFilters {
  readonly #plain = new Map<string, { readonly index: number; readonly allow: boolean }>()
  readonly #wild: { readonly index: number; readonly topic: string; readonly allow: boolean }[] = []

  constructor(filters: readonly Decider[]) {
    for (const [index, { topic, allow }] of filters.entries()) {
      if (isWildcardFilter(topic)) this.#wild.push({ index, topic, allow })
      else if (!this.#plain.has(topic)) this.#plain.set(topic, { index, allow })
    }
  }

  /** Undefined: none matches. */
  decide(topic: string): boolean | undefined {
    const plain = this.#plain.get(topic)
    for (const { index, topic: filter, allow } of this.#wild) {
      if (plain !== undefined && plain.index < index) break
      if (filterMatches(filter, topic)) return allow
    }
    return plain?.allow
  }
}
