import { FieldReader } from './property.ts'
import type { PropertyList } from './property.ts'
import type { QoS, Version } from './wire.ts'

const typeNames = [
  'reserved',
  'connect',
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
  'pingreq',
  'pingresp',
  'disconnect',
  'auth',
] as const

export type PacketType = (typeof typeNames)[number]
export type AcknowledgementType = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'

/** One packet as it came from the broker. */
export interface Frame {
  readonly type: PacketType
  /** Lower half of the first byte. */
  readonly flags: number
  /** What stands behind the Remaining Length. */
  readonly body: Buffer
  /** All of it, first byte included. */
  readonly bytes: Buffer
}

/** Cuts a stream of bytes into frames. */
export class FrameCutter {
  #pending: Buffer = Buffer.alloc(0)

  /** Bytes of a frame that is not complete. */
  get pending(): Buffer {
    return this.#pending
  }

  /** The frames that this chunk completes. */
  push(chunk: Buffer): readonly Frame[] {
    this.#pending = Buffer.concat([this.#pending, chunk])
    const frames: Frame[] = []
    for (let frame = this.#cut(); frame !== undefined; frame = this.#cut()) frames.push(frame)
    return frames
  }

  #cut(): Frame | undefined {
    const lengthEnd = this.#pending.subarray(1, 5).findIndex(digit => digit < 0x80) + 2
    if (lengthEnd < 2) {
      if (this.#pending.length > 4) throw new Error(`no Remaining Length in ${this.#pending.toString('hex', 0, 8)}…`)
      return undefined
    }
    const reader = new FieldReader(this.#pending.subarray(1, lengthEnd))
    const end = lengthEnd + reader.variableInteger()
    if (this.#pending.length < end) return undefined
    const whole = this.#pending.subarray(0, end)
    this.#pending = this.#pending.subarray(end)
    const first = whole.readUInt8()
    return {
      type: typeNames[first >> 4] ?? 'reserved',
      flags: first & 0x0f,
      body: whole.subarray(lengthEnd),
      bytes: whole,
    }
  }
}

/** For messages of failed tests. */
export function describeFrame(frame: Frame): string {
  const hex = frame.bytes.toString('hex', 0, 64)
  return `${frame.type.toUpperCase()} <${hex}${frame.bytes.length > 64 ? `… ${frame.bytes.length} bytes` : ''}>`
}

export interface Connack {
  readonly sessionPresent: boolean
  /** Reserved bits included. */
  readonly flags: number
  readonly reasonCode: number
  readonly properties: PropertyList
}

export function readConnack(frame: Frame, version: Version): Connack {
  const reader = readerOf(frame, 'connack', 0)
  const flags = reader.byte()
  const reasonCode = reader.byte()
  const properties = version === 5 ? reader.properties() : []
  return finished(reader, { sessionPresent: (flags & 1) === 1, flags, reasonCode, properties })
}

export interface Publish {
  readonly topic: string
  readonly payload: string
  readonly payloadBytes: Buffer
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** 0 at QoS 0. */
  readonly id: number
  readonly properties: PropertyList
}

export function readPublish(frame: Frame, version: Version): Publish {
  const { flags } = frame
  const reader = readerOf(frame, 'publish', flags)
  const qos = ((flags >> 1) & 3) as QoS
  const topic = reader.text()
  const id = qos > 0 ? reader.u16() : 0
  const properties = version === 5 ? reader.properties() : []
  const payloadBytes = reader.rest()
  const payload = payloadBytes.toString()
  return { topic, payload, payloadBytes, qos, retain: (flags & 1) === 1, dup: (flags & 8) === 8, id, properties }
}

export interface Acknowledgement {
  readonly id: number
  readonly reasonCode: number
  readonly properties: PropertyList
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP. */
export function readAcknowledgement(frame: Frame, type: AcknowledgementType, version: Version): Acknowledgement {
  const reader = readerOf(frame, type, type === 'pubrel' ? 2 : 0)
  const id = reader.u16()
  const reasonCode = version === 5 && reader.left > 0 ? reader.byte() : 0
  const properties = version === 5 && reader.left > 0 ? reader.properties() : []
  return finished(reader, { id, reasonCode, properties })
}

export interface Granted {
  readonly id: number
  /** One for each filter; none in an UNSUBACK before MQTT 5. */
  readonly reasonCodes: readonly number[]
  readonly properties: PropertyList
}

/** SUBACK and UNSUBACK. */
export function readGranted(frame: Frame, type: 'suback' | 'unsuback', version: Version): Granted {
  const reader = readerOf(frame, type, 0)
  const id = reader.u16()
  const properties = version === 5 ? reader.properties() : []
  return { id, properties, reasonCodes: [...reader.rest()] }
}

export interface Reason {
  readonly reasonCode: number
  readonly properties: PropertyList
}

/** DISCONNECT and AUTH, which only MQTT 5 brokers send. */
export function readReason(frame: Frame, type: 'disconnect' | 'auth'): Reason {
  const reader = readerOf(frame, type, 0)
  const reasonCode = reader.left > 0 ? reader.byte() : 0
  const properties = reader.left > 0 ? reader.properties() : []
  return finished(reader, { reasonCode, properties })
}

function readerOf(frame: Frame, type: PacketType, flags: number): FieldReader {
  if (frame.type !== type || frame.flags !== flags) {
    throw new Error(`expected ${type.toUpperCase()} with flags ${flags}, got ${describeFrame(frame)}`)
  }
  return new FieldReader(frame.body)
}

function finished<T>(reader: FieldReader, value: T): T {
  if (reader.left > 0) throw new Error(`${reader.left} bytes too many: ${reader.rest().toString('hex')}`)
  return value
}
