/** The part of qlobber 8 which is used here; the package carries no types. The underscored methods are the ones its
 * own subclasses override. */
declare module 'qlobber' {
  /** A trie of Maps keyed by level; the key `separator` leads to what `_initial_value` made. */
  export class Qlobber<Added, Stored, Collected> {
    constructor(options: {
      separator: string
      wildcard_one: string
      wildcard_some: string
      match_empty_levels: boolean
    })
    readonly _trie: Map<string, unknown>
    add(filter: string, added: Added): this
    remove(filter: string): this
    _split(text: string, adding: boolean): string[]
    _initial_value(added: Added): Stored
    _add_value(stored: Stored, added: Added): void
    _add_values(collected: Collected, stored: Stored): void
    _remove_value(stored: Stored): boolean
    _match(collected: Collected, level: number, levels: string[], node: unknown): Collected
  }
}
