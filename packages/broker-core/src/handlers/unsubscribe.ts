import type { MaybePromise } from '@x/contract'
import type { FilterList, UnsubscribePacket } from '@x/packet'
import { TopicError, parseTopicFilter } from '@x/topic-trie'
import { joinReasons } from '../ground/broker-error.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import { mayUnsubscribe } from '../hooks/topic-access.ts'
import type { Refusal } from '../routing/subscription-quota.ts'
import { inBatches } from '../session/filter-batches.ts'
import { after } from '../ground/maybe-promise.ts'
import { isShared } from '../session/new-subscriptions.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'

/** The result of an UNSUBSCRIBE. */
interface Unsubscribed {
  /** One for each filter, in order ([MQTT5-3.11.3-1]). */
  readonly codes: number[]
  /** Reason strings of the filters that were refused. */
  readonly reasons: readonly string[]
}

/** UNSUBSCRIBE from a client. MQTT 5.0 §3.10 */
export function receiveUnsubscribe(connection: ClientConnection, list: FilterList): MaybePromise<void> {
  const packet = list.packet as UnsubscribePacket
  const mountPoint = connection.profile?.mountPoint
  return after(
    connection.engine.slices.run(() => list.next()),
    () => {
      const { messageId, unsubscriptions: named } = packet
      const unsubscriptions = mountPoint === undefined ? named : named.map(filter => mountPoint.filter(filter))
      return after(
        unsubscribe(connection.session as Session, unsubscriptions, maybeForbidden(connection)),
        unsubscribed => acknowledgeUnsubscribe(connection, { messageId, unsubscriptions }, unsubscribed),
      )
    },
  )
}

/** What `topicAccess` says of a client's own UNSUBSCRIBE. */
function maybeForbidden({ engine, client }: ClientConnection): (filter: string) => Refusal | undefined {
  return filter =>
    mayUnsubscribe(engine, client, filter)
      ? undefined
      : { reasonCode: ReasonCode.notAuthorized, reason: `'${filter}' is not authorized` }
}

/** Reports what the client has unsubscribed from, as an event and under `$SYS`. */
export function reportUnsubscribed(connection: ClientConnection, filters: string[]): void {
  if (connection.phase !== 'connected') return
  const { broker, presence } = connection.engine
  if (broker.listenerCount('unsubscribe') > 0) broker.emit('unsubscribe', filters, connection.client)
  presence.unsubscribed(connection.client.id, () => filters)
}

/** Unsubscribes: checks, takes the filters out of the store and of routing. Filters that are wrong are named in the result (5.0), or thrown;
 * those that are `forbidden` stay. */
export function unsubscribe(
  session: Session,
  filters: readonly string[],
  forbidden: (filter: string) => Refusal | undefined = () => undefined,
): MaybePromise<Unsubscribed> {
  const { engine } = session
  const codes: number[] = []
  return after(checkFilters(session, filters, forbidden), refusals => {
    const batch = (some: readonly string[]): MaybePromise<void> => {
      const known = some.filter(filter => !refusals.has(filter) && session.subscriptions.has(filter))
      const kept = session.stored ? known : known.filter(isShared)
      const removed = kept.length === 0 ? undefined : engine.persistence.unsubscribe(session.handle, kept)
      return after(removed, () => {
        for (const filter of some) {
          codes.push(refusals.get(filter)?.reasonCode ?? remove(session, filter))
        }
      })
    }
    return after(inBatches(engine.slices, filters, batch), () => ({
      codes,
      reasons: [...refusals.values()].map(({ reason }) => reason),
    }))
  })
}

function remove(session: Session, filter: string): number {
  // The subscriptions of an ended session are removed already.
  if (!session.isOpen || !session.subscriptions.has(filter)) return ReasonCode.noSubscriptionExisted
  session.engine.subscriptions.remove(session, filter)
  return ReasonCode.success
}

function acknowledgeUnsubscribe(
  connection: ClientConnection,
  { messageId, unsubscriptions }: { readonly messageId: number; readonly unsubscriptions: string[] },
  { codes, reasons }: Unsubscribed,
): void {
  if (connection.phase !== 'connected') return
  const reasonString = connection.requestProblemInformation ? joinReasons(reasons, reason => reason) : undefined
  connection.sendPacket({
    cmd: 'unsuback',
    messageId,
    granted: codes,
    ...(reasonString !== undefined && { properties: { reasonString } }),
  })
  reportUnsubscribed(connection, unsubscriptions)
}

/** Checks all filters before the first one takes effect. Returns what is wrong with each; for 3.x clients, which can't be told, it is
 * thrown. */
function checkFilters(
  session: Session,
  filters: readonly string[],
  forbidden: (filter: string) => Refusal | undefined,
): MaybePromise<ReadonlyMap<string, Refusal>> {
  const { options, slices } = session.engine
  const refusals = new Map<string, Refusal>()
  let next = 0
  const checked = slices.run(() => {
    const filter = filters[next]
    if (filter === undefined) return false
    try {
      parseTopicFilter(filter, { maximumLevels: options.maxTopicLevels, packet: 'UNSUBSCRIBE' })
    } catch (error) {
      if (session.version !== 5 || !(error instanceof TopicError)) throw error
      refusals.set(filter, { reasonCode: ReasonCode.topicFilterInvalid, reason: error.message })
    }
    const refusal = refusals.get(filter) ?? forbidden(filter)
    if (refusal !== undefined) refusals.set(filter, refusal)
    next += 1
    return next < filters.length
  })
  return after(checked, () => refusals)
}
