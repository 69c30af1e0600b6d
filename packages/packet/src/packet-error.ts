/** Every code of a {@link PacketError} with the MQTT 5 reason code that it carries unless the place of the error says
 * otherwise (MQTT 5.0 §2.4). */
export const packetErrorTable = {
  MALFORMED_LENGTH: 0x81,
  PACKET_TOO_LARGE: 0x95,
  UNKNOWN_PACKET_TYPE: 0x81,
  RESERVED_BITS: 0x81,
  QOS_INVALID: 0x81,
  DUP_INVALID: 0x82,
  UTF8_INVALID: 0x81,
  NUL_CHARACTER: 0x81,
  PACKET_TOO_SHORT: 0x81,
  TRAILING_BYTES: 0x81,
  PACKET_ID_ZERO: 0x82,
  TOPIC_EMPTY: 0x82,
  TOPIC_ALIAS_INVALID: 0x94,
  VARIABLE_INTEGER: 0x81,
  PROPERTY_UNKNOWN: 0x81,
  PROPERTY_NOT_ALLOWED: 0x81,
  PROPERTY_REPEATED: 0x82,
  PROPERTY_VALUE: 0x82,
  PROPERTY_MISSING: 0x82,
  REASON_CODE_INVALID: 0x81,
  PROTOCOL_NAME: 0x84,
  PROTOCOL_VERSION: 0x84,
  CONNECT_FLAGS: 0x81,
  SESSION_PRESENT: 0x82,
  RETAIN_HANDLING: 0x82,
  TOO_MANY_FILTERS: 0x97,
  TOO_MANY_USER_PROPERTIES: 0x97,
  EMPTY_PAYLOAD: 0x82,
  READER_NOT_DRAINED: 0x83,
  UNDECODABLE: 0x83,
  UNENCODABLE: 0x83,
} as const

/** The stable name of what is wrong with a packet. */
export type PacketErrorCode = keyof typeof packetErrorTable

/** What a {@link PacketError} says besides its code. */
export interface PacketErrorDetail {
  readonly message: string
  /** Bytes from the first byte of the packet's fixed header. */
  readonly offset: number
  /** MQTT 5 reason code for the peer; the code's own one from {@link packetErrorTable} when left out. */
  readonly reasonCode?: number
  readonly cause?: unknown
}

/** Bytes that are no MQTT packet, or a packet that has no bytes. */
export class PacketError extends Error {
  override readonly name: string = 'PacketError'
  readonly code: PacketErrorCode
  /** What to put into a CONNACK or DISCONNECT for an MQTT 5 peer. */
  readonly reasonCode: number
  /** Bytes from the first byte of the packet's fixed header to the byte that is wrong; 0 when encoding. */
  readonly offset: number

  /** The reason code is the code's own one from {@link packetErrorTable} unless the detail holds another. */
  constructor(code: PacketErrorCode, detail: PacketErrorDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.reasonCode = detail.reasonCode ?? packetErrorTable[code]
    this.offset = detail.offset
  }
}

/** The error for `count` bytes from `offset` (within the frame) on that belong to nothing. */
export function trailingBytes(count: number, offset: number): PacketError {
  return new PacketError('TRAILING_BYTES', { message: `${count} bytes behind the end of the packet's content`, offset })
}

/** The error for packet identifier 0 [MQTT5-2.2.1-3]. */
export function packetIdZero(command: string, offset: number): PacketError {
  return new PacketError('PACKET_ID_ZERO', { message: `Packet identifier of ${command} must not be 0`, offset })
}

/** The error for a reason code that is not in the packet's table. */
export function reasonCodeInvalid(command: string, reasonCode: number, offset: number): PacketError {
  const message = `Invalid ${command} reason code 0x${reasonCode.toString(16)}`
  return new PacketError('REASON_CODE_INVALID', { message, offset })
}

/** The error for a field that would end behind the packet; `offset` is where the field starts. */
export function tooShort(field: string, offset: number): PacketError {
  return new PacketError('PACKET_TOO_SHORT', { message: `Packet too short: it ends inside the ${field}`, offset })
}
