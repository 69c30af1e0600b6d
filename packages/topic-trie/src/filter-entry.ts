/** What was added under one filter: values by key, never empty. Most filters of a broker have one subscriber, and then
 * there is no Map, which would take 184 bytes instead of 48. Plain fields: read for every filter of an uncached match. */
export class FilterEntry<Value> {
  /** The only pair, where `many` is undefined. */
  key: unknown
  value: Value | undefined
  /** All pairs, exactly while there are two or more: a session that is taken over subscribes twice to each of its filters for a while,
   * and should not leave a Map behind in 100 000 entries. */
  many: Map<unknown, Value> | undefined = undefined

  constructor(key: unknown, value: Value) {
    this.key = key
    this.value = value
  }

  get(key: unknown): Value | undefined {
    if (this.many !== undefined) return this.many.get(key)
    return sameKey(this.key, key) ? this.value : undefined
  }

  /** True when the key is new, false when its value was replaced. */
  set(key: unknown, value: Value): boolean {
    if (this.many === undefined) {
      if (sameKey(this.key, key)) {
        this.value = value
        return false
      }
      this.many = new Map([[this.key, this.value as Value]])
      this.key = undefined
      this.value = undefined
    }
    const before = this.many.size
    this.many.set(key, value)
    return this.many.size > before
  }

  /** `absent`: the key was not there; `last`: it was the only one and the entry is to be dropped. */
  delete(key: unknown): 'absent' | 'removed' | 'last' {
    if (this.many === undefined) return sameKey(this.key, key) ? 'last' : 'absent'
    if (!this.many.delete(key)) return 'absent'
    if (this.many.size === 1) {
      // A Map shrinks as it loses its pairs, so the one that is left is found at once.
      for (const [only, value] of this.many) {
        this.key = only
        this.value = value
      }
      this.many = undefined
    }
    return 'removed'
  }

  appendTo(values: Value[]): void {
    if (this.many === undefined) values.push(this.value as Value)
    else for (const value of this.many.values()) values.push(value)
  }
}

/** Equality of keys as a Map has it: NaN equals itself and 0 equals -0. */
function sameKey(a: unknown, b: unknown): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}
