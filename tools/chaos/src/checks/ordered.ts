import type { HistoryEvent } from '../history.ts'
import { isTouched, lossesOf } from './losses.ts'
import { matches, messagesOf, sessionsOf } from './session-view.ts'
import type { MessageView, SessionView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** What a publisher has sent to one topic with one QoS comes in that order, for the first time; repeated messages may follow.
 * MQTT 5.0 §4.6
 *
 * Not what was sent again and had been sent before the session's subscription was acknowledged: the first time, it may have been stored before
 * the subscription was, and messages after it behind it.
 *
 * Not what was sent when Redis lost what it had.
 *
 * Not what was sent again with QoS 2 to a session that ends with its connection (README of emitter-redis, "Not promised"): it may have
 * been on its way when its broker died. */
export function ordered(history: readonly HistoryEvent[]): Violation[] {
  const losses = lossesOf(history)
  const untouched = [...messagesOf(history)].filter(([, one]) => !isTouched(losses, one.sent, one.sent))
  const messages = new Map(untouched)
  const closedAt = new Map<number, number>()
  history.forEach((event, place) => {
    if (event.kind === 'closed') closedAt.set(event.connection, place)
  })
  return sessionsOf(history)
    .filter(({ subscriptions }) => subscriptions.every(({ group }) => group === undefined))
    .flatMap(session => disordered(session, messages, closedAt))
}

interface Newest {
  readonly message: MessageView
  readonly connection: number
  readonly place: number
}

function disordered(
  session: SessionView,
  messages: ReadonlyMap<string, MessageView>,
  closedAt: ReadonlyMap<number, number>,
): Violation[] {
  const violations: Violation[] = []
  const seen = new Set<string>()
  const newest = new Map<string, Newest>()
  for (const { message: name, connection, place, qos, retain } of session.received) {
    const message = messages.get(name)
    if (message === undefined || seen.has(name) || retain) continue
    seen.add(name)
    if (message.times > 1 && message.sent < subscribedAt(session, message.topic)) continue
    if (!session.persistent && message.qos === 2 && message.times > 1) continue
    const key = `${message.publisher} ${message.topic} ${message.qos} ${qos}`
    const before = newest.get(key)
    if (before === undefined || before.message.sent < message.sent) {
      newest.set(key, { message, connection, place })
      continue
    }
    // Of two connections that were open together nobody can tell which came first.
    const wasOpen = connection !== before.connection && (closedAt.get(connection) ?? place) > place
    if (wasOpen && (closedAt.get(before.connection) ?? Number.POSITIVE_INFINITY) > place) continue
    violations.push({
      check: 'ordered',
      message: `${session.client} got ${name} (QoS ${message.qos}, ${message.topic}) at event ${place} after ${before.message.message}, which was sent after it, at ${before.place}`,
    })
  }
  return violations
}

/** Place of the first SUBACK for a topic; infinite: none came, though the subscription may have been made. */
function subscribedAt({ subscriptions }: SessionView, topic: string): number {
  return Math.min(...subscriptions.filter(({ plain }) => matches(plain, topic)).map(({ place }) => place), Infinity)
}
