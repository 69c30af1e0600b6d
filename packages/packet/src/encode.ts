// The global Buffer is a getter that costs 15 ns.
import { Buffer } from 'node:buffer'
import { generate, type Packet as GeneratedPacket, writeToStream } from 'mqtt-packet'
import { writeAck } from './ack-frame.ts'
import { checkControl } from './control-check.ts'
import type { Packet, ProtocolVersion, PublishPacket } from './packet.ts'
import { assertEncodable, assertPublishEncodable } from './encodable.ts'
import { PacketError } from './packet-error.ts'
import { packetHeader } from './packet-types.ts'
import { encodeProperties } from './property-encode.ts'
import { plainAnswer } from './plain-answer.ts'
import { PublishFrame } from './publish-frame.ts'
import { publishBytes } from './publish-writer.ts'
import { checkUtf8 } from './utf8.ts'
import { bodyOffset } from './variable-integer.ts'
import { isPlainText } from './well-formed.ts'

type AnyAck = Extract<Packet, { cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' }>

const ackHeaders = {
  puback: packetHeader.PUBACK,
  pubrec: packetHeader.PUBREC,
  pubrel: packetHeader.PUBREL,
  pubcomp: packetHeader.PUBCOMP,
}

/** Encoding is synchronous, so one serves all. */
const check = new PublishFrame()

/** The bytes of any packet, which a decoder of this package accepts. A CONNECT's own `protocolVersion` comes before `version`.
 * @throws PacketError for a packet that has no valid bytes: the caller's fault. Its code is what a decoder would have said, or
 * `UNENCODABLE`, where applicable with mqtt-packet's error as `cause`. */
export function encode(packet: Packet, version: ProtocolVersion): Buffer {
  if (packet.cmd === 'publish') return encodePublish(packet, version)
  assertEncodable(packet)
  switch (packet.cmd) {
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return version !== 5 || packet.properties === undefined
        ? encodeAck(packet, version)
        : encodeControl(packet, version)
    case 'connect': {
      const protocolVersion = packet.protocolVersion ?? version
      return encodeControl({ ...packet, protocolVersion }, protocolVersion)
    }
    case 'disconnect':
      return encodeControl({ ...packet, reasonCode: packet.reasonCode ?? 0 }, version)
    default:
      return encodeControl(packet, version)
  }
}

function encodePublish(packet: PublishPacket, version: ProtocolVersion): Buffer {
  const { payload, qos, retain, dup, topic, messageId = 0 } = packet
  assertPublishEncodable(packet)
  const properties = version === 5 && packet.properties ? encodeProperties(packet.properties, 'publish', 0) : undefined
  const outgoing = {
    topic,
    payload: typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload,
    qos,
    retain,
    dup,
    messageId,
    properties,
    messageExpiryInterval: undefined,
    subscriptionIdentifiers: undefined,
    topicAlias: undefined,
  }
  const frame = publishBytes(outgoing, version)
  if (!isPlain(packet)) checkPublish(frame, version)
  return frame
}

/** Most packets: what is left to check, properties being encoded, shows without a look at the bytes. */
function isPlain({ topic, qos, dup, messageId = 0 }: PublishPacket): boolean {
  return topic.length > 0 && isPlainText(topic) && (qos === 0 ? !dup : messageId > 0)
}

function checkPublish(frame: Buffer, version: ProtocolVersion): void {
  check.read(frame, frame[0] as number, 0, bodyOffset(frame, 0), frame.length, version, 'server')
  checkUtf8(frame, check.topicStart, check.topicEnd, 0)
}

function encodeAck(packet: AnyAck, version: ProtocolVersion): Buffer {
  const frame = Buffer.allocUnsafe(5)
  const end = writeAck(frame, 0, ackHeaders[packet.cmd], packet.messageId, packet.reasonCode ?? 0, version)
  const bytes = frame.subarray(0, end)
  checkControl(bytes, version)
  return bytes
}

function encodeControl(packet: Exclude<Packet, PublishPacket>, version: ProtocolVersion): Buffer {
  if (version === 5) checkPropertyValues(packet)
  const frame = version === 5 ? generated(packet, version) : (plainAnswer(packet) ?? generated(packet, version))
  checkControl(frame, version)
  return frame
}

/** mqtt-packet cuts numbers and writes properties into packets that may not have them. */
function checkPropertyValues(packet: Exclude<Packet, PublishPacket>): void {
  if (packet.cmd === 'pingreq' || packet.cmd === 'pingresp') return
  if (packet.properties) encodeProperties(packet.properties, packet.cmd, 0)
  if (packet.cmd === 'connect' && packet.will?.properties) encodeProperties(packet.will.properties, 'will', 0)
}

function generated(packet: Exclude<Packet, PublishPacket>, protocolVersion: ProtocolVersion): Buffer {
  try {
    // Its table of all 65536 two-byte numbers takes megabytes, to speed up what is rare here.
    if (writeToStream.cacheNumbers) writeToStream.cacheNumbers = false
    return generate(packet as GeneratedPacket, { protocolVersion })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new PacketError('UNENCODABLE', { message: `Cannot encode ${packet.cmd}: ${reason}`, offset: 0, cause })
  }
}
