/** The part of qlobber 8 which is used here and measured in benchmarks; the package carries no types. The underscored
 * methods are the ones that its own subclasses override. */
declare module 'qlobber' {
  /** Keyed by level; the key `separator` leads to what `_initial_value` made. */
  export type TrieNode<Stored> = Map<string, TrieNode<Stored> | Stored>

  export class Qlobber<Added, Stored> {
    constructor(options: {
      separator: string
      wildcard_one: string
      wildcard_some: string
      match_empty_levels: boolean
    })
    readonly _trie: TrieNode<Stored>
    add(filter: string, added: Added): this
    match(topic: string): Added[]
    remove(filter: string): this
    _split(text: string, adding: boolean): string[]
    _initial_value(added: Added): Stored
    _remove_value(stored: Stored): boolean
  }
}
