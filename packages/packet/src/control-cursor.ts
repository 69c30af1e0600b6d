import { PacketError, packetIdZero, reasonCodeInvalid, tooShort, trailingBytes } from './packet-error.ts'
import type { ProtocolVersion } from './packet.ts'
import type { PropertyPacket } from './packet-properties.ts'
import { headerError } from './packet-types.ts'
import { checkProperties, checkUserProperties, propertyRules } from './property-check.ts'
import { propertyBit } from './property-table.ts'
import { type ReasonCodePacket, reasonCodeTable } from './reason-codes.ts'
import { checkUtf8 } from './utf8.ts'
import { readVariableInteger, variableIntegerSize } from './variable-integer.ts'

const AUTHENTICATION_METHOD = propertyBit[0x15] as number
const AUTHENTICATION_DATA = propertyBit[0x16] as number

/** A property list without its length, as offsets into the frame. */
export interface PropertyRange {
  readonly packet: PropertyPacket
  readonly start: number
  readonly end: number
}

/** What a packet may hold. */
export interface PropertySettings {
  /** User properties of the packet (of a CONNECT: beside those of its will); one more is refused with `TOO_MANY_USER_PROPERTIES`
   * before any is read. Unlimited unless given. */
  readonly maximumUserProperties?: number
}

/** Walks over one whole frame, field by field, checking each. Every method throws a PacketError when its field is wrong or
 * reaches behind the frame. Not for the hot path. */
export class ControlCursor {
  readonly frame: Buffer
  /** Offset of the next field. */
  position: number
  /** The property lists that were walked over, in their order. */
  readonly ranges: PropertyRange[] = []
  readonly #maximumUserProperties: number

  /** @throws PacketError also when the length field does not fit the frame. */
  constructor(frame: Buffer, version: ProtocolVersion, settings: PropertySettings = {}) {
    this.#maximumUserProperties = settings.maximumUserProperties ?? Infinity
    if (frame.length < 2) throw tooShort('fixed header', 0)
    const refused = headerError(frame[0] as number, version)
    if (refused !== undefined) throw refused
    const remaining = readVariableInteger(frame, 1, frame.length, 0)
    this.frame = frame
    this.position = 1 + variableIntegerSize(remaining)
    if (this.position + remaining > frame.length) throw tooShort('body', this.position)
    if (this.position + remaining < frame.length) {
      throw trailingBytes(frame.length - this.position - remaining, this.position + remaining)
    }
  }

  /** Bytes that are left. */
  get left(): number {
    return this.frame.length - this.position
  }

  byte(field: string): number {
    return this.frame[this.#take(1, field)] as number
  }

  twoBytes(field: string): number {
    return this.frame.readUInt16BE(this.#take(2, field))
  }

  packetIdentifier(command: string): void {
    if (this.twoBytes('packet identifier') === 0) throw packetIdZero(command, this.position - 2)
  }

  string(field: string): string {
    const length = this.twoBytes(field)
    const start = this.#take(length, field)
    checkUtf8(this.frame, start, start + length, 0)
    return this.frame.toString('utf8', start, start + length)
  }

  binary(field: string): void {
    this.#take(this.twoBytes(field), field)
  }

  /** A property list with its length; returns the set of properties in it. */
  properties(packet: PropertyPacket): number {
    const length = readVariableInteger(this.frame, this.position, this.frame.length, 0)
    this.position += variableIntegerSize(length)
    const start = this.#take(length, 'property list')
    this.ranges.push({ packet, start, end: this.position })
    checkUserProperties(this.frame, start, this.position, this.#maximumUserProperties, 0)
    const seen = checkProperties(this.frame, start, this.position, propertyRules[packet], 0)
    if ((seen & AUTHENTICATION_DATA) !== 0 && (seen & AUTHENTICATION_METHOD) === 0) throw methodMissing(start)
    return seen
  }

  /** The property list of an AUTH, which must name the method (MQTT 5.0 §3.15.2.2.2). */
  authProperties(): void {
    const start = this.position
    if ((this.properties('auth') & AUTHENTICATION_METHOD) === 0) throw methodMissing(start)
  }

  reasonCode(packet: ReasonCodePacket): number {
    return this.oneOf(reasonCodeTable[packet], packet)
  }

  /** A byte that must be one of `codes`. */
  oneOf(codes: readonly number[], command: string): number {
    const code = this.byte('reason code')
    if (!codes.includes(code)) throw reasonCodeInvalid(command, code, this.position - 1)
    return code
  }

  /** The end of the packet. */
  finish(): void {
    if (this.left > 0) throw trailingBytes(this.left, this.position)
  }

  #take(count: number, field: string): number {
    const start = this.position
    if (start + count > this.frame.length) throw tooShort(field, start)
    this.position = start + count
    return start
  }
}

/** MQTT 5.0 §3.1.2.11.10: authentication data without a method is a Protocol Error. */
function methodMissing(offset: number): PacketError {
  return new PacketError('PROPERTY_MISSING', { message: 'Property authenticationMethod is missing', offset })
}
