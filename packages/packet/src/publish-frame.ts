import type { ProtocolVersion, PublishPacket, QoS } from './packet.ts'
import { PacketError, packetIdZero, tooShort } from './packet-error.ts'
import { readProperties } from './properties.ts'
import { copyProperties, HOP_PROPERTIES } from './property-copy.ts'
import { checkPropertyValue, checkUserProperties, propertyRefused, propertyRules } from './property-check.ts'
import { propertyBit } from './property-table.ts'
import { readVariableInteger, variableIntegerSize } from './variable-integer.ts'

const MESSAGE_EXPIRY_INTERVAL = 0x02
const SUBSCRIPTION_IDENTIFIER = 0x0b
const TOPIC_ALIAS = 0x23

const EMPTY: Buffer = Buffer.alloc(0)
const NO_IDENTIFIERS: readonly number[] = Object.freeze([])
const RULES = propertyRules.publish

/** Which end of the connection sent a packet. */
export type Sender = 'client' | 'server'

/** A cursor that describes one PUBLISH where it lies; one object serves any number of packets, one after the other.
 *
 * Plain fields: the engine reads them for each message. `read()` allocates nothing unless there are subscription identifiers.
 * All offsets are into `source`, and hold until the next `read()`.
 * @see MQTT 5.0 §3.3 */
export class PublishFrame {
  /** More user properties are refused. */
  maximumUserProperties: number = Infinity
  source: Buffer = EMPTY
  frameStart = 0
  /** The topic's UTF-8 bytes, unchecked: TopicInterner checks them, once for each topic. */
  topicStart = 0
  topicEnd = 0
  /** Packet identifier; 0 at QoS 0. */
  messageId = 0
  /** The property list without its length; start and end are the same when there is none. */
  propertiesStart = 0
  propertiesEnd = 0
  payloadStart = 0
  frameEnd = 0
  qos: QoS = 0
  dup = false
  retain = false
  /** 0: none. */
  topicAlias = 0
  /** Seconds; -1: none. */
  messageExpiryInterval = -1
  /** The packet may be sent on as it is: it holds nothing that belongs to this hop or changes with time, and it is not one of QoS 0
   * with DUP, which only MQTT 3.1 lets be. */
  forwardable = true
  /** In the packet's order; a shared empty array when there are none. */
  subscriptionIdentifiers: readonly number[] = NO_IDENTIFIERS

  /** Describes the PUBLISH between the offsets, which come from a FrameReader, after checking all of it but the topic's bytes.
   *
   * An empty topic without alias is refused in MQTT 5 only; in earlier versions it is the caller's to refuse.
   * @throws PacketError `QOS_INVALID`, `DUP_INVALID`, `PACKET_TOO_SHORT`, `PACKET_ID_ZERO`, `TOPIC_EMPTY`,
   * `TOPIC_ALIAS_INVALID`, `VARIABLE_INTEGER`, `UTF8_INVALID`, `NUL_CHARACTER`, `TOO_MANY_USER_PROPERTIES` or `PROPERTY_…`. The fields are then undefined. */
  read(
    source: Buffer,
    header: number,
    frameStart: number,
    bodyStart: number,
    frameEnd: number,
    version: ProtocolVersion,
    sender: Sender,
  ): void {
    const qos = (header >> 1) & 3
    const isRepeatedOnce = (header & 0x0e) === 0x08
    if (qos === 3 || (isRepeatedOnce && version !== 3)) throw flagsInvalid(header, version)
    const topicStart = bodyStart + 2
    if (topicStart > frameEnd) throw tooShort('topic', bodyStart - frameStart)
    const topicEnd = topicStart + (((source[bodyStart] as number) << 8) | (source[bodyStart + 1] as number))
    const position = qos === 0 ? topicEnd : topicEnd + 2
    if (position > frameEnd) throw tooShort(topicEnd > frameEnd ? 'topic' : 'packet identifier', bodyStart - frameStart)
    this.messageId = 0
    if (qos !== 0) {
      this.messageId = ((source[topicEnd] as number) << 8) | (source[topicEnd + 1] as number)
      if (this.messageId === 0) throw packetIdZero('publish', topicEnd - frameStart)
    }
    this.source = source
    this.frameStart = frameStart
    this.topicStart = topicStart
    this.topicEnd = topicEnd
    this.frameEnd = frameEnd
    this.qos = qos as QoS
    this.dup = (header & 8) !== 0
    this.retain = (header & 1) !== 0
    this.topicAlias = 0
    this.messageExpiryInterval = -1
    this.forwardable = !isRepeatedOnce
    this.subscriptionIdentifiers = NO_IDENTIFIERS
    this.propertiesStart = position
    this.propertiesEnd = position
    this.payloadStart = position
    if (version === 5) this.#readProperties(position, sender)
  }

