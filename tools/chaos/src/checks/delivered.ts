import type { HistoryEvent } from '../history.ts'
import { matches, messagesOf, sessionsOf } from './session-view.ts'
import type { MessageView, SessionView, SubscriptionView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** Every acknowledged message of QoS 1 and 2 has reached every subscription that was acknowledged before it was sent and whose session
 * was there to the end; of a shared group, one of its members.
 *
 * Not of a session that ends with its connection: its messages don't go through the store (README of persistence-redis, "Not
 * promised"). */
export function delivered(history: readonly HistoryEvent[]): Violation[] {
  const sessions = sessionsOf(history).filter(({ persistent, ends }) => persistent && ends === Number.POSITIVE_INFINITY)
  const reached = new Map(sessions.map(session => [session, new Set(session.received.map(({ message }) => message))]))
  const acknowledged = [...messagesOf(history).values()].filter(
    one => one.qos > 0 && !one.empty && one.acknowledged !== Number.POSITIVE_INFINITY,
  )
  const violations: Violation[] = []
  const groups = new Map<string, { session: SessionView; subscription: SubscriptionView }[]>()
  for (const session of sessions) {
    for (const subscription of session.subscriptions) {
      if (subscription.qos === 0) continue
      if (subscription.group !== undefined) {
        const members = groups.get(subscription.group) ?? []
        members.push({ session, subscription })
        groups.set(subscription.group, members)
        continue
      }
      for (const one of acknowledged) {
        if (!isWanted(one, subscription) || reached.get(session)?.has(one.message) === true) continue
        violations.push(lost(one, `session of ${session.client}`, subscription))
      }
    }
  }
  for (const [group, members] of groups) {
    const { subscription } = members.reduce((one, other) =>
      other.subscription.place < one.subscription.place ? other : one,
    )
    for (const one of acknowledged) {
      if (!isWanted(one, subscription)) continue
      const got = members.some(({ session }) => reached.get(session)?.has(one.message) === true)
      if (!got) violations.push(lost(one, `group ${group}`, subscription))
    }
  }
  return violations
}

function isWanted(one: MessageView, { plain, place }: SubscriptionView): boolean {
  return place < one.sent && matches(plain, one.topic)
}

function lost(
  { message, topic, qos, sent, acknowledged }: MessageView,
  who: string,
  { filter }: SubscriptionView,
): Violation {
  return {
    check: 'delivered',
    message: `${message} (QoS ${qos}, ${topic}; sent at event ${sent}, acknowledged at ${acknowledged}) has not reached the ${who} with ${filter}`,
  }
}
