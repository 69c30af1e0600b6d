import type { PropertyPacket } from './packet-properties.ts'

/** How a property's value stands in the packet: `boolean` is a byte 0 or 1, `bit` the same but a number in the object,
 * `topic` a string that is a topic name. */
export type PropertyWire = 'boolean' | 'bit' | 'u16' | 'u32' | 'variable' | 'string' | 'topic' | 'binary' | 'pair'

/** Small integers for {@link PropertyWire}, which the hot path can switch on. */
export const wireCode: Readonly<Record<PropertyWire, number>> = {
  boolean: 1,
  bit: 1,
  u16: 2,
  u32: 3,
  variable: 4,
  string: 5,
  topic: 6,
  binary: 7,
  pair: 8,
}

/** One property: a fact of the specification, written once. */
export interface PropertyRow {
  readonly name: string
  readonly wire: PropertyWire
  /** Smallest value of a number; 0 when left out. */
  readonly minimum?: number
  readonly in: readonly PropertyPacket[]
  /** Packets in which it may stand more than once; none when left out. */
  readonly repeatableIn?: readonly PropertyPacket[]
}

const everywhere: readonly PropertyPacket[] = [
  'connect',
  'will',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'disconnect',
  'auth',
]

const reasonStringIn: readonly PropertyPacket[] = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
]

/** The properties of MQTT 5 by identifier (MQTT 5.0 §2.2.2.2). */
export const propertyTable: Readonly<Record<number, PropertyRow>> = {
  0x01: { name: 'payloadFormatIndicator', wire: 'boolean', in: ['publish', 'will'] }, // §3.3.2.3.2
  0x02: { name: 'messageExpiryInterval', wire: 'u32', in: ['publish', 'will'] }, // §3.3.2.3.3
  0x03: { name: 'contentType', wire: 'string', in: ['publish', 'will'] }, // §3.3.2.3.9
  0x08: { name: 'responseTopic', wire: 'topic', in: ['publish', 'will'] }, // §3.3.2.3.5
  0x09: { name: 'correlationData', wire: 'binary', in: ['publish', 'will'] }, // §3.3.2.3.6
  0x0b: {
    name: 'subscriptionIdentifier', // §3.3.2.3.8, §3.8.2.1.2
    wire: 'variable',
    minimum: 1,
    in: ['publish', 'subscribe'],
    repeatableIn: ['publish'],
  },
  0x11: { name: 'sessionExpiryInterval', wire: 'u32', in: ['connect', 'connack', 'disconnect'] }, // §3.1.2.11.2
  0x12: { name: 'assignedClientIdentifier', wire: 'string', in: ['connack'] }, // §3.2.2.3.7
  0x13: { name: 'serverKeepAlive', wire: 'u16', in: ['connack'] }, // §3.2.2.3.14
  0x15: { name: 'authenticationMethod', wire: 'string', in: ['connect', 'connack', 'auth'] }, // §3.1.2.11.9
  0x16: { name: 'authenticationData', wire: 'binary', in: ['connect', 'connack', 'auth'] }, // §3.1.2.11.10
  0x17: { name: 'requestProblemInformation', wire: 'boolean', in: ['connect'] }, // §3.1.2.11.7
  0x18: { name: 'willDelayInterval', wire: 'u32', in: ['will'] }, // §3.1.3.2.2
  0x19: { name: 'requestResponseInformation', wire: 'boolean', in: ['connect'] }, // §3.1.2.11.6
  0x1a: { name: 'responseInformation', wire: 'string', in: ['connack'] }, // §3.2.2.3.15
  0x1c: { name: 'serverReference', wire: 'string', in: ['connack', 'disconnect'] }, // §3.2.2.3.16
  0x1f: { name: 'reasonString', wire: 'string', in: reasonStringIn }, // §3.2.2.3.9
  0x21: { name: 'receiveMaximum', wire: 'u16', minimum: 1, in: ['connect', 'connack'] }, // §3.1.2.11.3
  0x22: { name: 'topicAliasMaximum', wire: 'u16', in: ['connect', 'connack'] }, // §3.1.2.11.5
  0x23: { name: 'topicAlias', wire: 'u16', minimum: 1, in: ['publish'] }, // §3.3.2.3.4
  0x24: { name: 'maximumQoS', wire: 'bit', in: ['connack'] }, // §3.2.2.3.4
  0x25: { name: 'retainAvailable', wire: 'boolean', in: ['connack'] }, // §3.2.2.3.5
  0x26: { name: 'userProperties', wire: 'pair', in: everywhere, repeatableIn: everywhere }, // §3.1.2.11.8
  0x27: { name: 'maximumPacketSize', wire: 'u32', minimum: 1, in: ['connect', 'connack'] }, // §3.1.2.11.4
  0x28: { name: 'wildcardSubscriptionAvailable', wire: 'boolean', in: ['connack'] }, // §3.2.2.3.11
  0x29: { name: 'subscriptionIdentifiersAvailable', wire: 'boolean', in: ['connack'] }, // §3.2.2.3.12
  0x2a: { name: 'sharedSubscriptionAvailable', wire: 'boolean', in: ['connack'] }, // §3.2.2.3.13
}

/** A row of {@link propertyTable} with its key. */
export interface Property extends PropertyRow {
  readonly id: number
  /** One bit, different for each property: 27 properties fit a small integer, so a set of them is a number. */
  readonly bit: number
}

/** The rows in the order of their identifiers. */
export const properties: readonly Property[] = Object.entries(propertyTable).map(([id, row], index) =>
  Object.assign({ id: Number(id), bit: 1 << index }, row),
)

const byId: readonly (Property | undefined)[] = Array.from({ length: 256 }, (_, id) =>
  properties.find(property => property.id === id),
)

/** The row of an identifier byte, or undefined when no property has it. */
export function propertyOf(id: number): Property | undefined {
  return byId[id]
}

/** Bit of each identifier byte, 0 for unknown ones: the hot path's view of the table. */
export const propertyBit: Int32Array = Int32Array.from(byId, property => property?.bit ?? 0)

/** {@link wireCode} of each identifier byte, 0 for unknown ones: the hot path's view of the table. */
export const propertyWireCode: Uint8Array = Uint8Array.from(byId, property =>
  property === undefined ? 0 : wireCode[property.wire],
)

/** Smallest value of each identifier byte's number. */
export const propertyMinimum: Uint8Array = Uint8Array.from(byId, property => property?.minimum ?? 0)

/** The set of properties that a packet may carry. */
export function allowedProperties(packet: PropertyPacket): number {
  return bitsWhere(property => property.in.includes(packet))
}

/** The set of properties that a packet may carry more than once. */
export function repeatableProperties(packet: PropertyPacket): number {
  return bitsWhere(property => property.repeatableIn?.includes(packet) ?? false)
}

function bitsWhere(condition: (property: Property) => boolean): number {
  return properties.filter(condition).reduce((bits, property) => bits | property.bit, 0)
}
