import { PacketError } from './packet-error.ts'
import type { PropertyPacket, PublishProperties, UserProperties } from './packet-properties.ts'
import { checkProperties, propertyRefused, propertyRules } from './property-check.ts'
import { HOP_PROPERTIES } from './property-copy.ts'
import { type Property, properties as allProperties } from './property-table.ts'
import { assertWellFormed } from './well-formed.ts'
import { MAXIMUM_VARIABLE_INTEGER, variableIntegerSize, writeVariableInteger } from './variable-integer.ts'

const byName: ReadonlyMap<string, Property> = new Map(allProperties.map(property => [property.name, property]))

/** The property list of a PUBLISH in wire form without its length, as `OutgoingPublish.properties` takes it: topic alias,
 * message expiry interval and subscription identifiers are left out. Undefined when nothing is left.
 * @throws PacketError `PROPERTY_UNKNOWN`, `PROPERTY_NOT_ALLOWED`, `PROPERTY_REPEATED`, `PROPERTY_VALUE`, `UTF8_INVALID` or
 * `NUL_CHARACTER`: the caller's fault; the offset is 0.
 * @see MQTT 5.0 §3.3.2.3 */
export function encodePublishProperties(properties: PublishProperties): Uint8Array | undefined {
  return encodeProperties(properties, 'publish', HOP_PROPERTIES)
}

/** The property list of any packet in wire form without its length and without the properties in `omitted`, a set of property
 * bits; undefined when nothing is left. Throws as {@link encodePublishProperties}. */
export function encodeProperties(properties: object, packet: PropertyPacket, omitted: number): Buffer | undefined {
  const rules = propertyRules[packet]
  const parts: Buffer[] = []
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue
    const property = byName.get(name)
    if (property === undefined)
      throw new PacketError('PROPERTY_UNKNOWN', { message: `Unknown property ${name}`, offset: 0 })
    if ((property.bit & rules.allowed) === 0) throw propertyRefused(property.id, rules, 0)
    const isList = Array.isArray(value)
    if (isList && (property.bit & rules.repeatable) === 0) throw propertyRefused(property.id, rules, 0)
    if ((property.bit & omitted) !== 0) continue
    for (const item of isList ? value : [value]) parts.push(...encodeProperty(property, item))
  }
  if (parts.length === 0) return undefined
  const encoded = Buffer.concat(parts)
  checkEncoded(encoded, packet)
  return encoded
}

/** What the values' types do not tell: minima, U+0000, wildcards in a response topic. */
function checkEncoded(encoded: Buffer, packet: PropertyPacket): void {
  try {
    checkProperties(encoded, 0, encoded.length, propertyRules[packet], 0)
  } catch (error) {
    if (!(error instanceof PacketError)) throw error
    throw new PacketError(error.code, { message: error.message, offset: 0, reasonCode: error.reasonCode, cause: error })
  }
}

function encodeProperty(property: Property, value: unknown): Buffer[] {
  const id = Buffer.of(property.id)
  switch (property.wire) {
    case 'boolean':
      if (typeof value !== 'boolean') throw valueRefused(property, value)
      return [id, Buffer.of(value ? 1 : 0)]
    case 'bit':
      return [id, encodeNumber(property, value, 1, 1)]
    case 'u16':
      return [id, encodeNumber(property, value, 0xffff, 2)]
    case 'u32':
      return [id, encodeNumber(property, value, 0xffff_ffff, 4)]
    case 'variable':
      return [id, encodeVariable(property, value)]
    case 'binary':
      if (!(value instanceof Uint8Array)) throw valueRefused(property, value)
      return [id, ...prefixed(property, Buffer.from(value))]
    case 'pair':
      return encodePairs(property, value)
    default:
      return [id, ...encodeString(property, value)]
  }
}

function encodeNumber(property: Property, value: unknown, maximum: number, size: number): Buffer {
  if (!isWithin(value, property.minimum ?? 0, maximum)) throw valueRefused(property, value)
  const encoded = Buffer.alloc(size)
  encoded.writeUIntBE(value, 0, size)
  return encoded
}

function encodeVariable(property: Property, value: unknown): Buffer {
  if (!isWithin(value, property.minimum ?? 0, MAXIMUM_VARIABLE_INTEGER)) throw valueRefused(property, value)
  const encoded = Buffer.alloc(variableIntegerSize(value))
  writeVariableInteger(encoded, 0, value)
  return encoded
}

function encodePairs(property: Property, value: unknown): Buffer[] {
  if (typeof value !== 'object' || value === null) throw valueRefused(property, value)
  const parts: Buffer[] = []
  for (const [name, values] of Object.entries(value as UserProperties)) {
    for (const item of Array.isArray(values) ? values : [values]) {
      parts.push(Buffer.of(property.id), ...encodeString(property, name), ...encodeString(property, item))
    }
  }
  return parts
}

function encodeString(property: Property, value: unknown): Buffer[] {
  if (typeof value !== 'string') throw valueRefused(property, value)
  assertWellFormed(value)
  return prefixed(property, Buffer.from(value, 'utf8'))
}

function prefixed(property: Property, bytes: Buffer): Buffer[] {
  if (bytes.length > 0xffff) throw valueRefused(property, `${bytes.length} bytes, more than 65535`)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return [length, bytes]
}

function isWithin(value: unknown, minimum: number, maximum: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum
}

const TOPIC_ALIAS = 'topicAlias'

function valueRefused(property: Property, value: unknown): PacketError {
  const code = property.name === TOPIC_ALIAS ? 'TOPIC_ALIAS_INVALID' : 'PROPERTY_VALUE'
  return new PacketError(code, { message: `Property ${property.name} cannot be ${describe(value)}`, offset: 0 })
}

function describe(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : `of type ${typeof value}`
}
