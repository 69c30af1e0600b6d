const HASH = 0x23
const DOLLAR = 0x24
const PLUS = 0x2b
const SLASH = 0x2f

/** Whether a Topic Filter contains a wildcard. For a plain, valid filter. @see MQTT 5.0 §4.7.1 */
export function isWildcardFilter(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

/** Whether a plain Topic Filter (no `$share/NAME/`) matches a Topic Name, character by character, without normalising
 * either [MQTT5-4.7.3-4]. Allocates nothing and takes time linear in the shorter of the two. A misplaced `+` or `#` is an
 * ordinary character.
 * @see MQTT 5.0 §4.7 */
export function filterMatches(filter: string, topic: string): boolean {
  if (topic.charCodeAt(0) === DOLLAR && beginsWithWildcard(filter)) return false // [MQTT5-4.7.2-1]
  let t = 0
  for (let f = 0; f < filter.length; f++) {
    const character = filter.charCodeAt(f)
    if (character === PLUS && isWholeLevel(filter, f)) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++
    } else if (character === HASH && f + 1 === filter.length && isWholeLevel(filter, f)) {
      return true
    } else if (t === topic.length) {
      return isParentOfRest(filter, f)
    } else if (topic.charCodeAt(t++) !== character) {
      return false
    }
  }
  return t === topic.length
}

function beginsWithWildcard(filter: string): boolean {
  const first = filter.charCodeAt(0)
  return (first === PLUS || first === HASH) && isWholeLevel(filter, 0)
}

function isWholeLevel(filter: string, index: number): boolean {
  return (
    (index === 0 || filter.charCodeAt(index - 1) === SLASH) &&
    (index + 1 === filter.length || filter.charCodeAt(index + 1) === SLASH)
  )
}

/** The multi-level wildcard includes the parent level: only `/#` is left of the filter. @see MQTT 5.0 §4.7.1.2 */
function isParentOfRest(filter: string, index: number): boolean {
  return index + 2 === filter.length && filter.charCodeAt(index) === SLASH && filter.charCodeAt(index + 1) === HASH
}
