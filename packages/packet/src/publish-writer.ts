import { Buffer } from 'node:buffer'
import type { ProtocolVersion, QoS } from './packet.ts'
import { bodyOffset, variableIntegerSize, writeVariableInteger } from './variable-integer.ts'

/** A PUBLISH to be written. A caller may reuse one object for any number of packets. */
export interface OutgoingPublish {
  /** Empty only together with `topicAlias`. A lone surrogate is written as U+FFFD. */
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Packet identifier; ignored at QoS 0. */
  readonly messageId: number
  /** Property list in wire form without its length, as from `PublishFrame.forwardableProperties()`; ignored before MQTT 5. */
  readonly properties: Uint8Array | undefined
  /** Seconds; ignored before MQTT 5, as are the following. */
  readonly messageExpiryInterval: number | undefined
  readonly subscriptionIdentifiers: readonly number[] | undefined
  readonly topicAlias: number | undefined
}

/** Up to these lengths a loop beats the call into native code, whose cost hardly grows with the length: on Node 20
 * `TypedArray.set` takes 20 ns and `Buffer.byteLength` 20 ns, `Buffer.write` 65 ns, a loop 1.5 to 3 ns for each byte. */
const SHORT_BYTES = 12
const SHORT_SCAN = 16
const SHORT_TOPIC = 24

/** Bytes of the whole packet, fixed header included. Nothing is checked.
 * @see MQTT 5.0 §3.3 */
export function publishSize(publish: OutgoingPublish, version: ProtocolVersion): number {
  const remaining = remainingLength(publish, version, topicSize(publish.topic))
  return 1 + variableIntegerSize(remaining) + remaining
}

/** Writes the packet into `target`, which must have `publishSize()` bytes free from `offset` on, and returns the offset behind
 * it. Nothing is checked: what comes from a decoder or an encoder of this package is valid.
 * @see MQTT 5.0 §3.3 */
export function writePublish(
  target: Buffer,
  offset: number,
  publish: OutgoingPublish,
  version: ProtocolVersion,
): number {
  const topicBytes = topicSize(publish.topic)
  return write(target, offset, publish, version, topicBytes, remainingLength(publish, version, topicBytes))
}

/** The packet in memory of its own. Nothing is checked. */
export function publishBytes(publish: OutgoingPublish, version: ProtocolVersion): Buffer {
  const topicBytes = topicSize(publish.topic)
  const remaining = remainingLength(publish, version, topicBytes)
  const frame = Buffer.allocUnsafe(1 + variableIntegerSize(remaining) + remaining)
  write(frame, 0, publish, version, topicBytes, remaining)
  return frame
}

function write(
  target: Buffer,
  offset: number,
  publish: OutgoingPublish,
  version: ProtocolVersion,
  topicBytes: number,
  remaining: number,
): number {
  const { topic, qos, messageId } = publish
  target[offset] = 0x30 | (publish.dup ? 8 : 0) | (qos << 1) | (publish.retain ? 1 : 0)
  let position = writeVariableInteger(target, offset + 1, remaining)
  target[position] = topicBytes >> 8
  target[position + 1] = topicBytes
  position = writeTopic(target, position + 2, topic, topicBytes)
  if (qos !== 0) {
    target[position] = messageId >> 8
    target[position + 1] = messageId
    position += 2
  }
  if (version === 5) position = writeProperties(target, position, publish)
  return writeBytes(target, position, publish.payload)
}

/** Offset of the packet identifier in an encoded PUBLISH of QoS 1 or 2 that starts at `frameStart`. */
export function messageIdOffset(frame: Buffer, frameStart: number): number {
  const bodyStart = bodyOffset(frame, frameStart)
  return bodyStart + 2 + (((frame[bodyStart] as number) << 8) | (frame[bodyStart + 1] as number))
}

function remainingLength(publish: OutgoingPublish, version: ProtocolVersion, topicBytes: number): number {
  const length = 2 + topicBytes + (publish.qos === 0 ? 0 : 2) + publish.payload.length
  if (version !== 5) return length
  const properties = propertiesLength(publish)
  return length + variableIntegerSize(properties) + properties
}

function propertiesLength(publish: OutgoingPublish): number {
  const { properties, subscriptionIdentifiers } = publish
  let length = properties === undefined ? 0 : properties.length
  if (publish.messageExpiryInterval !== undefined) length += 5
  if (publish.topicAlias !== undefined) length += 3
  if (subscriptionIdentifiers !== undefined) {
    for (const identifier of subscriptionIdentifiers) length += 1 + variableIntegerSize(identifier)
  }
  return length
}

function writeProperties(target: Buffer, offset: number, publish: OutgoingPublish): number {
  const { properties, messageExpiryInterval, subscriptionIdentifiers, topicAlias } = publish
  let position = writeVariableInteger(target, offset, propertiesLength(publish))
  if (topicAlias !== undefined) {
    target[position] = 0x23
    target[position + 1] = topicAlias >> 8
    target[position + 2] = topicAlias
    position += 3
  }
  if (messageExpiryInterval !== undefined) {
    target[position] = 0x02
    target[position + 1] = messageExpiryInterval >>> 24
    target[position + 2] = messageExpiryInterval >>> 16
    target[position + 3] = messageExpiryInterval >>> 8
    target[position + 4] = messageExpiryInterval
    position += 5
  }
  if (subscriptionIdentifiers !== undefined) {
    for (const identifier of subscriptionIdentifiers) {
      target[position] = 0x0b
      position = writeVariableInteger(target, position + 1, identifier)
    }
  }
  return properties === undefined ? position : writeBytes(target, position, properties)
}

function topicSize(topic: string): number {
  if (topic.length > SHORT_SCAN) return Buffer.byteLength(topic)
  for (let index = 0; index < topic.length; index++) {
    if (topic.charCodeAt(index) >= 0x80) return Buffer.byteLength(topic)
  }
  return topic.length
}

function writeTopic(target: Buffer, offset: number, topic: string, topicBytes: number): number {
  if (topicBytes !== topic.length) return offset + target.write(topic, offset, topicBytes, 'utf8')
  if (topicBytes > SHORT_TOPIC) return offset + target.write(topic, offset, topicBytes, 'latin1')
  for (let index = 0; index < topicBytes; index++) target[offset + index] = topic.charCodeAt(index)
  return offset + topicBytes
}

function writeBytes(target: Buffer, offset: number, bytes: Uint8Array): number {
  const { length } = bytes
  if (length > SHORT_BYTES) target.set(bytes, offset)
  else for (let index = 0; index < length; index++) target[offset + index] = bytes[index] as number
  return offset + length
}
