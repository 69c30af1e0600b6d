import type { MaybePromise, Subscription } from '@x/contract'
import type { QoS, SubackPacket, SubscribePacket, Subscription as PacketSubscription } from '@x/packet'
import { TopicError, isWildcardFilter, parseSharedFilter, parseTopicFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { BrokerError, asReasonString, toError } from './broker-error.ts'
import type { Connection } from './connection.ts'
import { hookAnswerInvalid, isDenial } from './hook-answers.ts'
import type { SubscriptionDenial } from './hooks.ts'
import { all, after, isPromise } from './maybe-promise.ts'
import { ReasonCode } from './reason-code.ts'
import type { Session } from './session.ts'

/** SUBACK: "failure" in 3.1.1, where 5.0 has a list of codes. MQTT 3.1.1 §3.9.3 */
const failure = 0x80

/** What became of one filter of a SUBSCRIBE. */
type Outcome = Granted | Denied

interface Granted {
  readonly kind: 'granted'
  readonly subscription: Subscription
  readonly packet: PacketSubscription
}

interface Denied {
  readonly kind: 'denied'
  readonly reasonCode: number
  readonly packet: PacketSubscription
  /** For people: MQTT 5.0 §3.9.2.1.2 */
  readonly reason: string
}

/** SUBSCRIBE from a client. MQTT 5.0 §3.8 */
export function receiveSubscribe(connection: Connection, packet: SubscribePacket): MaybePromise<void> {
  const identifier = packet.properties?.subscriptionIdentifier
  if (identifier !== undefined && !connection.engine.options.subscriptionIdentifiersAvailable) {
    throw new BrokerError('PACKET_INVALID', {
      message: `SUBSCRIBE with subscription identifier ${identifier}, but subscriptionIdentifiersAvailable is false`,
      reasonCode: ReasonCode.subscriptionIdentifiersNotSupported,
    })
  }
  return after(subscribe(connection, packet.subscriptions, identifier), outcomes => {
    const { messageId } = packet
    acknowledgeSubscribe(connection, messageId, outcomes)
    return sendRetained(connection, outcomes)
  })
}

/** Subscribes: checks, asks `authorizeSubscribe`, stores, routes. The answer has one outcome for each filter, in order. */
export function subscribe(
  connection: Connection,
  wishes: readonly PacketSubscription[],
  identifier: number | undefined,
): MaybePromise<readonly StoredOutcome[]> {
  const decisions = all(wishes, wish => consider(connection, wish, identifier))
  return after(decisions, decided => store(connection, decided))
}

type StoredOutcome = Outcome & { readonly existed?: boolean }

function consider(
  connection: Connection,
  wish: PacketSubscription,
  identifier: number | undefined,
): MaybePromise<Outcome> {
  const refused = checkFilter(connection, wish)
  if (refused !== undefined) return { kind: 'denied', ...refused, packet: wish }
  const { authorizeSubscribe } = connection.engine.hooks
  if (authorizeSubscribe === undefined) return grant(connection, wish, identifier)
  const given = { connection, wish, identifier }
  try {
    const answer = authorizeSubscribe(connection.client, { ...wish })
    if (!isPromise(answer)) return authorized(given, answer)
    return answer.then(later => authorized(given, later)).catch((error: unknown) => wronglyAnswered(given, error))
  } catch (error) {
    return wronglyAnswered(given, error)
  }
}

interface Wish {
  readonly connection: Connection
  readonly wish: PacketSubscription
  readonly identifier: number | undefined
}

/** `authorizeSubscribe` may have changed the subscription, which must still be one. */
function authorized(
  { connection, wish, identifier }: Wish,
  answer: PacketSubscription | SubscriptionDenial | null | undefined,
): Outcome {
  if (answer === null || answer === undefined || isDenial(answer)) {
    const reason = `'${wish.topic}' is not authorized`
    return { kind: 'denied', reasonCode: answer?.reasonCode ?? ReasonCode.notAuthorized, packet: wish, reason }
  }
  if (answer.topic !== wish.topic || answer.nl === true) checkChanged(connection, wish, answer)
  return grant(connection, answer, identifier)
}

/** What the client could not have subscribed to, a hook can't either, and it is not the client's fault. */
function checkChanged(connection: Connection, wish: PacketSubscription, answer: PacketSubscription): void {
  let refused: Refusal | undefined
  try {
    refused = checkFilter(connection, answer)
  } catch (error) {
    refused = { reasonCode: ReasonCode.topicFilterInvalid, reason: toError(error).message }
  }
  if (refused === undefined) return
  throw hookAnswerInvalid(
    `hook authorizeSubscribe changed '${wish.topic}' to what can't be subscribed to: ${refused.reason}`,
  )
}

/** An answer that is none denies this filter, whose client has done nothing wrong; the hook's own error ends the connection. */
function wronglyAnswered({ connection, wish }: Wish, error: unknown): Outcome {
  if (!(error instanceof BrokerError) || error.code !== 'HOOK_ANSWER_INVALID') throw error
  connection.engine.broker.reportClientError(connection.client, error)
  const reason = `'${wish.topic}' is not authorized`
  return { kind: 'denied', reasonCode: error.reasonCode, packet: wish, reason }
}

interface Refusal {
  readonly reasonCode: number
  readonly reason: string
}

/** Why a filter can't be granted; what breaks the protocol, or is wrong and can't be said with a 3.x SUBACK, is thrown. */
function checkFilter(connection: Connection, wish: PacketSubscription): Refusal | undefined {
  const { options, persistence } = connection.engine
  let filter: TopicFilter
  try {
    filter = parseTopicFilter(wish.topic, { maximumLevels: options.maxTopicLevels })
  } catch (error) {
    if (connection.version === 5 && error instanceof TopicError) {
      return { reasonCode: ReasonCode.topicFilterInvalid, reason: error.message }
    }
    throw error
  }
  const unshared = parseSharedFilter(filter)
  if (!options.wildcardSubscriptionAvailable && isWildcardFilter(unshared?.filter ?? filter)) {
    const reason = `'${wish.topic}' has wildcards, but wildcardSubscriptionAvailable is false`
    return { reasonCode: ReasonCode.wildcardSubscriptionsNotSupported, reason }
  }
  if (unshared === undefined) return undefined
  if (wish.nl === true) {
    throw new BrokerError('PACKET_INVALID', {
      // [MQTT5-3.8.3-4]
      message: `no local on the shared subscription '${wish.topic}'`,
      reasonCode: ReasonCode.protocolError,
    })
  }
  const available = options.sharedSubscriptionAvailable && persistence.supports.sharedSubscriptions
  if (available) return undefined
  const reason = `'${wish.topic}' is shared, but shared subscriptions are not available`
  return { reasonCode: ReasonCode.sharedSubscriptionsNotSupported, reason }
}

function grant(connection: Connection, packet: PacketSubscription, identifier: number | undefined): Outcome {
  const { qos } = packet
  if (qos !== 0 && qos !== 1 && qos !== 2) {
    throw new BrokerError('PACKET_INVALID', {
      message: `authorizeSubscribe answered qos ${String(qos)} for '${packet.topic}', it must be 0, 1 or 2`,
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  const { bridge } = connection.client
  const { maximumQoS } = connection.engine.options
  const subscription: Subscription = {
    filter: packet.topic,
    qos: Math.min(qos, maximumQoS) as QoS,
    noLocal: bridge || packet.nl === true,
    retainAsPublished: bridge || packet.rap === true,
    retainHandling: (packet.rh ?? 0) as 0 | 1 | 2,
    subscriptionIdentifier: identifier,
  }
  return { kind: 'granted', subscription, packet }
}

function store(connection: Connection, outcomes: readonly Outcome[]): MaybePromise<readonly StoredOutcome[]> {
  const { session, engine } = connection
  if (session === undefined || connection.phase !== 'connected') return outcomes
  const granted = outcomes.flatMap(outcome => (outcome.kind === 'granted' ? [outcome.subscription] : []))
  // A session without a stored queue is matched here; the store only deals with its shared groups.
  const kept = session.stored ? granted : granted.filter(subscription => shared(subscription.filter) !== undefined)
  const existing = kept.length === 0 ? [] : engine.persistence.subscribe(session.handle, kept)
  return after(existing, () => {
    const stored = outcomes.map(outcome => {
      if (outcome.kind === 'denied') return outcome
      const { subscription } = outcome
      const existed = session.subscriptions.has(subscription.filter)
      session.addSubscription(subscription)
      return { ...outcome, existed }
    })
    return after(addRoutes(connection, session, granted), () => stored)
  })
}

/** Answers when other brokers know of it as well. */
function addRoute(connection: Connection, session: Session, subscription: Subscription): MaybePromise<void> {
  const { engine } = connection
  if (connection.phase === 'closing' || connection.phase === 'closed') return undefined
  const sharedFilter = shared(subscription.filter)
  if (sharedFilter === undefined) return engine.router.addSession(session, subscription)
  const group = engine.group(subscription.filter, sharedFilter)
  group.add(session, subscription)
  session.pump()
  return group.routed
}

/** The same for all of them. */
function addRoutes(
  connection: Connection,
  session: Session,
  subscriptions: Iterable<Subscription>,
): MaybePromise<unknown> {
  return all(subscriptions, subscription => addRoute(connection, session, subscription))
}

function shared(filter: string): string | undefined {
  return parseSharedFilter(filter as TopicFilter)?.filter
}

function acknowledgeSubscribe(connection: Connection, messageId: number, outcomes: readonly Outcome[]): void {
  if (connection.phase !== 'connected') return
  const granted = outcomes.map(outcome => {
    if (outcome.kind === 'granted') return outcome.subscription.qos
    return deniedCode(connection, outcome)
  })
  connection.sendPacket({ cmd: 'suback', messageId, granted, ...reasonsOf(connection, outcomes) })
  reportSubscribed(connection, outcomes)
}

/** Tells the program, and who listens to `$SYS`, what the client has subscribed to. */
export function reportSubscribed(connection: Connection, outcomes: readonly Outcome[]): void {
  if (connection.phase !== 'connected') return
  const { broker, presence } = connection.engine
  const subscriptions = lastOutcomes(outcomes)
  if (broker.listenerCount('subscribe') > 0) broker.emit('subscribe', subscriptions, connection.client)
  presence.subscribed(connection.client.id as string, subscriptions)
}

/** MQTT 3.1 has no code for it: "it has no way of informing that client", so SUBACK is positive. MQTT 3.1 §3.8 */
function deniedCode({ version }: Connection, { reasonCode, packet }: Denied): number {
  if (version === 5) return reasonCode
  return version === 4 ? failure : packet.qos
}

/** The reasons of all that was denied, as one text, if the client wants it. MQTT 5.0 §3.1.2.11.7 */
function reasonsOf(connection: Connection, outcomes: readonly Outcome[]): Pick<SubackPacket, 'properties'> {
  if (connection.version !== 5 || !connection.requestProblemInformation) return {}
  const reasons = outcomes.flatMap(outcome => (outcome.kind === 'denied' ? [outcome.reason] : []))
  return reasons.length === 0 ? {} : { properties: { reasonString: asReasonString(reasons.join('; ')) } }
}

/** Each filter once, as it stands now: with the QoS granted, or 128. */
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

/** Retained messages for new subscriptions. MQTT 5.0 §3.3.1.3 */
export function sendRetained(connection: Connection, outcomes: readonly StoredOutcome[]): MaybePromise<void> {
  // Each filter once: one that comes again in the packet would begin from the start.
  const filters = new Set<string>()
  for (const outcome of outcomes) {
    if (outcome.kind !== 'granted' || !wantsRetained(outcome.subscription, outcome.existed === true)) continue
    filters.add(outcome.subscription.filter)
  }
  let last: MaybePromise<void> = undefined
  for (const filter of filters) {
    last = after(last, () => (connection.phase === 'connected' ? connection.session?.sendRetained(filter) : undefined))
  }
  return last
}

function wantsRetained(subscription: Subscription, existed: boolean): boolean {
  if (shared(subscription.filter) !== undefined) return false
  if (subscription.retainHandling === 2) return false // [MQTT5-3.3.1-11]
  return subscription.retainHandling === 0 || !existed // [MQTT5-3.3.1-9], [MQTT5-3.3.1-10]
}

/** Routes what a resumed session subscribes to, as far as `authorizeSubscribe` still allows it. CONNACK waits for it as SUBACK does:
 * of QoS 0 messages, and of all that the store does not bring, the session gets what other brokers publish afterwards. */
export function restoreSubscriptions(connection: Connection, session: Session): MaybePromise<unknown> {
  if (session.subscriptions.size === 0) return undefined
  const { authorizeSubscribe } = connection.engine.hooks
  if (authorizeSubscribe === undefined) return addRoutes(connection, session, session.subscriptions.values())
  const restored = all(session.subscriptions.values(), subscription => {
    const { filter, qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription
    const wish = { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
    return consider(connection, wish, subscriptionIdentifier)
  })
  return after(restored, outcomes => keepAllowed(connection, session, outcomes))
}

/** A right that was taken away ends the subscription, and what it would have brought. */
function keepAllowed(connection: Connection, session: Session, outcomes: readonly Outcome[]): MaybePromise<unknown> {
  const denied = outcomes.flatMap(outcome => (outcome.kind === 'denied' ? [outcome.packet.topic] : []))
  const granted = outcomes.flatMap(outcome => (outcome.kind === 'granted' ? [outcome.subscription] : []))
  for (const filter of denied) session.removeSubscription(filter)
  for (const subscription of granted) session.addSubscription(subscription)
  const { persistence } = connection.engine
  const removed = denied.length === 0 ? undefined : persistence.unsubscribe(session.handle, denied)
  return after(removed, () =>
    after(granted.length === 0 ? undefined : persistence.subscribe(session.handle, granted), () =>
      addRoutes(connection, session, granted),
    ),
  )
}
