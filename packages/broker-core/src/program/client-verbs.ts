import type { MaybePromise } from '@x/contract'
import { parseTopicName } from '@x/topic-trie'
import { connectionClosed } from '../hooks/client.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import { emptyQueue } from '../session/empty-queue.ts'
import { after } from '../ground/maybe-promise.ts'
import { checkPublishRequest, publicationOf } from '../message/broker-packet.ts'
import type { PublishRequest } from '../message/broker-packet.ts'
import { filtersOf, subscriptionsOf } from './program-subscription.ts'
import { reportSubscribed, sendRetained, subscribe } from '../handlers/subscribe.ts'
import type { SubscribeRequest, UnsubscribeRequest } from '../message/subscription-request.ts'
import { reportUnsubscribed, unsubscribe } from '../handlers/unsubscribe.ts'

/** SUBACK: the filter was refused. MQTT 3.1.1 §3.9.3 */
const failure = 0x80

/** `client.publish`: sends a message to this client alone. At QoS 1 and 2 a session that outlives its connection gets it by the store.
 * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID` */
export function publishToClient(connection: ClientConnection, packet: PublishRequest): MaybePromise<void> {
  const { client, engine, session } = connection
  if (session === undefined || client.closed) throw connectionClosed(client)
  checkPublishRequest(packet)
  parseTopicName(packet.topic, { maximumLevels: engine.options.maxTopicLevels })
  const publication = publicationOf(packet, {
    publisher: undefined,
    brokerId: engine.brokerId,
    brokerCounter: engine.nextCounter(),
    now: engine.clock.now(),
  })
  if (publication.qos === 0 || !session.stored) {
    session.send(publication, publication.qos, false, undefined)
    return undefined
  }
  const delivery = { message: publication, qos: publication.qos, retain: false, subscriptionIdentifiers: undefined }
  return engine.persistence.enqueue(session.handle, [delivery])
}

/** `client.subscribe`: subscribes the client as if it had asked for it.
 * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
export function subscribeClient(connection: ClientConnection, request: SubscribeRequest): MaybePromise<void> {
  const { client } = connection
  if (client.closed) throw connectionClosed(client)
  const subscriptions = subscriptionsOf(request, connection.engine.options)
  // Before there is a session nothing can be subscribed to.
  if (connection.session === undefined) return undefined
  return after(subscribe(connection.session, subscriptions, undefined), outcomes => {
    // No packet may carry identifier 0 ([MQTT5-2.2.1-2]), so no SUBACK is sent.
    if ('messageId' in request && request.messageId) {
      const granted = outcomes.map(outcome => (outcome.kind === 'granted' ? outcome.subscription.qos : failure))
      connection.sendPacket({ cmd: 'suback', messageId: request.messageId, granted })
    }
    reportSubscribed(connection, outcomes)
    return sendRetained(connection, outcomes)
  })
}

/** `client.unsubscribe`: unsubscribes the client as if it had asked for it.
 * @throws BrokerError `CONNECTION_CLOSED`, `PACKET_INVALID`; TopicError */
export function unsubscribeClient(connection: ClientConnection, request: UnsubscribeRequest): MaybePromise<void> {
  const { client } = connection
  if (client.closed) throw connectionClosed(client)
  const filters = filtersOf(request, connection.engine.options)
  if (connection.session === undefined) return undefined
  return after(unsubscribe(connection.session, filters), ({ codes }) => {
    if (typeof request === 'object' && 'messageId' in request && request.messageId) {
      connection.sendPacket({ cmd: 'unsuback', messageId: request.messageId, granted: codes })
    }
    reportUnsubscribed(connection, filters)
  })
}

/** `client.emptyOutgoingQueue`: drops what waits for the client. */
export function emptyClientQueue({ session }: ClientConnection): MaybePromise<void> {
  return session === undefined ? undefined : emptyQueue(session)
}
