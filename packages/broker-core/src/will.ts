import type { Will } from '@x/contract'
import type { Will as PacketWill } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BrokerError } from './broker-error.ts'
import type { Connection } from './connection.ts'
import { Publication } from './publication.ts'
import { ReasonCode } from './reason-code.ts'
import { isReserved, topicReserved } from './reserved-topic.ts'

/** The will of a CONNECT. `wire`: its properties as `willProperties` cuts them out, which keeps the order of user properties
 * ([MQTT5-3.1.3-10]).
 * @throws BrokerError `QOS_NOT_SUPPORTED`, `RETAIN_NOT_SUPPORTED`, `NOT_AUTHORIZED`; TopicError */
export function makeWill(connection: Connection, will: PacketWill, wire: Uint8Array | undefined): Will {
  const { engine } = connection
  const clientId = connection.client.id as string
  const { maximumQoS, retainAvailable } = engine.options
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
  parseTopicName(will.topic, { maximumLevels: engine.options.maxTopicLevels })
  if (engine.hooks.authorizePublish === undefined && isReserved(will.topic)) throw topicReserved(will.topic)
  const message = new Publication(
    will.topic,
    { publisher: clientId, brokerId: engine.brokerId, brokerCounter: 0, now: 0 },
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
