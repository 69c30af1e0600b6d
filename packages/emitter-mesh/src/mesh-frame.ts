import { invalid } from './mesh-error.ts'

/** What a frame is. All versions of the protocol have the first four alike, so that each can refuse the others in words. */
export const frameType = {
  /** Of who is called: its protocol, its name, a number that is used once. */
  greeting: 1,
  /** Of who calls: the same, and the proof that it knows the secret. */
  hello: 2,
  /** The link is made; where it goes on. */
  welcome: 3,
  /** It is not made: code and sentence. */
  refusal: 4,
  /** QoS 0 messages of one turn. */
  messages: 5,
  /** QoS 1 and 2 messages of one turn. */
  numberedMessages: 6,
  /** All routes of the sender, which begin here. */
  join: 7,
  /** Routes that were added and removed. */
  routes: 8,
  /** A client has connected. */
  client: 9,
  /** The sender goes. */
  leave: 10,
  /** Asks whether all is read, with the time of the sender. */
  ping: 11,
  /** The answer, with that time. */
  pong: 12,
  /** Back: everything up to this number has come. */
  confirm: 13,
} as const

const lengthBytes = 4
const numberBytes = 8
/** Of the length and the type. */
export const headBytes: number = lengthBytes + 1

/** A frame as it travels: length of the rest, type, parts. */
export function writeFrame(type: number, parts: readonly Buffer[]): Buffer {
  let length = 1
  for (const part of parts) length += part.length
  const head = Buffer.allocUnsafe(headBytes)
  head.writeUInt32BE(length)
  head[lengthBytes] = type
  return Buffer.concat([head, ...parts], lengthBytes + length)
}

/** Encodes a number of a frame. */
export function writeNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(numberBytes)
  bytes.writeDoubleBE(number)
  return bytes
}

/** Encodes a value of a frame as JSON. */
export function writeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** A frame that has come: a view of what was read. */
export interface Frame {
  readonly type: number
  readonly body: Buffer
}

/** The number that a body begins with.
 * @throws MeshError `PEER_INVALID` */
export function numberOf({ type, body }: Frame): number {
  const number = body.length < numberBytes ? Number.NaN : body.readDoubleBE(0)
  if (!Number.isFinite(number)) throw invalid(`a frame of type ${type} and ${body.length} bytes has no number`)
  return number
}

/** What follows the number. */
export function afterNumber({ body }: Frame): Buffer {
  return body.subarray(numberBytes)
}

/** @throws MeshError `PEER_INVALID` */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    throw invalid(`a frame of ${body.length} bytes is no JSON`)
  }
}

/** The fields of an object in JSON.
 * @throws MeshError `PEER_INVALID` */
export function fieldsOf(body: Buffer): Readonly<Record<string, unknown>> {
  const value = jsonOf(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('a frame is no object')
  return value as Record<string, unknown>
}
