import type { ControlCursor } from './control-cursor.ts'
import type { ProtocolVersion } from './packet.ts'
import { PacketError } from './packet-error.ts'
import { headerError } from './packet-types.ts'

const USER_NAME = 0x80
const PASSWORD = 0x40
const WILL_RETAIN = 0x20
const WILL_QOS = 0x18
const WILL = 0x04
const RESERVED = 0x01

/** What a CONNECT says of itself. */
export interface ConnectHead {
  readonly version: ProtocolVersion
  /** Offset of the connect flags in the frame. */
  readonly flagsOffset: number
  /** The connect flags, without those that MQTT 3.1 says mean nothing here. */
  readonly flags: number
}

/** Walks over the body of a CONNECT, whose first byte it checks as well.
 *
 * Deviation: either protocol name is taken with level 3 or 4, as mqtt-packet does, because clients exist that mix them.
 * @throws PacketError `PROTOCOL_NAME`, `PROTOCOL_VERSION`, `RESERVED_BITS`, `CONNECT_FLAGS`, `QOS_INVALID`, and what the cursor
 * throws.
 * @see MQTT 5.0 §3.1 */
export function checkConnect(cursor: ControlCursor): ConnectHead {
  const version = checkProtocolVersion(cursor, checkProtocolName(cursor))
  const refused = headerError(cursor.frame[0] as number, version)
  if (refused !== undefined) throw refused
  const flagsOffset = cursor.position
  const flags = checkFlags(cursor, version)
  cursor.twoBytes('keep alive')
  if (version === 5) cursor.properties('connect')
  cursor.string('client identifier')
  if ((flags & WILL) !== 0) {
    if (version === 5) cursor.properties('will')
    cursor.string('will topic')
    cursor.binary('will payload')
  }
  const named = withoutMissing(cursor, flags, version, USER_NAME)
  if ((named & USER_NAME) !== 0) cursor.string('user name')
  const complete = withoutMissing(cursor, named, version, PASSWORD)
  if ((complete & PASSWORD) !== 0) cursor.binary('password')
  cursor.finish()
  return { version, flagsOffset, flags: complete }
}

/** MQTT 3.1 lets the flags be set where the packet ends before user name or password, for the sake of still older clients. */
function withoutMissing(cursor: ControlCursor, flags: number, version: ProtocolVersion, flag: number): number {
  return version === 3 && cursor.left === 0 ? flags & ~flag : flags
}

/** [MQTT5-3.1.2-1] */
function checkProtocolName(cursor: ControlCursor): string {
  const offset = cursor.position
  const name = cursor.string('protocol name')
  if (name !== 'MQTT' && name !== 'MQIsdp')
    throw new PacketError('PROTOCOL_NAME', { message: 'Invalid protocolId', offset })
  return name
}

/** [MQTT5-3.1.2-2]; bridges set the high bit of 3 and 4. MQTT 5.0 has only the name 'MQTT' ([MQTT5-3.1.2-1]). */
function checkProtocolVersion(cursor: ControlCursor, name: string): ProtocolVersion {
  const level = cursor.byte('protocol version')
  if (level === 3 || level === 0x83) return 3
  if (level === 4 || level === 0x84) return 4
  if (level === 5 && name === 'MQTT') return 5
  const message = level === 5 ? 'unacceptable protocol version' : 'Invalid protocol version'
  throw new PacketError('PROTOCOL_VERSION', { message, offset: cursor.position - 1 })
}

function checkFlags(cursor: ControlCursor, version: ProtocolVersion): number {
  const offset = cursor.position
  const flags = meaningful(cursor.byte('connect flags'), version)
  const message = flagsProblem(flags, version)
  if (message !== undefined) throw new PacketError('CONNECT_FLAGS', { message, offset })
  if ((flags & WILL_QOS) === WILL_QOS) {
    throw new PacketError('QOS_INVALID', { message: 'Will QoS must not be 3', offset }) // [MQTT5-3.1.2-12]
  }
  return flags
}

/** MQTT 3.1 disregards the reserved bit, and what is said of a will that there is not. */
function meaningful(flags: number, version: ProtocolVersion): number {
  if (version !== 3) return flags
  return (flags & WILL) === 0 ? flags & ~(RESERVED | WILL_RETAIN | WILL_QOS) : flags & ~RESERVED
}

function flagsProblem(flags: number, version: ProtocolVersion): string | undefined {
  if ((flags & RESERVED) !== 0) return 'Connect flag bit 0 must be 0, but got 1' // [MQTT5-3.1.2-3]
  if ((flags & WILL) === 0) {
    // [MQTT5-3.1.2-11], [MQTT5-3.1.2-13]
    if ((flags & WILL_RETAIN) !== 0) return 'Will Retain Flag must be set to zero when Will Flag is set to 0'
    if ((flags & WILL_QOS) !== 0) return 'Will QoS must be set to zero when Will Flag is set to 0'
  }
  // [MQTT3-3.1.2-22], and MQTT 3.1 §3.1; MQTT 5 allows a password alone.
  if (version !== 5 && (flags & PASSWORD) !== 0 && (flags & USER_NAME) === 0) {
    return 'Password Flag must be set to zero when User Name Flag is set to 0'
  }
  return undefined
}
