import type { TopicFilter } from './topic.ts'

/** A Shared Subscription taken apart. */
export interface SharedFilter {
  readonly shareName: string
  /** The filter which topics are matched against. */
  readonly filter: TopicFilter
}

const PREFIX = '$share/'

/** Takes `$share/NAME/FILTER` apart; undefined when the subscription is not shared.
 * @see MQTT 5.0 §4.8.2 */
export function parseSharedFilter(filter: TopicFilter): SharedFilter | undefined {
  const bounds = shareBounds(filter)
  if (bounds === undefined) return undefined
  return {
    shareName: filter.slice(bounds.nameStart, bounds.nameEnd),
    filter: filter.slice(bounds.filterStart) as TopicFilter,
  }
}

/** Where the parts of a Shared Subscription are, as character offsets; undefined unless it begins with `$share/`.
 * Not checked: the name may be empty and `filterStart` may lie at or behind the end. */
export function shareBounds(text: string): ShareBounds | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const slash = text.indexOf('/', PREFIX.length)
  const nameEnd = slash < 0 ? text.length : slash
  return { nameStart: PREFIX.length, nameEnd, filterStart: nameEnd + 1 }
}

/** Character offsets into a Shared Subscription. */
export interface ShareBounds {
  readonly nameStart: number
  readonly nameEnd: number
  readonly filterStart: number
}
