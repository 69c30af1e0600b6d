import type { HistoryEvent } from '../history.ts'
import { groupBy, messagesOf } from './session-view.ts'
import type { MessageView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** A topic's retained message is the one that was written last. Of writes that were on their way together each may be it, and one
 * that was never acknowledged may have taken effect at any time, or not at all. MQTT 5.0 §3.3.1.3 */
export function retained(history: readonly HistoryEvent[]): Violation[] {
  const writes = groupBy(
    [...messagesOf(history).values()].filter(({ retain }) => retain),
    ({ topic }) => topic,
  )
  const violations: Violation[] = []
  for (const event of history) {
    if (event.kind !== 'retained') continue
    const found = new Map(event.messages.map(({ topic, message }) => [topic, message]))
    for (const [topic, ofTopic] of writes) {
      const possible = lastOf(ofTopic)
      const message = found.get(topic)
      const isPossible =
        message === undefined
          ? possible.some(({ empty }) => empty) ||
            ofTopic.every(({ acknowledged }) => acknowledged === Number.POSITIVE_INFINITY)
          : possible.some(one => one.message === message)
      if (isPossible) continue
      violations.push({
        check: 'retained',
        message: `${topic} holds ${message ?? 'nothing'}; the last writes are ${possible.map(one => one.message).join(', ')}`,
      })
    }
    for (const topic of found.keys()) {
      if (!writes.has(topic)) violations.push({ check: 'retained', message: `${topic} was never written` })
    }
  }
  return violations
}

/** Those after whose end no acknowledged write began. */
function lastOf(writes: readonly MessageView[]): MessageView[] {
  const newest = Math.max(
    -1,
    ...writes.filter(one => one.acknowledged !== Number.POSITIVE_INFINITY).map(({ sent }) => sent),
  )
  return writes.filter(({ acknowledged }) => acknowledged > newest)
}
