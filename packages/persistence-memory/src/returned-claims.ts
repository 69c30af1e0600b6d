import type { Session } from './session.ts'
import type { SharedGroup, WaitingMessage } from './shared-groups.ts'
import type { SubscriptionIndex } from './subscriptions.ts'

/** Shared messages go back to their groups, except those of QoS 2 whose delivery has begun ([MQTT5-4.8.2-4]). One
 * whose group is gone is an ordinary entry of the session from now on. Returns the groups that got messages back. */
export function returnClaims(
  session: Session,
  subscriptions: SubscriptionIndex,
  sentThrough: number,
): readonly SharedGroup[] {
  const { claims, queue } = session
  if (claims === undefined || queue === undefined) return []
  const byGroup = new Map<SharedGroup, WaitingMessage[]>()
  for (const [sequence, { group, waiting }] of claims) {
    const entry = queue.entry(sequence)
    if (entry === undefined || (entry.qos === 2 && (sequence <= sentThrough || entry.released))) continue
    claims.delete(sequence)
    if (subscriptions.group(group.name) !== group) continue
    queue.acknowledge(sequence)
    const messages = byGroup.get(group)
    if (messages === undefined) byGroup.set(group, [waiting])
    else messages.push(waiting)
  }
  for (const [group, messages] of byGroup) group.putBack(messages)
  return [...byGroup.keys()]
}
