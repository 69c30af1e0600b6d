import type { ProtocolVersion } from './packet.ts'
import { packetIdZero, reasonCodeInvalid, tooShort, trailingBytes } from './packet-error.ts'
import { commandOf } from './packet-types.ts'
import { checkProperties, checkUserProperties, propertyRules } from './property-check.ts'
import { reasonCodeTable } from './reason-codes.ts'
import { readVariableInteger, variableIntegerSize } from './variable-integer.ts'

/** A cursor that describes one PUBACK, PUBREC, PUBREL or PUBCOMP; one object serves any number of packets.
 * @see MQTT 5.0 §3.4 to §3.7 */
export class AckFrame {
  /** Packet identifier. */
  messageId = 0
  /** 0 when the packet leaves it out, and before MQTT 5. */
  reasonCode = 0
  /** More user properties are refused. */
  maximumUserProperties: number = Infinity

  /** Describes the packet between the offsets, which come from a FrameReader, after checking all of it.
   * @throws PacketError `PACKET_TOO_SHORT`, `TRAILING_BYTES`, `PACKET_ID_ZERO`, `REASON_CODE_INVALID`, `VARIABLE_INTEGER`,
   * `UTF8_INVALID`, `NUL_CHARACTER`, `TOO_MANY_USER_PROPERTIES` or `PROPERTY_…`. */
  read(source: Buffer, header: number, bodyStart: number, frameEnd: number, version: ProtocolVersion): void {
    const length = frameEnd - bodyStart
    if (length < 2) throw tooShort('packet identifier', frameOffset(bodyStart, bodyStart, frameEnd))
    const messageId = ((source[bodyStart] as number) << 8) | (source[bodyStart + 1] as number)
    if (messageId === 0) throw packetIdZero(ackKind(header), frameOffset(bodyStart, bodyStart, frameEnd))
    this.messageId = messageId
    this.reasonCode = 0
    if (length !== 2) this.#readReason(source, header, bodyStart, frameEnd, version)
  }

  #readReason(source: Buffer, header: number, bodyStart: number, frameEnd: number, version: ProtocolVersion): void {
    const frameStart = bodyStart - frameOffset(bodyStart, bodyStart, frameEnd)
    if (version !== 5) throw trailingBytes(frameEnd - bodyStart - 2, bodyStart + 2 - frameStart)
    const kind = ackKind(header)
    const reasonCode = source[bodyStart + 2] as number
    if (!reasonCodeTable[kind].some(code => code === reasonCode)) {
      throw reasonCodeInvalid(kind, reasonCode, bodyStart + 2 - frameStart)
    }
    this.reasonCode = reasonCode
    if (frameEnd === bodyStart + 3) return
    const [start, end] = listWithin(source, bodyStart + 3, frameEnd, frameStart)
    checkUserProperties(source, start, end, this.maximumUserProperties, frameStart)
    checkProperties(source, start, end, propertyRules[kind], frameStart)
  }
}

/** Writes a PUBACK (`header` 0x40), PUBREC (0x50), PUBREL (0x62) or PUBCOMP (0x70) and returns the offset behind it: 4 bytes,
 * or 5 when the version is 5 and the reason code is not 0. `target` must have 5 bytes free. */
export function writeAck(
  target: Buffer,
  offset: number,
  header: number,
  messageId: number,
  reasonCode: number,
  version: ProtocolVersion,
): number {
  const hasReason = reasonCode !== 0 && version === 5
  target[offset] = header
  target[offset + 1] = hasReason ? 3 : 2
  target[offset + 2] = messageId >> 8
  target[offset + 3] = messageId
  if (!hasReason) return offset + 4
  target[offset + 4] = reasonCode
  return offset + 5
}

/** Start and end of a property list with its length, which must end at `frameEnd`. */
function listWithin(source: Buffer, position: number, frameEnd: number, frameStart: number): [number, number] {
  const length = readVariableInteger(source, position, frameEnd, frameStart)
  const start = position + variableIntegerSize(length)
  const end = start + length
  if (end > frameEnd) throw tooShort('property list', position - frameStart)
  if (end < frameEnd) throw trailingBytes(frameEnd - end, end - frameStart)
  return [start, end]
}

function ackKind(header: number): 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' {
  const command = commandOf(header)
  return command === 'pubrec' || command === 'pubrel' || command === 'pubcomp' ? command : 'puback'
}

/** Turns an offset in the source into one within the frame, whose length field is minimal. */
function frameOffset(position: number, bodyStart: number, frameEnd: number): number {
  return position - bodyStart + 1 + variableIntegerSize(frameEnd - bodyStart)
}
