import type { Message, MessageSource } from '@x/contract'
import { parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import { BrokerError } from '../ground/broker-error.ts'
import type { Client } from './client.ts'
import type { NormalisedHooks } from './hooks.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { isOfSystem, isReserved, topicReserved } from '../message/reserved-topic.ts'
import type { ListenerProfile } from './listener-profile.ts'

/** What clients may publish and receive, as far as the topic alone decides it. Asked once for messages of one client that arrive
 * together on one topic, so it costs a fraction of `authorizePublish` and `authorizeForward`, and it is asked before them.
 *
 * The methods are synchronous and return `true` for a permission; anything else refuses, as does a throw. A refused message is
 * dropped and its publisher stays connected: MQTT 5 clients are told with 0x87, MQTT 3 clients get the plain acknowledgement. */
export interface TopicAccess {
  /** Asked for every PUBLISH, and for a will when its client connects and when it is sent. It takes the place of the engine's own rule
   * about `$SYS/`. */
  mayPublish(client: Client, topic: string): boolean
  /** Asked for every delivery: live, retained, and from the queue of a session. Without it every delivery is permitted, at no cost. */
  mayReceive?(client: Client, topic: string): boolean
  /** Asked with `checkRetainSource` for each retained message that a new subscription is to get: whether the client that has published
   * it, and may have left, may publish on its topic now. */
  mayStillPublish?(source: PublisherIdentity, topic: string): boolean
  /** Asked for every filter of a SUBSCRIBE, and again for those of a resumed session, before `authorizeSubscribe`. A refused filter is
   * denied with 0x87 (MQTT 3.1.1: 0x80), or removed from the session. Without it every filter is permitted. */
  maySubscribe?(client: Client, filter: string): boolean
  /** Asked for every filter of an UNSUBSCRIBE. A refused one stays subscribed; MQTT 5 clients are told with 0x87. Without it every
   * filter is permitted. */
  mayUnsubscribe?(client: Client, filter: string): boolean
}

/** A client that has published a message, as far as it is known later. */
export interface PublisherIdentity extends MessageSource {
  readonly clientId: string
}

/** What asking `topicAccess` needs of the engine. */
export interface TopicAccessHost {
  readonly hooks: NormalisedHooks
  readonly topicAccess: TopicAccess | undefined
  /** Reports that a hook has refused what the engine did for a client. */
  refused(client: Client, error: unknown): void
}

/** A connection of a client, with the rules of its listener. */
export interface TopicAccessSubject {
  readonly client: Client
  readonly profile: Pick<ListenerProfile, 'systemTopics'> | undefined
}

/** Why a client may not publish on a topic, as far as no hook decides about its messages. */
export function topicRefusal(engine: TopicAccessHost, client: Client, topic: string): BrokerError | undefined {
  if (client.trusted) return undefined
  const { topicAccess, hooks } = engine
  if (topicAccess === undefined) {
    return hooks.authorizePublish === undefined && isReserved(topic, client) ? topicReserved(topic) : undefined
  }
  if (isPermitted(engine, 'mayPublish', client, topic)) return undefined
  return isReserved(topic, client) ? topicReserved(topic) : denied(topic)
}

/** Whether a client may have messages of this topic. */
export function mayReceive(engine: TopicAccessHost, { client, profile }: TopicAccessSubject, topic: string): boolean {
  if (profile?.systemTopics === false && isOfSystem(topic)) return false
  return engine.topicAccess?.mayReceive === undefined || isPermitted(engine, 'mayReceive', client, topic)
}

/** Whether a client may subscribe to this filter. */
export function maySubscribe(
  engine: TopicAccessHost,
  { client, profile }: TopicAccessSubject,
  filter: string,
): boolean {
  if (profile?.systemTopics === false && isOfSystem(unshared(filter))) return false
  return engine.topicAccess?.maySubscribe === undefined || isPermitted(engine, 'maySubscribe', client, filter)
}

/** What the caller has checked already. */
function unshared(filter: string): string {
  return parseSharedFilter(filter as TopicFilter)?.filter ?? filter
}

/** Whether there is anything that `maySubscribe` could refuse. */
export function limitsSubscriptions(
  { topicAccess }: TopicAccessHost,
  { profile }: Pick<TopicAccessSubject, 'profile'>,
): boolean {
  return topicAccess?.maySubscribe !== undefined || profile?.systemTopics === false
}

/** Whether a client may end its subscription to this filter. */
export function mayUnsubscribe(engine: TopicAccessHost, client: Client, filter: string): boolean {
  return engine.topicAccess?.mayUnsubscribe === undefined || isPermitted(engine, 'mayUnsubscribe', client, filter)
}

/** Whether the publisher of a retained message may still publish it, as far as `checkRetainSource` asks. */
export function mayStillPublish(engine: TopicAccessHost, client: Client, message: Message): boolean {
  const { source, publisher, topic } = message
  const { topicAccess } = engine
  if (source === undefined || publisher === undefined || topicAccess?.mayStillPublish === undefined) return true
  try {
    return topicAccess.mayStillPublish({ clientId: publisher, ...source }, topic)
  } catch (error) {
    engine.refused(client, error)
    return false
  }
}

function isPermitted(
  engine: TopicAccessHost,
  what: 'mayPublish' | 'mayReceive' | 'maySubscribe' | 'mayUnsubscribe',
  client: Client,
  topic: string,
): boolean {
  if (client.trusted) return true
  try {
    return engine.topicAccess?.[what]?.(client, topic) === true
  } catch (error) {
    engine.refused(client, error)
    return false
  }
}

function denied(topic: string): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: 'not authorized',
    detail: `topicAccess does not let the client publish on '${topic}'`,
    reasonCode: ReasonCode.notAuthorized,
  })
}
