import type { Message } from '@x/contract'
import { decodeProperties, encodePublishProperties } from '@x/packet'
import type { PublishPacket, PublishProperties, QoS } from '@x/packet'
import { BrokerError } from '../ground/broker-error.ts'
import { Publication, secondsLeft } from './publication.ts'
import type { Origin } from './publication.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { noBytes } from '../ground/no-bytes.ts'

/** In seconds. MQTT 5.0 §3.3.2.3.3 */
const longestInterval = 0xffffffff

/** A PUBLISH as hooks, events and in-process subscribers see it. */
export interface BrokerPacket extends Omit<PublishPacket, 'messageId'> {
  /** Present but undefined at QoS 1 and 2; a number only in hooks that see a client's own packet. */
  messageId?: number | undefined
  payload: Buffer
  brokerId: string
  brokerCounter: number
  /** Client identifier of the publisher. */
  clientId?: string
}

/** A PUBLISH of a client, or a will, on its way in: what `authorizePublish` may change. */
export interface IncomingPacket extends Omit<BrokerPacket, 'brokerId' | 'brokerCounter'> {
  /** Bytes behind the fixed header of the packet that came. */
  length?: number
  brokerId?: string
  brokerCounter?: number
}

/** A message that a program publishes: only the topic is required. */
export interface PublishRequest {
  cmd?: 'publish'
  topic: string
  payload?: string | Buffer
  qos?: QoS
  retain?: boolean
  dup?: boolean
  properties?: PublishProperties
  messageId?: number | undefined
  brokerId?: string
  brokerCounter?: number
  clientId?: string
}

/** Makes a packet object of a message; a new one each time, so that a hook may change it. `dup` is the flag of the packet; the Message
 * Expiry Interval is counted from `now` (ms of the engine's clock). */
export function packetOf(message: Message, dup: boolean, now: number): BrokerPacket {
  const packet: BrokerPacket = {
    cmd: 'publish',
    brokerId: message.brokerId,
    brokerCounter: message.brokerCounter,
    topic: message.topic,
    payload: message.payload,
    qos: message.qos,
    retain: message.retain,
    dup,
  }
  if (message.qos > 0) packet.messageId = undefined
  if (message.publisher !== undefined) packet.clientId = message.publisher
  const properties = propertiesOf(message, now)
  if (properties !== undefined) packet.properties = properties
  return packet
}

/** Makes a packet object of a message from a client, with the fields that mqtt-packet gives it. */
export function incomingPacketOf(
  message: Message,
  wire: { dup: boolean; messageId: number; length: number },
  now: number,
): IncomingPacket {
  const packet: IncomingPacket = {
    cmd: 'publish',
    retain: message.retain,
    qos: message.qos,
    dup: wire.dup,
    length: wire.length,
    topic: message.topic,
    payload: message.payload,
  }
  if (message.qos > 0) packet.messageId = wire.messageId
  const properties = propertiesOf(message, now)
  if (properties !== undefined) packet.properties = properties
  return packet
}

function propertiesOf(message: Message, now: number): PublishProperties | undefined {
  const wire = message.properties
  if (wire === undefined && message.expiresAt === undefined) return undefined
  const properties: PublishProperties =
    wire === undefined ? {} : decodeProperties(Buffer.from(wire), 0, wire.length, 'publish')
  if (message.expiresAt !== undefined) {
    properties.messageExpiryInterval = secondsLeft(message.expiresAt, now)
  }
  return properties
}

/** Makes a publication of a packet object.
 * @throws BrokerError `PACKET_INVALID` when the packet can't be published; the characters of topics are checked by the caller */
