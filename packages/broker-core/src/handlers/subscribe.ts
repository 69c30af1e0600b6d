import type { MaybePromise, Subscription } from '@x/contract'
import type { FilterList, QoS, SubackPacket, SubscribePacket, Subscription as PacketSubscription } from '@x/packet'
import { BrokerError, joinReasons } from '../ground/broker-error.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import { inBatches } from '../session/filter-batches.ts'
import { checkFilter, decide } from '../session/filter-decision.ts'
import type { Denied, Outcome } from '../session/filter-decision.ts'
import { all, after } from '../ground/maybe-promise.ts'
import { addGranted, isShared } from '../session/new-subscriptions.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'
import type { Refusal } from '../routing/subscription-quota.ts'

/** SUBACK: "failure" in 3.1.1, where 5.0 has a list of codes. MQTT 3.1.1 §3.9.3 */
const failure = 0x80

/** SUBSCRIBE from a client. MQTT 5.0 §3.8 */
export function receiveSubscribe(connection: ClientConnection, list: FilterList): MaybePromise<void> {
  const { slices } = connection.engine
  const packet = list.packet as SubscribePacket
  const identifier = packet.properties?.subscriptionIdentifier
  if (identifier !== undefined && !connection.engine.options.subscriptionIdentifiersAvailable) {
    throw new BrokerError('PACKET_INVALID', {
      message: `SUBSCRIBE with subscription identifier ${identifier}, but subscriptionIdentifiersAvailable is false`,
      reasonCode: ReasonCode.subscriptionIdentifiersNotSupported,
    })
  }
  return after(
    slices.run(() => list.next()),
    () =>
      after(subscribe(connection.session as Session, wishesOf(connection, packet), identifier), outcomes => {
        acknowledgeSubscribe(connection, packet.messageId, outcomes)
        return sendRetained(connection, outcomes)
      }),
  )
}

/** The wishes of a client, with the full names of their filters. */
function wishesOf({ profile }: ClientConnection, { subscriptions }: SubscribePacket): readonly PacketSubscription[] {
  const mountPoint = profile?.mountPoint
  if (mountPoint === undefined) return subscriptions
  return subscriptions.map(wish => ({ ...wish, topic: mountPoint.filter(wish.topic) }))
}

/** Subscribes a session: checks the filters, asks `authorizeSubscribe`, stores and routes. Returns one outcome for each filter, in
 * order. */
export function subscribe(
  session: Session,
  wishes: readonly PacketSubscription[],
  identifier: number | undefined,
): MaybePromise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const routed: Promise<void>[] = []
  return after(checkFilters(session, wishes), refusals => {
    const decideOne = (wish: PacketSubscription): MaybePromise<Outcome> => {
      const refusal = refusals.get(wish)
      return refusal === undefined ? decide(session, wish, identifier) : { kind: 'denied', ...refusal, packet: wish }
    }
    const batch = (some: readonly PacketSubscription[]): MaybePromise<void> =>
      after(all(some, decideOne), decided =>
        after(addGranted(session, decided, routed), added => {
          outcomes.push(...added)
        }),
      )
    return after(inBatches(session.engine.slices, wishes, batch), () =>
      routed.length === 0 ? outcomes : Promise.all(routed).then(() => outcomes),
    )
  })
}

/** Checks all filters before the first one takes effect, since an invalid one may end the connection. */
function checkFilters(
  session: Session,
  wishes: readonly PacketSubscription[],
): MaybePromise<ReadonlyMap<PacketSubscription, Refusal>> {
  const refusals = new Map<PacketSubscription, Refusal>()
  let next = 0
  const checked = session.engine.slices.run(() => {
    const wish = wishes[next]
    if (wish === undefined) return false
    const refusal = checkFilter(session, wish)
    if (refusal !== undefined) refusals.set(wish, refusal)
    next += 1
    return next < wishes.length
  })
  return after(checked, () => refusals)
}

