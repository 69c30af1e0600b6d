/** What the later ones say outweighs the earlier ones, key by key; lists are taken whole. */
export function merged<Value extends object>(...values: readonly Value[]): Value {
  const result: Record<string, unknown> = {}
  for (const value of values) {
    for (const [key, given] of Object.entries(value) as [string, unknown][]) {
      if (given === undefined) continue
      const before = result[key]
      result[key] = isSection(before) && isSection(given) ? merged(before, given) : given
    }
  }
  return result as Value
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
