import type { Packet, PublishPacket } from './packet.ts'
import { PacketError } from './packet-error.ts'
import { assertWellFormed } from './well-formed.ts'

/** Refuses numbers that would be cut to fit their field, and strings that have no UTF-8 form.
 * @throws PacketError `UNENCODABLE`, `UTF8_INVALID` or `PACKET_ID_ZERO`. */
export function assertEncodable(packet: Exclude<Packet, PublishPacket>): void {
  if (hasText(packet)) assertWellFormed(packet)
  if ('messageId' in packet && packet.messageId !== undefined) assertNumber('messageId', packet.messageId, 0xffff)
  if ('reasonCode' in packet && packet.reasonCode !== undefined) assertNumber('reasonCode', packet.reasonCode, 0xff)
  switch (packet.cmd) {
    case 'connect':
      if (packet.bridgeMode && packet.protocolVersion === 5) throw unencodable('bridgeMode', 'set in MQTT 5')
      if (packet.will?.qos !== undefined) assertNumber('will.qos', packet.will.qos, 2)
      return
    case 'connack':
      if (packet.returnCode !== undefined) assertNumber('returnCode', packet.returnCode, 0xff)
      return
    case 'subscribe':
      for (const { qos, rh = 0 } of packet.subscriptions) {
        assertNumber('qos', qos, 2)
        assertNumber('rh', rh, 2)
      }
      return
    case 'suback':
    case 'unsuback':
      for (const code of packet.granted ?? []) assertNumber('granted', code, 0xff)
      return
    default:
  }
}

/** Looking for strings takes longer than all else in a packet that has none. */
function hasText(packet: Exclude<Packet, PublishPacket>): boolean {
  const isAnswer = packet.cmd === 'connack' || packet.cmd === 'suback' || packet.cmd === 'unsuback'
  return !isAnswer || packet.properties !== undefined
}

/** The same for a PUBLISH, but for its properties.
 * @throws PacketError as {@link assertEncodable}. */
export function assertPublishEncodable({ topic, qos, messageId }: PublishPacket): void {
  assertWellFormed(topic)
  if (messageId !== undefined) assertNumber('messageId', messageId, 0xffff)
  assertNumber('qos', qos, 2)
  // No character takes more than three bytes.
  if (topic.length > 0xffff / 3 && Buffer.byteLength(topic) > 0xffff)
    throw unencodable('topic', 'longer than 65535 bytes')
}

function assertNumber(field: string, value: number, maximum: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return
  throw unencodable(field, `${value}, which is not an integer of 0 to ${maximum}`)
}

function unencodable(field: string, problem: string): PacketError {
  return new PacketError('UNENCODABLE', { message: `Field ${field} is ${problem}`, offset: 0 })
}