  /** A copy of the property list without topic alias, message expiry interval and subscription identifiers; undefined when
   * nothing is left. */
  forwardableProperties(): Buffer | undefined {
    return copyProperties(this.source, this.propertiesStart, this.propertiesEnd, HOP_PROPERTIES)
  }

  /** A view of the payload. */
  payload(): Buffer {
    return this.source.subarray(this.payloadStart, this.frameEnd)
  }

  /** The PUBLISH as an object, with all properties; the payload and the correlation data are views. */
  toPacket(topic: string): PublishPacket {
    const packet: PublishPacket = {
      cmd: 'publish',
      retain: this.retain,
      qos: this.qos,
      dup: this.dup,
      length: this.frameEnd - this.topicStart + 2,
      topic,
      payload: this.payload(),
    }
    if (this.qos !== 0) packet.messageId = this.messageId
    if (this.propertiesEnd > this.propertiesStart) {
      packet.properties = readProperties(this.source, this.propertiesStart, this.propertiesEnd)
    }
    return packet
  }

  #readProperties(position: number, sender: Sender): void {
    const length = readVariableInteger(this.source, position, this.frameEnd, this.frameStart)
    const start = position + variableIntegerSize(length)
    const end = start + length
    if (end > this.frameEnd) throw tooShort('property list', position - this.frameStart)
    this.propertiesStart = start
    this.propertiesEnd = end
    this.payloadStart = end
    if (length !== 0) {
      checkUserProperties(this.source, start, end, this.maximumUserProperties, this.frameStart)
      this.#walkProperties(start, end, sender)
    }
    if (this.topicStart === this.topicEnd && this.topicAlias === 0) throw topicEmpty(this.topicStart - this.frameStart)
  }

  #walkProperties(start: number, end: number, sender: Sender): void {
    const source = this.source
    let seen = 0
    let position = start
    while (position < end) {
      const id = source[position] as number
      const bit = propertyBit[id] as number
      if ((bit & RULES.allowed & ~(seen & ~RULES.repeatable)) === 0) {
        throw propertyRefused(id, RULES, position - this.frameStart)
      }
      seen |= bit
      const next = checkPropertyValue(source, id, position + 1, end, this.frameStart)
      if ((bit & HOP_PROPERTIES) !== 0) this.#readHopProperty(id, position + 1, sender)
      position = next
    }
  }

  #readHopProperty(id: number, position: number, sender: Sender): void {
    const source = this.source
    this.forwardable = false
    if (id === TOPIC_ALIAS) {
      this.topicAlias = ((source[position] as number) << 8) | (source[position + 1] as number)
    } else if (id === MESSAGE_EXPIRY_INTERVAL) {
      this.messageExpiryInterval = source.readUInt32BE(position)
    } else if (id === SUBSCRIPTION_IDENTIFIER) {
      // [MQTT5-3.3.4-6]
      if (sender === 'client') throw identifierFromClient(position - 1 - this.frameStart)
      const identifier = readVariableInteger(source, position, source.length, this.frameStart)
      this.subscriptionIdentifiers = [...this.subscriptionIdentifiers, identifier]
    }
  }
}

function flagsInvalid(header: number, version: ProtocolVersion): PacketError {
  if ((header & 6) === 6) {
    return new PacketError('QOS_INVALID', { message: 'Packet must not have both QoS bits set to 1', offset: 0 }) // [MQTT5-3.3.1-4]
  }
  // [MQTT5-3.3.1-2]
  const reasonCode = version === 5 ? 0x82 : 0x81
  return new PacketError('DUP_INVALID', { message: 'PUBLISH of QoS 0 must not have DUP set', offset: 0, reasonCode })
}

function topicEmpty(offset: number): PacketError {
  return new PacketError('TOPIC_EMPTY', { message: 'PUBLISH with neither topic nor topic alias', offset })
}

function identifierFromClient(offset: number): PacketError {
  const message = 'Property subscriptionIdentifier is not allowed in a PUBLISH from a client'
  return new PacketError('PROPERTY_NOT_ALLOWED', { message, offset, reasonCode: 0x82 })
}
