import type { MaybePromise, Will } from '@x/contract'
import type { Will as PacketWill } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BrokerError } from '../ground/broker-error.ts'
import type { Client } from '../hooks/client.ts'
import type { ClientConnection, Host } from './client-connection.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { packetOf, republish } from '../message/broker-packet.ts'
import { Publication } from '../message/publication.ts'
import { payloadRefusal } from '../message/payload-refusal.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { isControlTopic } from '../hooks/control-endpoint.ts'
import { topicRefusal } from '../hooks/topic-access.ts'

/** The will of a CONNECT. `wire`: its properties as `willProperties` cuts them out, which keeps the order of user properties
 * ([MQTT5-3.1.3-10]).
 * @throws BrokerError `QOS_NOT_SUPPORTED`, `RETAIN_NOT_SUPPORTED`, `PAYLOAD_TOO_LARGE`, `CONTROL_WILL`; TopicError */
export function makeWill(connection: ClientConnection, will: PacketWill, wire: Uint8Array | undefined): Will {
  const { engine } = connection
  const clientId = connection.client.id
  const { maximumQoS = engine.options.maximumQoS, mountPoint } = connection.profile ?? {}
  const { retainAvailable } = engine.options
  if ((will.qos ?? 0) > maximumQoS) {
    // [MQTT5-3.2.2-12]
    throw new BrokerError('QOS_NOT_SUPPORTED', {
      message: `will with QoS ${will.qos} exceeds maximumQoS of ${maximumQoS}`,
      reasonCode: ReasonCode.qosNotSupported,
    })
  }
  if (will.retain === true && !retainAvailable) {
    // [MQTT5-3.2.2-13]
    throw new BrokerError('RETAIN_NOT_SUPPORTED', {
      message: 'will with RETAIN, but retainAvailable is false',
      reasonCode: ReasonCode.retainNotSupported,
    })
  }
  const tooLarge = payloadRefusal(Buffer.byteLength(will.payload), engine.options.maximumPayloadSize)
  if (tooLarge !== undefined) throw tooLarge
  parseTopicName(will.topic, { maximumLevels: engine.options.maxTopicLevels })
  if (engine.controlEndpoints !== undefined && isControlTopic(will.topic)) {
    throw new BrokerError('CONTROL_WILL', {
      message: `the will's topic '${will.topic}' is that of a command`,
      reasonCode: ReasonCode.topicNameInvalid,
    })
  }
  const message = new Publication(
    mountPoint === undefined ? will.topic : mountPoint.topic(will.topic),
    { publisher: clientId, source: connection.source, brokerId: engine.brokerId, brokerCounter: 0, now: 0 },
    {
      payload: Buffer.from(will.payload),
      qos: will.qos ?? 0,
      retain: will.retain === true,
      properties: wire,
      expiresAt: undefined,
    },
  )
  return {
    clientId,
    message,
    messageExpiryInterval: will.properties?.messageExpiryInterval,
    delayInterval: will.properties?.willDelayInterval ?? 0,
  }
}

/** The will, unless its topic is one that the client may not publish to: then it is let in without. It is looked at before the store has
 * it, since one that outlives its connection is published when nobody knows any more whose rights count. */
export function permittedWill({ engine, client }: ClientConnection, will: Will | undefined): Will | undefined {
  const refusal = will && topicRefusal(engine, client, will.message.topic)
  if (refusal === undefined) return will
  engine.broker.reportClientError(client, refusal)
  return undefined
}

/** Publishes a will, if it is permitted ([MQTT5-3.1.2-8]). `connection` is that of its client, if this broker has it.
 *
 * Nothing is thrown or rejected: an error is reported as a `clientError`, or as the broker's `error` when the client is not known. */
export function publishWill(
  engine: Host,
  will: Will,
  connection: ClientConnection | undefined = engine.clients.get(will.clientId),
): MaybePromise<void> {
  const now = engine.clock.now()
  const { message, messageExpiryInterval } = will
  const publication = new Publication(
    message.topic,
    {
      publisher: will.clientId,
      source: message.source,
      isWill: true,
      brokerId: engine.brokerId,
      brokerCounter: engine.nextCounter(),
      now,
    },
    {
      payload: message.payload,
      qos: message.qos,
      retain: message.retain,
      properties: message.properties,
      expiresAt: messageExpiryInterval === undefined ? undefined : now + messageExpiryInterval * 1000,
    },
  )
  const client = connection?.client
  const allowed = recover(
    () => authorizedWill(engine, { publication, now }, client),
    error => {
      if (client === undefined) engine.fail(error, 'WILL_NOT_PUBLISHED')
      else engine.refused(client, error)
      confirm(engine, will)
      return undefined
    },
  )
  return after(allowed, wanted => {
    if (wanted === undefined) return undefined
    return recover(
      () => after(engine.publishing.publishWill(will, wanted, connection), () => confirm(engine, will)),
      error => engine.fail(error, 'WILL_NOT_PUBLISHED', client),
    )
  })
}

/** The will as the rights of its client, where it is known, and `authorizePublish` let it pass. */
function authorizedWill(
  engine: Host,
  { publication, now }: { readonly publication: Publication; readonly now: number },
  client: Client | undefined,
): MaybePromise<Publication | undefined> {
  const refusal = client && topicRefusal(engine, client, publication.topic)
  if (refusal !== undefined) throw refusal
  const { authorizePublish } = engine.hooks
  if (authorizePublish === undefined) return publication
  const packet = packetOf(publication, false, now)
  return after(authorizePublish(client ?? null, packet), () => {
    const allowed = republish(publication, packet, now)
    if (allowed !== publication) parseTopicName(allowed.topic, { maximumLevels: engine.options.maxTopicLevels })
    return allowed
  })
}

/** Tells the store that it can forget the will. */
function confirm(engine: Host, will: Will): void {
  if (!engine.closed) engine.own('WILL_CONFIRM_FAILED', () => engine.persistence.confirmWill?.(will))
}
