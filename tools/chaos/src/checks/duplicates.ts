import type { HistoryEvent } from '../history.ts'
import { messagesOf, sessionsOf } from './session-view.ts'
import type { Placed, SessionView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** QoS 2 exactly once, QoS 0 at most once. QoS 1 comes again only on a later connection and with DUP, or because its publisher has sent
 * it again. Of a shared group of QoS 2, one member gets it once. MQTT 5.0 §4.3 */
export function duplicates(history: readonly HistoryEvent[]): Violation[] {
  const messages = messagesOf(history)
  const sessions = sessionsOf(history)
  const violations: Violation[] = []
  for (const session of sessions) {
    const firsts = new Map<string, Placed<'received'>>()
    for (const event of session.received) {
      // Retained messages come with each subscribing; one without payload has no name.
      if (event.again || event.retain || event.message === '') continue
      const first = firsts.get(event.message)
      if (first === undefined) {
        firsts.set(event.message, event)
        continue
      }
      const published = messages.get(event.message)
      const wasSentAgain = published !== undefined && published.qos === 1 && published.times > 1
      const mayRepeat = event.qos === 1 && event.connection !== first.connection && (event.dup || isShared(session))
      if (!wasSentAgain && !mayRepeat) violations.push(repeated(session.client, first, event))
    }
  }
  return [...violations, ...sharedTwice(sessions)]
}

function isShared({ subscriptions }: SessionView): boolean {
  return subscriptions.some(({ group }) => group !== undefined)
}

function sharedTwice(sessions: readonly SessionView[]): Violation[] {
  const violations: Violation[] = []
  const takers = new Map<string, { client: string; event: Placed<'received'> }>()
  for (const session of sessions) {
    const group = session.subscriptions.find(one => one.group !== undefined)?.group
    if (group === undefined) continue
    for (const event of session.received.filter(({ qos, again }) => qos === 2 && !again)) {
      const key = `${group} ${event.message}`
      const taker = takers.get(key)
      if (taker === undefined) takers.set(key, { client: session.client, event })
      else if (taker.client !== session.client) {
        violations.push(repeated(`${taker.client} and ${session.client} of ${group}`, taker.event, event))
      }
    }
  }
  return violations
}

function repeated(who: string, first: Placed<'received'>, second: Placed<'received'>): Violation {
  const dup = second.dup ? 'with DUP' : 'without DUP'
  return {
    check: 'duplicates',
    message: `${second.message} (QoS ${second.qos}, ${second.topic}) was passed on to ${who} at event ${first.place} (connection ${first.connection}) and again, ${dup}, at ${second.place} (connection ${second.connection})`,
  }
}
