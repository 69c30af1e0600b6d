import type { MaybePromise } from '@x/contract'
import type { UnsubscribePacket } from '@x/packet'
import { TopicError, parseSharedFilter, parseTopicFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { Connection } from './connection.ts'
import { after } from './maybe-promise.ts'
import { ReasonCode } from './reason-code.ts'

/** UNSUBSCRIBE from a client. MQTT 5.0 §3.10 */
export function receiveUnsubscribe(connection: Connection, packet: UnsubscribePacket): MaybePromise<void> {
  return after(unsubscribe(connection, packet.unsubscriptions), granted => {
    if (connection.phase !== 'connected') return
    connection.sendPacket({ cmd: 'unsuback', messageId: packet.messageId, granted: [...granted] })
    const { broker } = connection.engine
    if (broker.listenerCount('unsubscribe') > 0) broker.emit('unsubscribe', packet.unsubscriptions, connection.client)
  })
}

/** Unsubscribes; the answer has a reason code for each filter, in order ([MQTT5-3.11.3-1]). */
export function unsubscribe(connection: Connection, filters: readonly string[]): MaybePromise<readonly number[]> {
  const { engine, session } = connection
  if (session === undefined) return []
  const codes = filters.map(filter => checkFilter(connection, filter))
  const known = filters.filter((filter, index) => codes[index] === undefined && session.subscriptions.has(filter))
  const kept = session.stored ? known : known.filter(filter => parseSharedFilter(filter as TopicFilter) !== undefined)
  const removed = kept.length === 0 ? undefined : engine.persistence.unsubscribe(session.handle, kept)
  return after(removed, () =>
    filters.map((filter, index) => {
      const refused = codes[index]
      if (refused !== undefined) return refused
      if (!session.subscriptions.has(filter)) return ReasonCode.noSubscriptionExisted
      session.removeSubscription(filter)
      const group = engine.groups.get(filter)
      if (group === undefined) engine.router.remove(filter, session)
      else {
        group.remove(session)
        engine.removeGroupIfEmpty(group)
      }
      return ReasonCode.success
    }),
  )
}

function checkFilter(connection: Connection, filter: string): number | undefined {
  const { maxTopicLevels } = connection.engine.options
  try {
    parseTopicFilter(filter, { maximumLevels: maxTopicLevels, packet: 'UNSUBSCRIBE' })
    return undefined
  } catch (error) {
    if (connection.version === 5 && error instanceof TopicError) return ReasonCode.topicFilterInvalid
    throw error
  }
}
