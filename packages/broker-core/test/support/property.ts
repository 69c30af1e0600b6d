import { text, u16, u32, variableInteger } from './wire.ts'

type Wire = 'byte' | 'u16' | 'u32' | 'variableInteger' | 'text' | 'binary' | 'pair'

/** How each property stands on the wire. MQTT 5.0 §2.2.2.2 */
const wires: Readonly<Record<number, Wire>> = {
  0x01: 'byte',
  0x02: 'u32',
  0x03: 'text',
  0x08: 'text',
  0x09: 'binary',
  0x0b: 'variableInteger',
  0x11: 'u32',
  0x12: 'text',
  0x13: 'u16',
  0x15: 'text',
  0x16: 'binary',
  0x17: 'byte',
  0x18: 'u32',
  0x19: 'byte',
  0x1a: 'text',
  0x1c: 'text',
  0x1f: 'text',
  0x21: 'u16',
  0x22: 'u16',
  0x23: 'u16',
  0x24: 'byte',
  0x25: 'byte',
  0x26: 'pair',
  0x27: 'u32',
  0x28: 'byte',
  0x29: 'byte',
  0x2a: 'byte',
}

type Bytes = readonly number[]

/** One property as bytes; several are put together by spreading: `[...property.receiveMaximum(2), ...property.userProperty('a', 'b')]` */
export const property = {
  payloadFormatIndicator: (value: number): Bytes => [0x01, value],
  messageExpiryInterval: (seconds: number): Bytes => [0x02, ...u32(seconds)],
  contentType: (value: string | Uint8Array): Bytes => [0x03, ...text(value)],
  responseTopic: (value: string | Uint8Array): Bytes => [0x08, ...text(value)],
  correlationData: (value: string | Uint8Array): Bytes => [0x09, ...text(value)],
  subscriptionIdentifier: (value: number): Bytes => [0x0b, ...variableInteger(value)],
  sessionExpiryInterval: (seconds: number): Bytes => [0x11, ...u32(seconds)],
  authenticationMethod: (value: string | Uint8Array): Bytes => [0x15, ...text(value)],
  authenticationData: (value: string | Uint8Array): Bytes => [0x16, ...text(value)],
  requestProblemInformation: (value: number): Bytes => [0x17, value],
  willDelayInterval: (seconds: number): Bytes => [0x18, ...u32(seconds)],
  requestResponseInformation: (value: number): Bytes => [0x19, value],
  reasonString: (value: string | Uint8Array): Bytes => [0x1f, ...text(value)],
  receiveMaximum: (value: number): Bytes => [0x21, ...u16(value)],
  topicAliasMaximum: (value: number): Bytes => [0x22, ...u16(value)],
  topicAlias: (value: number): Bytes => [0x23, ...u16(value)],
  userProperty: (name: string | Uint8Array, value: string | Uint8Array): Bytes => [0x26, ...text(name), ...text(value)],
  maximumPacketSize: (size: number): Bytes => [0x27, ...u32(size)],
}

/** Identifiers of properties, for reading. MQTT 5.0 §2.2.2.2 */
export const PropertyId = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  authenticationMethod: 0x15,
  authenticationData: 0x16,
  responseInformation: 0x1a,
  serverReference: 0x1c,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  maximumQoS: 0x24,
  retainAvailable: 0x25,
  userProperty: 0x26,
  maximumPacketSize: 0x27,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifiersAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
} as const

export type PropertyValue = number | string | Buffer | readonly [name: string, value: string]
/** In the order they were sent. */
export type PropertyList = readonly (readonly [id: number, value: PropertyValue])[]

/** All values of one property, in order. */
export function propertyValues(properties: PropertyList, id: number): readonly PropertyValue[] {
  return properties.filter(([candidate]) => candidate === id).map(([, value]) => value)
}

/** The one value of a property; undefined when it is absent. */
export function propertyValue(properties: PropertyList, id: number): PropertyValue | undefined {
  const values = propertyValues(properties, id)
  if (values.length > 1) throw new Error(`property 0x${id.toString(16)} stands there ${values.length} times`)
  return values[0]
}

/** Reads fields one after the other; throws where they end too soon. */
export class FieldReader {
  readonly #bytes: Buffer
  offset = 0

  constructor(source: Buffer) {
    this.#bytes = source
  }

  get left(): number {
    return this.#bytes.length - this.offset
  }

  take(length: number): Buffer {
    if (length > this.left)
      throw new Error(`${length} bytes wanted at ${this.offset} of ${this.#bytes.toString('hex')}`)
    this.offset += length
    return this.#bytes.subarray(this.offset - length, this.offset)
  }

  rest(): Buffer {
    return this.take(this.left)
  }

  byte(): number {
    return this.take(1).readUInt8()
  }

  u16(): number {
    return this.take(2).readUInt16BE()
  }

  u32(): number {
    return this.take(4).readUInt32BE()
  }

  text(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.binary())
  }

  binary(): Buffer {
    return this.take(this.u16())
  }

  /** Only the shortest form is accepted ([MQTT5-1.5.5-1]). */
  variableInteger(): number {
    let value = 0
    for (let factor = 1, size = 1; size <= 4; factor *= 128, size += 1) {
      const digit = this.byte()
      value += (digit & 0x7f) * factor
      if (digit < 0x80) {
        if (variableInteger(value).length !== size) throw new Error(`variable byte integer ${value} in ${size} bytes`)
        return value
      }
    }
    throw new Error('variable byte integer of more than 4 bytes')
  }

  properties(): PropertyList {
    const reader = new FieldReader(this.take(this.variableInteger()))
    const list: [number, PropertyValue][] = []
    while (reader.left > 0) {
      const id = reader.variableInteger()
      list.push([id, reader.#value(id)])
    }
    return list
  }

  #value(id: number): PropertyValue {
    const wire = wires[id]
    if (wire === undefined) throw new Error(`unknown property 0x${id.toString(16)}`)
    return wire === 'pair' ? [this.text(), this.text()] : this[wire]()
  }
}
