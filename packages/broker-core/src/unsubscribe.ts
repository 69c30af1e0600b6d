import type { MaybePromise } from '@x/contract'
import type { UnsubscribePacket } from '@x/packet'
import { TopicError, parseSharedFilter, parseTopicFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { asReasonString } from './broker-error.ts'
import type { Connection } from './connection.ts'
import { after } from './maybe-promise.ts'
import { ReasonCode } from './reason-code.ts'

/** What became of the filters of an UNSUBSCRIBE. */
interface Unsubscribed {
  /** One for each filter, in order ([MQTT5-3.11.3-1]). */
  readonly codes: number[]
  /** Of the filters that were refused, for people. */
  readonly reasons: readonly string[]
}

/** UNSUBSCRIBE from a client. MQTT 5.0 §3.10 */
export function receiveUnsubscribe(connection: Connection, packet: UnsubscribePacket): MaybePromise<void> {
  return after(unsubscribe(connection, packet.unsubscriptions), ({ codes, reasons }) => {
    if (connection.phase !== 'connected') return
    const wantsReasons = reasons.length > 0 && connection.requestProblemInformation
    connection.sendPacket({
      cmd: 'unsuback',
      messageId: packet.messageId,
      granted: codes,
      ...(wantsReasons && { properties: { reasonString: asReasonString(reasons.join('; ')) } }),
    })
    reportUnsubscribed(connection, packet.unsubscriptions)
  })
}

/** Tells the program, and who listens to `$SYS`, what the client no longer subscribes to. */
export function reportUnsubscribed(connection: Connection, filters: string[]): void {
  if (connection.phase !== 'connected') return
  const { broker, presence } = connection.engine
  if (broker.listenerCount('unsubscribe') > 0) broker.emit('unsubscribe', filters, connection.client)
  presence.unsubscribed(connection.client.id as string, filters)
}

export function unsubscribe(connection: Connection, filters: readonly string[]): MaybePromise<Unsubscribed> {
  const { engine, session } = connection
  if (session === undefined) return { codes: [], reasons: [] }
  const refusals = filters.map(filter => checkFilter(connection, filter))
  const known = filters.filter((filter, index) => refusals[index] === undefined && session.subscriptions.has(filter))
  const kept = session.stored ? known : known.filter(filter => parseSharedFilter(filter as TopicFilter) !== undefined)
  const removed = kept.length === 0 ? undefined : engine.persistence.unsubscribe(session.handle, kept)
  return after(removed, () => ({
    codes: filters.map((filter, index) => {
      if (refusals[index] !== undefined) return ReasonCode.topicFilterInvalid
      if (!session.subscriptions.has(filter)) return ReasonCode.noSubscriptionExisted
      session.removeSubscription(filter)
      const group = engine.groups.get(filter)
      if (group === undefined) engine.router.removeSession(filter, session)
      else {
        group.remove(session)
        engine.removeGroupIfEmpty(group)
      }
      return ReasonCode.success
    }),
    reasons: refusals.filter(reason => reason !== undefined),
  }))
}

/** What is wrong with a filter; 3.x clients can't be told, so for them it is thrown. */
function checkFilter(connection: Connection, filter: string): string | undefined {
  const { maxTopicLevels } = connection.engine.options
  try {
    parseTopicFilter(filter, { maximumLevels: maxTopicLevels, packet: 'UNSUBSCRIBE' })
    return undefined
  } catch (error) {
    if (connection.version === 5 && error instanceof TopicError) return error.message
    throw error
  }
}
