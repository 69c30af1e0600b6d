import * as fc from 'fast-check'
import type { TopicFilter } from '../src/index.ts'

/** Every property in this package runs with this seed. */
export const seed = 4711

/** Few distinct levels, so that filters meet topics: empty, `$`, prototype names, and ones that sort before and after `/`. */
const level = fc.constantFrom('', 'a', 'b', 'a!', 'a0', '$x', '__proto__', 'constructor')

/** Topics of 1 to 4 levels, at least one character. */
export const topic: fc.Arbitrary<string> = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(text => text !== '')

/** Valid plain filters of 1 to 5 levels. */
export const filter: fc.Arbitrary<TopicFilter> = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constant('+')), { minLength: 0, maxLength: 4 }),
    fc.constantFrom<string[]>([], ['#'], ['+'], ['a']),
  )
  .map(([levels, end]) => [...levels, ...end].join('/'))
  .filter(text => text !== '')
  .map(text => text as TopicFilter)

/** The rules of MQTT 5.0 §4.7 on arrays of levels, written for clarity alone. */
export function naiveMatches(filterText: string, topicText: string): boolean {
  const filterLevels = filterText.split('/')
  const topicLevels = topicText.split('/')
  if (topicText.startsWith('$') && (filterLevels[0] === '+' || filterLevels[0] === '#')) return false
  const hasRest = filterLevels.at(-1) === '#'
  const fixed = hasRest ? filterLevels.slice(0, -1) : filterLevels
  if (hasRest ? topicLevels.length < fixed.length : topicLevels.length !== fixed.length) return false
  return fixed.every((part, i) => part === '+' || part === topicLevels[i])
}
