import { isWildcardFilter } from '@x/topic-trie'

/** Whether every topic that `filter` matches is matched by `wide`, level by level: `a/+` covers `a/b`, not `a/#`. Filters for topics that
 * begin with `$`, `$share/…` among them, are covered by those alone that begin with `$` too. */
export function filterCovers(wide: string, filter: string): boolean {
  const wideLevels = wide.split('/')
  const levels = filter.split('/')
  if (filter.startsWith('$') && isWildcardFilter(wideLevels[0] ?? '')) return false
  for (const [index, level] of wideLevels.entries()) {
    if (level === '#') return true
    const asked = levels[index]
    if (asked === undefined || asked === '#') return false
    if (level !== '+' && level !== asked) return false
  }
  return levels.length === wideLevels.length
}