function acknowledgeSubscribe(connection: ClientConnection, messageId: number, outcomes: readonly Outcome[]): void {
  if (connection.phase !== 'connected') return
  const granted = outcomes.map(outcome => {
    if (outcome.kind === 'granted') return outcome.subscription.qos
    return deniedCode(connection, outcome)
  })
  connection.sendPacket({ cmd: 'suback', messageId, granted, ...reasonsOf(connection, outcomes) })
  reportSubscribed(connection, outcomes)
}

/** Reports what the client has subscribed to, as an event and under `$SYS`. */
export function reportSubscribed(connection: ClientConnection, outcomes: readonly Outcome[]): void {
  if (connection.phase !== 'connected') return
  const { broker, presence } = connection.engine
  if (broker.listenerCount('subscribe') > 0) broker.emit('subscribe', lastOutcomes(outcomes), connection.client)
  presence.subscribed(connection.client.id, () => lastOutcomes(outcomes))
  reportRefused(connection, outcomes)
}

/** Reports a refusal by a limit as a `clientError`, once for each SUBSCRIBE. */
function reportRefused(connection: ClientConnection, outcomes: readonly Outcome[]): void {
  const { broker } = connection.engine
  const refused = outcomes.find(outcome => outcome.kind === 'denied' && outcome.reasonCode === ReasonCode.quotaExceeded)
  if (refused?.kind !== 'denied') return
  const { reason, reasonCode } = refused
  broker.emit(
    'clientError',
    connection.client,
    new BrokerError('SUBSCRIPTION_REFUSED', { message: reason, reasonCode }),
  )
}

/** The code of a denied filter. MQTT 3.1 has none ("it has no way of informing that client"), so its SUBACK is positive. MQTT 3.1 §3.8 */
function deniedCode({ version }: ClientConnection, { reasonCode, packet }: Denied): number {
  if (version === 5) return reasonCode
  return version === 4 ? failure : packet.qos
}

/** The reasons of the denied filters as one reason string, if the client wants it. MQTT 5.0 §3.1.2.11.7 */
function reasonsOf(connection: ClientConnection, outcomes: readonly Outcome[]): Pick<SubackPacket, 'properties'> {
  if (connection.version !== 5 || !connection.requestProblemInformation) return {}
  const reasonString = joinReasons(outcomes, outcome => (outcome.kind === 'denied' ? outcome.reason : undefined))
  return reasonString === undefined ? {} : { properties: { reasonString } }
}

/** Returns each filter once, with its final QoS, or 128. */
function lastOutcomes(outcomes: readonly Outcome[]): PacketSubscription[] {
  const byFilter = new Map<string, PacketSubscription>()
  for (const outcome of outcomes) {
    const { topic } = outcome.packet
    const qos = outcome.kind === 'granted' ? outcome.subscription.qos : failure
    byFilter.delete(topic)
    byFilter.set(topic, { ...outcome.packet, qos: qos as QoS })
  }
  return [...byFilter.values()]
}

/** Sends the retained messages of new subscriptions. MQTT 5.0 §3.3.1.3 */
export function sendRetained(connection: ClientConnection, outcomes: readonly Outcome[]): MaybePromise<void> {
  // Each filter once: a repeated one would begin again from the start.
  const filters = new Set<string>()
  for (const outcome of outcomes) {
    if (outcome.kind === 'granted' && wantsRetained(outcome)) filters.add(outcome.subscription.filter)
  }
  return inBatches(connection.engine.slices, [...filters], some => {
    let last: MaybePromise<void> = undefined
    for (const filter of some) {
      last = after(last, () =>
        connection.phase === 'connected' ? connection.session?.sendRetained(filter) : undefined,
      )
    }
    return last
  })
}

function wantsRetained({ subscription, existed }: { subscription: Subscription; existed: boolean }): boolean {
  if (isShared(subscription.filter)) return false
  if (subscription.retainHandling === 2) return false // [MQTT5-3.3.1-11]
  return subscription.retainHandling === 0 || !existed // [MQTT5-3.3.1-9], [MQTT5-3.3.1-10]
}
