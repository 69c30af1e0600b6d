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

/** Whether there can be a topic that both match. */
export function filtersMeet(a: string, b: string): boolean {
  // Wildcards in front match no topic that begins with `$`.
  if (a.startsWith('$') !== b.startsWith('$')) return false
  const [first, second] = [a.split('/'), b.split('/')]
  for (let index = 0; ; index += 1) {
    const [one, other] = [first[index], second[index]]
    if (one === '#' || other === '#') return true
    if (one === undefined || other === undefined) return one === other
    if (one !== '+' && other !== '+' && one !== other) return false
  }
}