export function publicationOf(packet: PublishRequest, origin: Origin): Publication {
  checkTopicType(packet.topic)
  const qos = qosIn(packet)
  const interval = packet.properties?.messageExpiryInterval
  if (interval !== undefined && !(Number.isInteger(interval) && interval >= 0 && interval <= longestInterval)) {
    throw packetInvalid(
      `messageExpiryInterval of a packet to publish is ${String(interval)}, it must be an integer from 0 to ${longestInterval}`,
    )
  }
  return new Publication(packet.topic, origin, {
    payload: payloadIn(packet),
    qos,
    retain: Boolean(packet.retain),
    properties: packet.properties ? encodePublishProperties(packet.properties) : undefined,
    expiresAt: interval === undefined ? undefined : origin.now + interval * 1000,
  })
}

/** Checks a packet of a program that may have no types. `parseTopicName` refuses a missing topic.
 * @throws BrokerError `PACKET_INVALID` unless it is an object, whose topic, if any, is a text */
export function checkPublishRequest(packet: PublishRequest): void {
  const given: unknown = packet
  if (typeof given !== 'object' || given === null) {
    throw packetInvalid(
      `a packet to publish is ${given === null ? 'null' : typeof given}, it must be an object with a topic`,
    )
  }
  if ((packet.topic ?? undefined) !== undefined) checkTopicType(packet.topic)
}

function checkTopicType(topic: unknown): void {
  if (typeof topic !== 'string') {
    throw packetInvalid(`topic of a packet to publish is ${kindOf(topic)}, it must be a text`)
  }
}

function qosIn(packet: PublishRequest): QoS {
  const qos: unknown = packet.qos ?? 0
  if (qos === 0 || qos === 1 || qos === 2) return qos
  const shown = typeof qos === 'number' ? `${qos}` : kindOf(qos)
  throw new BrokerError('PACKET_INVALID', {
    reasonCode: ReasonCode.qosNotSupported,
    message: `qos of a packet to publish is ${shown}, it must be 0, 1 or 2`,
  })
}

/** An absent payload is an empty one. */
function payloadIn(packet: PublishRequest): Buffer {
  const payload: unknown = packet.payload ?? ''
  if (Buffer.isBuffer(payload)) return payload
  if (typeof payload === 'string') return Buffer.from(payload)
  if (payload instanceof Uint8Array) return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  throw packetInvalid(`payload of a packet to publish is ${kindOf(payload)}, it must be a text or a Buffer`)
}

/** For error sentences. */
export function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `of the type ${typeof value}`
}

function packetInvalid(message: string): BrokerError {
  return new BrokerError('PACKET_INVALID', { reasonCode: ReasonCode.implementationSpecificError, message })
}

/** Makes a publication of a packet that a hook may have changed. Without changes it is the same publication, which keeps the order of
 * user properties that a packet object can't hold. `now`: the value that `packetOf` was given. */
export function republish(publication: Publication, packet: IncomingPacket, now: number): Publication {
  const sameProperties = hasSameProperties(publication, packet, now)
  const same =
    packet.topic === publication.topic &&
    packet.payload === publication.payload &&
    packet.qos === publication.qos &&
    packet.retain === publication.retain
  if (same && sameProperties) return publication
  const changed = publicationOf(packet, { ...originOf(publication), now })
  if (!sameProperties) return changed
  return new Publication(
    packet.topic,
    { ...originOf(publication), now },
    {
      payload: changed.payload,
      qos: changed.qos,
      retain: changed.retain,
      properties: publication.properties,
      expiresAt: publication.expiresAt,
    },
  )
}

/** Whether the packet has the properties that `packetOf` gave it. */
function hasSameProperties(publication: Publication, { properties }: IncomingPacket, now: number): boolean {
  const before = propertiesOf(publication, now)
  if (before === undefined || properties === undefined) return before === properties
  if (before.messageExpiryInterval !== properties.messageExpiryInterval) return false
  const [wireBefore, wireAfter] = [encodePublishProperties(before), encodePublishProperties(properties)]
  return Buffer.compare(wireBefore ?? noBytes, wireAfter ?? noBytes) === 0
}

function originOf({ publisher, source, isWill, brokerId, brokerCounter }: Message): Omit<Origin, 'now'> {
  return { publisher, source, isWill, brokerId, brokerCounter }
}
