import type { MaybePromise, Subscription } from '@x/contract'
import type { QoS, Subscription as PacketSubscription } from '@x/packet'
import { TopicError, isWildcardFilter, parseSharedFilter, parseTopicFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { BrokerError, toError } from '../ground/broker-error.ts'
import { hookResultInvalid, isDenial } from '../hooks/hook-results.ts'
import type { SubscriptionDenial } from '../hooks/hooks.ts'
import { maySubscribe } from '../hooks/topic-access.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from './session.ts'
import type { Refusal } from '../routing/subscription-quota.ts'

/** The result for one filter of a SUBSCRIBE. */
export type Outcome = Granted | Denied

/** A filter that is granted. */
export interface Granted {
  readonly kind: 'granted'
  readonly subscription: Subscription
  readonly packet: PacketSubscription
  /** The session already had a subscription with this filter. */
  readonly existed: boolean
}

/** A filter that is denied, and why. */
export interface Denied extends Refusal {
  readonly kind: 'denied'
  readonly packet: PacketSubscription
}

/** Returns why a filter can't be granted. Throws what violates the protocol, or what a 3.x SUBACK can't express. */
export function checkFilter(session: Session, wish: PacketSubscription): Refusal | undefined {
  const { options, persistence } = session.engine
  let filter: TopicFilter
  try {
    filter = parseTopicFilter(wish.topic, { maximumLevels: options.maxTopicLevels })
  } catch (error) {
    if (session.version === 5 && error instanceof TopicError) {
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

/** Asks the listener's rules, `topicAccess` and `authorizeSubscribe` about a valid filter. */
export function decide(
  session: Session,
  wish: PacketSubscription,
  identifier: number | undefined,
): MaybePromise<Outcome> {
  const { authorizeSubscribe } = session.engine.hooks
  if (!maySubscribe(session.engine, session.connection, wish.topic)) {
    const reason = `'${wish.topic}' is not authorized`
    return { kind: 'denied', reasonCode: ReasonCode.notAuthorized, packet: wish, reason }
  }
  if (authorizeSubscribe === undefined || session.connection.client.trusted) return grant(session, wish, identifier)
  const given = { session, wish, identifier }
  try {
    const result = authorizeSubscribe(session.connection.client, { ...wish })
    if (!isPromise(result)) return authorized(given, result)
    return result.then(later => authorized(given, later)).catch((error: unknown) => wronglyAnswered(given, error))
  } catch (error) {
    return wronglyAnswered(given, error)
  }
}

interface Wish {
  readonly session: Session
  readonly wish: PacketSubscription
  readonly identifier: number | undefined
}

/** Checks the result of `authorizeSubscribe`, which may have changed the subscription. */
function authorized(
  { session, wish, identifier }: Wish,
  result: PacketSubscription | SubscriptionDenial | null | undefined,
): Outcome {
  if (result === null || result === undefined || isDenial(result)) {
    const reason = `'${wish.topic}' is not authorized`
    return { kind: 'denied', reasonCode: result?.reasonCode ?? ReasonCode.notAuthorized, packet: wish, reason }
  }
  if (result.topic !== wish.topic || result.nl === true) checkChanged(session, wish, result)
  return grant(session, result, identifier)
}

/** A hook can't grant what the client could not have subscribed to; that is the hook's fault, not the client's. */
function checkChanged(session: Session, wish: PacketSubscription, result: PacketSubscription): void {
  let refused: Refusal | undefined
  try {
    refused = checkFilter(session, result)
  } catch (error) {
    refused = { reasonCode: ReasonCode.topicFilterInvalid, reason: toError(error).message }
  }
  if (refused === undefined) return
  throw hookResultInvalid(
    `hook authorizeSubscribe changed '${wish.topic}' to what can't be subscribed to: ${refused.reason}`,
  )
}

/** An invalid result of the hook denies this filter, since the client has done nothing wrong. An error of the hook ends the connection. */
function wronglyAnswered({ session, wish }: Wish, error: unknown): Outcome {
  if (!(error instanceof BrokerError) || error.code !== 'HOOK_RESULT_INVALID') throw error
  session.engine.broker.reportClientError(session.connection.client, error)
  const reason = `'${wish.topic}' is not authorized`
  return { kind: 'denied', reasonCode: error.reasonCode, packet: wish, reason }
}

function grant(session: Session, packet: PacketSubscription, identifier: number | undefined): Granted {
  const { qos } = packet
  if (qos !== 0 && qos !== 1 && qos !== 2) {
    throw new BrokerError('PACKET_INVALID', {
      message: `authorizeSubscribe returned qos ${String(qos)} for '${packet.topic}', it must be 0, 1 or 2`,
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  const { bridge } = session.connection.client
  const { maximumQoS = session.engine.options.maximumQoS } = session.connection.profile ?? {}
  const subscription: Subscription = {
    filter: packet.topic,
    qos: Math.min(qos, maximumQoS) as QoS,
    noLocal: bridge || packet.nl === true,
    retainAsPublished: bridge || packet.rap === true,
    retainHandling: (packet.rh ?? 0) as 0 | 1 | 2,
    subscriptionIdentifier: identifier,
  }
  return { kind: 'granted', subscription, packet, existed: false }
}
