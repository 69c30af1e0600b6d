import { checkProperties, propertyRules, skipPropertyValue } from './property-check.ts'
import type { PropertiesOf, PropertyPacket, UserProperties } from './packet-properties.ts'
import { type Property, propertyOf } from './property-table.ts'
import { readVariableInteger } from './variable-integer.ts'

type PropertyValue = boolean | number | number[] | string | Buffer | UserProperties

type Decoded = Partial<Record<string, PropertyValue>>

/** Decodes a property list (without its length) after checking it. Binary values are views of `source`.
 * @throws PacketError as for the packet that holds the list; its offset counts from the start of `source`.
 * @see MQTT 5.0 §2.2.2 */
export function decodeProperties<Kind extends PropertyPacket>(
  source: Buffer,
  start: number,
  end: number,
  packet: Kind,
): PropertiesOf[Kind] {
  checkProperties(source, start, end, propertyRules[packet], 0)
  return readProperties(source, start, end)
}

/** As {@link decodeProperties}, of a list that was checked before. */
export function readProperties(source: Buffer, start: number, end: number): Decoded {
  const decoded: Decoded = {}
  let position = start
  while (position < end) {
    const property = propertyOf(source[position] as number) as Property
    addProperty(decoded, property, source, position + 1)
    position = skipPropertyValue(source, property.id, position + 1)
  }
  return decoded
}

function addProperty(decoded: Decoded, property: Property, source: Buffer, position: number): void {
  if (property.wire === 'pair') {
    const pairs = (decoded[property.name] ??= Object.create(null) as UserProperties) as UserProperties
    addPair(pairs, source, position)
    return
  }
  const value = decodeValue(property, source, position)
  const earlier = decoded[property.name]
  if (earlier === undefined) decoded[property.name] = value
  else decoded[property.name] = [earlier, value].flat() as number[] // only the subscription identifier repeats
}

function addPair(pairs: UserProperties, source: Buffer, position: number): void {
  const name = decodeString(source, position)
  const value = decodeString(source, position + 2 + source.readUInt16BE(position))
  const earlier = pairs[name]
  if (earlier === undefined) pairs[name] = value
  else if (typeof earlier === 'string') pairs[name] = [earlier, value]
  else earlier.push(value)
}

function decodeValue(property: Property, source: Buffer, position: number): boolean | number | string | Buffer {
  switch (property.wire) {
    case 'boolean':
      return source[position] === 1
    case 'bit':
      return source.readUInt8(position)
    case 'u16':
      return source.readUInt16BE(position)
    case 'u32':
      return source.readUInt32BE(position)
    case 'variable':
      return readVariableInteger(source, position, source.length, 0)
    case 'binary':
      return source.subarray(position + 2, position + 2 + source.readUInt16BE(position))
    default:
      return decodeString(source, position)
  }
}

function decodeString(source: Buffer, position: number): string {
  return source.toString('utf8', position + 2, position + 2 + source.readUInt16BE(position))
}
