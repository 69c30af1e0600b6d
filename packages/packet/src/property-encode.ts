import { PacketError } from './packet-error.ts'
import type { PropertyPacket, PublishProperties, UserProperties } from './packet-properties.ts'
import { checkProperties, propertyRefused, propertyRules } from './property-check.ts'
import { HOP_PROPERTIES } from './property-copy.ts'
import { type Property, properties as allProperties } from './property-table.ts'
import { WireWriter } from './wire-writer.ts'
import { assertWellFormed } from './well-formed.ts'
import { MAXIMUM_VARIABLE_INTEGER } from './variable-integer.ts'

const byName: ReadonlyMap<string, Property> = new Map(allProperties.map(property => [property.name, property]))

/** Bytes of a string or of binary data. MQTT 5.0 §1.5.4, §1.5.6 */
const LONGEST = 0xffff

/** Encoding is synchronous, so one serves all. */
const writer = new WireWriter()

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
  writer.clear()
  for (const name of Object.keys(properties)) {
    const value = (properties as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || value === null) continue
    const property = byName.get(name)
    if (property === undefined)
      throw new PacketError('PROPERTY_UNKNOWN', { message: `Unknown property ${name}`, offset: 0 })
    if ((property.bit & rules.allowed) === 0) throw propertyRefused(property.id, rules, 0)
    const isList = Array.isArray(value)
    if (isList && (property.bit & rules.repeatable) === 0) throw propertyRefused(property.id, rules, 0)
    if ((property.bit & omitted) !== 0) continue
    if (isList) for (const item of value) encodeProperty(property, item)
    else encodeProperty(property, value)
  }
  const encoded = writer.take()
  if (encoded === undefined) return undefined
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

function encodeProperty(property: Property, value: unknown): void {
  switch (property.wire) {
    case 'boolean':
      if (typeof value !== 'boolean') throw valueRefused(property, value)
      writer.byte(property.id)
      writer.byte(value ? 1 : 0)
      return
    case 'bit':
      encodeNumber(property, value, 1, 1)
      return
    case 'u16':
      encodeNumber(property, value, 0xffff, 2)
      return
    case 'u32':
      encodeNumber(property, value, 0xffff_ffff, 4)
      return
    case 'variable':
      if (!isWithin(value, property.minimum ?? 0, MAXIMUM_VARIABLE_INTEGER)) throw valueRefused(property, value)
      writer.byte(property.id)
      writer.variableInteger(value)
      return
    case 'binary':
      if (!(value instanceof Uint8Array)) throw valueRefused(property, value)
      if (value.length > LONGEST) throw tooLong(property, value.length)
      writer.byte(property.id)
      writer.binary(value)
      return
    case 'pair':
      encodePairs(property, value)
      return
    default:
      writer.byte(property.id)
      encodeString(property, value)
  }
}

function encodeNumber(property: Property, value: unknown, maximum: number, size: number): void {
  if (!isWithin(value, property.minimum ?? 0, maximum)) throw valueRefused(property, value)
  writer.byte(property.id)
  writer.number(value, size)
}

function encodePairs(property: Property, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw valueRefused(property, value)
  const pairs = value as UserProperties
  for (const name of Object.keys(pairs)) {
    const values = pairs[name]
    if (Array.isArray(values)) for (const item of values) encodePair(property, name, item)
    else encodePair(property, name, values)
  }
}

function encodePair(property: Property, name: string, value: unknown): void {
  writer.byte(property.id)
  encodeString(property, name)
  encodeString(property, value)
}

function encodeString(property: Property, value: unknown): void {
  if (typeof value !== 'string') throw valueRefused(property, value)
  const bytes = writer.string(value)
  // A string of as many bytes as characters is ASCII, and has no surrogates.
  if (bytes !== value.length) assertWellFormed(value)
  if (bytes > LONGEST) throw tooLong(property, bytes)
}

function tooLong(property: Property, length: number): PacketError {
  return valueRefused(property, `${length} bytes, more than ${LONGEST}`)
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
