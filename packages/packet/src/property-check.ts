import type { PropertyPacket } from './packet-properties.ts'
import { PacketError, tooShort } from './packet-error.ts'
import {
  allowedProperties,
  propertyBit,
  propertyMinimum,
  propertyOf,
  propertyWireCode,
  repeatableProperties,
  wireCode,
} from './property-table.ts'
import { checkUtf8 } from './utf8.ts'
import { readVariableInteger, variableIntegerSize } from './variable-integer.ts'

/** Which properties a list may hold, as sets of property bits. */
export interface PropertyRules {
  readonly packet: PropertyPacket
  readonly allowed: number
  readonly repeatable: number
}

function rulesFor(packet: PropertyPacket): PropertyRules {
  return { packet, allowed: allowedProperties(packet), repeatable: repeatableProperties(packet) }
}

/** The rules of each packet's property list. */
export const propertyRules: Readonly<Record<PropertyPacket, PropertyRules>> = {
  connect: rulesFor('connect'),
  will: rulesFor('will'),
  connack: rulesFor('connack'),
  publish: rulesFor('publish'),
  puback: rulesFor('puback'),
  pubrec: rulesFor('pubrec'),
  pubrel: rulesFor('pubrel'),
  pubcomp: rulesFor('pubcomp'),
  subscribe: rulesFor('subscribe'),
  suback: rulesFor('suback'),
  unsubscribe: rulesFor('unsubscribe'),
  unsuback: rulesFor('unsuback'),
  disconnect: rulesFor('disconnect'),
  auth: rulesFor('auth'),
}

/** Checks a property list (without its length) and returns the set of properties in it.
 * @throws PacketError with an offset counted from `frameStart`: `PROPERTY_UNKNOWN`, `PROPERTY_NOT_ALLOWED`,
 * `PROPERTY_REPEATED`, and what {@link checkPropertyValue} throws. */
export function checkProperties(
  source: Uint8Array,
  start: number,
  end: number,
  rules: PropertyRules,
  frameStart: number,
): number {
  let seen = 0
  let position = start
  while (position < end) {
    const id = source[position] as number
    const bit = propertyBit[id] as number
    if ((bit & rules.allowed & ~(seen & ~rules.repeatable)) === 0) {
      throw propertyRefused(id, rules, position - frameStart)
    }
    seen |= bit
    position = checkPropertyValue(source, id, position + 1, end, frameStart)
  }
  return seen
}

/** Bytes of the shortest user property. */
const SHORTEST_PAIR = 5
const USER_PROPERTY = 0x26

/** Refuses a property list, not checked yet, with more user properties than `maximum`. What few bytes can't hold is not counted.
 * @throws PacketError `TOO_MANY_USER_PROPERTIES`, and what {@link checkPropertyValue} throws */
export function checkUserProperties(
  source: Uint8Array,
  start: number,
  end: number,
  maximum: number,
  frameStart: number,
): void {
  if (end - start <= maximum * SHORTEST_PAIR) return
  let count = 0
  let position = start
  while (position < end) {
    const id = source[position] as number
    if (id === USER_PROPERTY) count += 1
    if (count > maximum) {
      const message = `More user properties than the limit of ${maximum}`
      throw new PacketError('TOO_MANY_USER_PROPERTIES', { message, offset: position - frameStart })
    }
    position = skipPropertyValue(source, id, position + 1)
  }
}

/** The error for an identifier that may not stand where it does: unknown, not for this packet, or there already. */
export function propertyRefused(id: number, rules: PropertyRules, offset: number): PacketError {
  const property = propertyOf(id)
  if (property === undefined) {
    return new PacketError('PROPERTY_UNKNOWN', { message: `Unknown property 0x${id.toString(16)}`, offset })
  }
  // MQTT 5.0 §2.2.2.2: an identifier that is not valid for its packet type makes the packet malformed.
  if ((property.bit & rules.allowed) === 0) {
    return new PacketError('PROPERTY_NOT_ALLOWED', {
      message: `Property ${property.name} is not allowed in ${rules.packet}`,
      offset,
    })
  }
  return new PacketError('PROPERTY_REPEATED', { message: `Property ${property.name} stands there twice`, offset })
}

const { boolean: flag, u16, u32, variable, string, topic, binary, pair } = wireCode

