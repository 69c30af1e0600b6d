import { shareBounds } from './share-bounds.ts'
import type { TopicFilter } from './topic.ts'

/** A Shared Subscription taken apart. */
export interface SharedFilter {
  readonly shareName: string
  /** The filter which topics are matched against. */
  readonly filter: TopicFilter
}

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
