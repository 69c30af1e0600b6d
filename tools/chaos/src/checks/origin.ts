import type { HistoryEvent } from '../history.ts'
import { matches, sessionsOf } from './session-view.ts'
import type { Violation } from './violation.ts'

/** What arrives was published before, to that topic, with at least that QoS, and the session has asked for it. */
export function origin(history: readonly HistoryEvent[]): Violation[] {
  const known = new Map<string, { topic: string; qos: number; place: number }>()
  history.forEach((event, place) => {
    if (event.kind === 'publish' && !known.has(event.message)) known.set(event.message, { ...event, place })
    if (event.kind === 'connect' && event.will !== undefined) known.set(event.will.message, { ...event.will, place })
  })
  const violations: Violation[] = []
  for (const { client, received, subscriptions } of sessionsOf(history)) {
    for (const { message, topic, qos, place } of received) {
      // Nothing in it says which one it was.
      if (message === '') continue
      const published = known.get(message)
      const isKnown =
        published !== undefined && published.topic === topic && published.qos >= qos && published.place < place
      // A subscription begins before its SUBACK comes.
      const isWanted = subscriptions.length === 0 || subscriptions.some(({ plain }) => matches(plain, topic))
      if (isKnown && isWanted) continue
      violations.push({
        check: 'origin',
        message: `${client} got '${message}' (QoS ${qos}, ${topic}) at event ${place}, which nobody has published like that`,
      })
    }
  }
  return violations
}