/** Checks the value of the known property `id` that starts at `position` and returns the offset behind it.
 * @throws PacketError `PACKET_TOO_SHORT`, `PROPERTY_VALUE`, `TOPIC_ALIAS_INVALID`, `UTF8_INVALID`, `NUL_CHARACTER` or
 * `VARIABLE_INTEGER`. */
export function checkPropertyValue(
  source: Uint8Array,
  id: number,
  position: number,
  end: number,
  frameStart: number,
): number {
  switch (propertyWireCode[id]) {
    case flag:
      if (position >= end) throw propertyTooShort(id, position - frameStart)
      if ((source[position] as number) > 1) throw propertyValue(id, source[position] as number, position - frameStart)
      return position + 1
    case u16:
      return checkNumber(source, id, position, position + 2, end, frameStart)
    case u32:
      return checkNumber(source, id, position, position + 4, end, frameStart)
    case variable: {
      const value = readVariableInteger(source, position, end, frameStart)
      if (value < (propertyMinimum[id] as number)) throw propertyValue(id, value, position - frameStart)
      return position + variableIntegerSize(value)
    }
    case string:
      return checkString(source, id, position, end, frameStart)
    case topic:
      return checkTopic(source, id, position, end, frameStart)
    case binary:
      return prefixedEnd(source, id, position, end, frameStart)
    default:
      return checkString(source, id, checkString(source, id, position, end, frameStart), end, frameStart)
  }
}

/** Offset behind the value of a property that was checked before. */
export function skipPropertyValue(source: Uint8Array, id: number, position: number): number {
  switch (propertyWireCode[id]) {
    case flag:
      return position + 1
    case u16:
      return position + 2
    case u32:
      return position + 4
    case variable:
      return position + variableIntegerSize(readVariableInteger(source, position, source.length, 0))
    case pair:
      return skipPrefixed(source, skipPrefixed(source, position))
    default:
      return skipPrefixed(source, position)
  }
}

function skipPrefixed(source: Uint8Array, position: number): number {
  return position + 2 + (((source[position] as number) << 8) | (source[position + 1] as number))
}

function checkNumber(
  source: Uint8Array,
  id: number,
  start: number,
  valueEnd: number,
  end: number,
  frameStart: number,
): number {
  if (valueEnd > end) throw propertyTooShort(id, start - frameStart)
  // The only minimum that a number has in the protocol is 1, so looking for a bit that is set is enough.
  if (propertyMinimum[id] === 0) return valueEnd
  for (let position = start; position < valueEnd; position++) if (source[position] !== 0) return valueEnd
  throw propertyValue(id, 0, start - frameStart)
}

function prefixedEnd(source: Uint8Array, id: number, start: number, end: number, frameStart: number): number {
  if (start + 2 > end) throw propertyTooShort(id, start - frameStart)
  const valueEnd = skipPrefixed(source, start)
  if (valueEnd > end) throw propertyTooShort(id, start - frameStart)
  return valueEnd
}

function checkString(source: Uint8Array, id: number, start: number, end: number, frameStart: number): number {
  const valueEnd = prefixedEnd(source, id, start, end, frameStart)
  checkUtf8(source, start + 2, valueEnd, frameStart)
  return valueEnd
}

/** A topic name: at least one character [MQTT5-4.7.3-1] and no wildcard [MQTT5-3.3.2-14]. */
function checkTopic(source: Uint8Array, id: number, start: number, end: number, frameStart: number): number {
  const valueEnd = checkString(source, id, start, end, frameStart)
  if (valueEnd === start + 2) throw propertyValue(id, '', start - frameStart)
  for (let position = start + 2; position < valueEnd; position++) {
    const byte = source[position]
    if (byte === 0x23 || byte === 0x2b) throw propertyValue(id, String.fromCharCode(byte), position - frameStart)
  }
  return valueEnd
}

function propertyTooShort(id: number, offset: number): PacketError {
  return tooShort(`property ${propertyOf(id)?.name ?? id}`, offset)
}

const TOPIC_ALIAS = 0x23

function propertyValue(id: number, value: number | string, offset: number): PacketError {
  const message = `Property ${propertyOf(id)?.name ?? id} must not be or contain '${value}'`
  return new PacketError(id === TOPIC_ALIAS ? 'TOPIC_ALIAS_INVALID' : 'PROPERTY_VALUE', { message, offset })
}
