import { AckFrame } from './ack-frame.ts'
import { checkConnect, type ConnectHead } from './connect-check.ts'
import { ControlCursor, type PropertyRange, type PropertySettings } from './control-cursor.ts'
import { readFilterList } from './filter-list.ts'
import type { ProtocolVersion } from './packet.ts'
import { PacketError } from './packet-error.ts'
import { commandOf, type PacketCommand } from './packet-types.ts'
import { grantedCodes, returnCodes } from './reason-codes.ts'

/** What the walk over a frame found. */
export interface ControlLayout {
  readonly command: PacketCommand
  /** Of a CONNECT alone. */
  readonly connect?: ConnectHead
  /** Remaining length in bytes. */
  readonly length: number
  /** The property lists, in their order; none of a SUBSCRIBE or UNSUBSCRIBE, which has a reader of its own. */
  readonly ranges: readonly PropertyRange[]
}

/** Checks the structure of a whole frame of any type but PUBLISH.
 * @throws PacketError with what is wrong first; `UNDECODABLE` for a PUBLISH, which is the caller's fault. */
export function checkControl(frame: Buffer, version: ProtocolVersion, settings?: PropertySettings): ControlLayout {
  const command = commandOf(frame[0] ?? 0)
  // A CONNECT has its own version, which stands behind the flags of its first byte.
  const cursor = new ControlCursor(frame, command === 'connect' ? 3 : version, settings)
  const length = cursor.left
  if (command === 'connect') return { command, connect: checkConnect(cursor), length, ranges: cursor.ranges }
  checkBody(cursor, command as BodyCommand, version)
  return { command: command as BodyCommand, length, ranges: cursor.ranges }
}

type BodyCommand = Exclude<PacketCommand, 'connect'>

function checkBody(cursor: ControlCursor, command: BodyCommand, version: ProtocolVersion): void {
  switch (command) {
    case 'connack':
      return checkConnack(cursor, version)
    case 'subscribe':
    case 'unsubscribe':
      readFilterList(cursor.frame, version)
      return undefined
    case 'suback':
      return checkSuback(cursor, version)
    case 'unsuback':
      return checkUnsuback(cursor, version)
    case 'disconnect':
      return checkDisconnect(cursor, version)
    case 'auth':
      return checkAuth(cursor, version)
    case 'pingreq':
    case 'pingresp':
      return cursor.finish()
    case 'publish':
      throw new PacketError('UNDECODABLE', { message: 'PUBLISH is not read here but by PublishFrame', offset: 0 })
    default:
      return checkAck(cursor, command, version)
  }
}

/** MQTT 5.0 §3.2. */
function checkConnack(cursor: ControlCursor, version: ProtocolVersion): void {
  const flags = cursor.byte('acknowledge flags')
  if (flags > 1) throw reservedBits('Invalid connack flags, bits 7-1 must be set to 0', cursor.position - 1) // [MQTT5-3.2.2-1]
  const code = version === 5 ? cursor.reasonCode('connack') : cursor.oneOf(returnCodes, 'connack')
  if (flags === 1 && code !== 0) {
    // [MQTT5-3.2.2-6], [MQTT3-3.2.2-4]
    const message = `Session Present must be 0 beside reason code ${code}`
    throw new PacketError('SESSION_PRESENT', { message, offset: cursor.position - 2 })
  }
  if (version === 5) cursor.properties('connack')
  cursor.finish()
}

/** MQTT 5.0 §3.9. */
function checkSuback(cursor: ControlCursor, version: ProtocolVersion): void {
  cursor.packetIdentifier('suback')
  if (version === 5) cursor.properties('suback')
  requirePayload(cursor, 'suback')
  while (cursor.left > 0) {
    if (version === 5) cursor.reasonCode('suback')
    else cursor.oneOf(grantedCodes, 'suback') // [MQTT3-3.9.3-2]
  }
}

/** MQTT 5.0 §3.11; before MQTT 5 it has no payload. */
function checkUnsuback(cursor: ControlCursor, version: ProtocolVersion): void {
  cursor.packetIdentifier('unsuback')
  if (version !== 5) return cursor.finish()
  cursor.properties('unsuback')
  requirePayload(cursor, 'unsuback')
  while (cursor.left > 0) cursor.reasonCode('unsuback')
}

/** MQTT 5.0 §3.14; reason code and property list may be left out from the end. */
function checkDisconnect(cursor: ControlCursor, version: ProtocolVersion): void {
  if (version === 5 && cursor.left > 0) {
    cursor.reasonCode('disconnect')
    if (cursor.left > 0) cursor.properties('disconnect')
  }
  cursor.finish()
}

/** MQTT 5.0 §3.15; a body of 0 bytes means success. */
function checkAuth(cursor: ControlCursor, version: ProtocolVersion): void {
  if (version !== 5) {
    throw new PacketError('UNKNOWN_PACKET_TYPE', {
      message: 'Not supported auth packet for this version MQTT',
      offset: 0,
    })
  }
  if (cursor.left === 0) return
  cursor.reasonCode('auth')
  cursor.authProperties()
  cursor.finish()
}

/** MQTT 5.0 §3.4 to §3.7. */
function checkAck(
  cursor: ControlCursor,
  command: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
  version: ProtocolVersion,
): void {
  const { frame, position } = cursor
  new AckFrame().read(frame, frame[0] as number, position, frame.length, version)
  if (version !== 5 || cursor.left < 4) return
  cursor.packetIdentifier(command)
  cursor.reasonCode(command)
  cursor.properties(command)
}

function requirePayload(cursor: ControlCursor, command: string): void {
  if (cursor.left > 0) return
  const message = `Malformed ${command}, no payload specified`
  throw new PacketError('EMPTY_PAYLOAD', { message, offset: cursor.position })
}

function reservedBits(message: string, offset: number): PacketError {
  return new PacketError('RESERVED_BITS', { message, offset })
}
