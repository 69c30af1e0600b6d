import type { HistoryEvent } from '../history.ts'
import { matches, messagesOf, sessionsOf } from './session-view.ts'
import type { MessageView, SessionView, SubscriptionView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** Milliseconds after which a message is with a connected client, or the client's broker is taken for dead and has closed it: the lease
 * of 10 s, and what it takes to notice. */
const longestDelay = 15_000

/** Every acknowledged message of QoS 1 and 2 has reached every subscription that was acknowledged before it was sent and whose session
 * was there to the end; of a shared group, one of its members.
 *
 * Of a session that ends with its connection: if that was there for a while after the acknowledgement, since what waits for it lies at
 * its broker, whose death ends both; and of QoS 2 if it was sent once (README of persistence-redis, "Not promised"). */
export function delivered(history: readonly HistoryEvent[]): Violation[] {
  const all = sessionsOf(history)
  const sessions = all.filter(({ persistent, ends }) => persistent && ends === Number.POSITIVE_INFINITY)
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
  for (const session of all) if (!session.persistent) violations.push(...missedBy(session, acknowledged, history))
  const reachedGroup = messagesOfGroups(all)
  for (const [group, members] of groups) {
    const { subscription } = members.reduce((one, other) =>
      other.subscription.place < one.subscription.place ? other : one,
    )
    for (const one of acknowledged) {
      if (!isWanted(one, subscription)) continue
      if (reachedGroup.get(group)?.has(one.message) !== true) violations.push(lost(one, `group ${group}`, subscription))
    }
  }
  return violations
}

/** What members of each group have got, those included whose session has ended since. */
function messagesOfGroups(sessions: readonly SessionView[]): Map<string, Set<string>> {
  const reached = new Map<string, Set<string>>()
  for (const { subscriptions, received } of sessions) {
    for (const { group } of subscriptions) {
      if (group === undefined) continue
      const messages = reached.get(group) ?? new Set()
      reached.set(group, messages)
      for (const { message } of received) messages.add(message)
    }
  }
  return reached
}

/** What a session that has ended with its connection should have got until then. */
function missedBy(
  session: SessionView,
  acknowledged: readonly MessageView[],
  history: readonly HistoryEvent[],
): Violation[] {
  const received = new Set(session.received.map(({ message }) => message))
  const end = history[session.ends]?.at ?? Number.POSITIVE_INFINITY
  const isDue = (one: MessageView): boolean => end - (history[one.acknowledged]?.at ?? end) >= longestDelay
  return session.subscriptions
    .filter(({ qos, group }) => qos > 0 && group === undefined)
    .flatMap(subscription =>
      acknowledged
        .filter(one => isWanted(one, subscription) && one.acknowledged < session.ends && isDue(one))
        .filter(({ qos, times }) => qos === 1 || times === 1)
        .filter(({ message }) => !received.has(message))
        .map(one => lost(one, `connection of ${session.client}`, subscription)),
    )
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
