import type { Message, MessageSource, QueueEntry, Will } from '@x/contract'
import type { ExpiryTime } from './expiry-time.ts'

/** How a message lies in Redis: its fields with their lengths before them, then the payload. */
const flag = { retain: 4, properties: 8, expires: 16, publisher: 32, source: 64 } as const

/** A message as Redis has it. */
export function encodeMessage(message: Message): Buffer {
  const names = namesOf(message)
  const record = Buffer.allocUnsafe(recordSize(message, names))
  writeRecord(record, 0, message, names)
  return record
}

/** The part of a record that many messages have in common. */
export function namesOf({ topic, brokerId, publisher }: Message): Buffer {
  const fields = (publisher === undefined ? [topic, brokerId] : [topic, brokerId, publisher]).map(text =>
    Buffer.from(text),
  )
  const names = Buffer.allocUnsafe(fields.reduce((size, field) => size + 4 + field.length, 0))
  let offset = 0
  for (const field of fields) offset = put(names, field, offset)
  return names
}

/** Bytes of a message as Redis has it. */
export function recordSize({ properties, source, payload, expiresAt }: Message, names: Buffer): number {
  const propertiesSize = properties === undefined ? 0 : 4 + properties.length
  const sourceSize = source === undefined ? 0 : 4 + Buffer.byteLength(JSON.stringify(source))
  return 9 + (expiresAt === undefined ? 0 : 8) + names.length + propertiesSize + sourceSize + payload.length
}

/** Returns where the record ends. */
export function writeRecord(target: Buffer, start: number, message: Message, names: Buffer): number {
  const { properties, payload, expiresAt, publisher, source } = message
  let offset = target.writeUInt8(
    message.qos |
      (message.retain ? flag.retain : 0) |
      (properties === undefined ? 0 : flag.properties) |
      (expiresAt === undefined ? 0 : flag.expires) |
      (publisher === undefined ? 0 : flag.publisher) |
      (source === undefined ? 0 : flag.source),
    start,
  )
  offset = target.writeDoubleBE(message.brokerCounter, offset)
  if (expiresAt !== undefined) offset = target.writeDoubleBE(expiresAt, offset)
  target.set(names, offset)
  offset += names.length
  if (properties !== undefined) offset = put(target, properties, offset)
  if (source !== undefined) offset = put(target, Buffer.from(JSON.stringify(source)), offset)
  target.set(payload, offset)
  return offset + payload.length
}

/** Reads what `encodeMessage` has written. */
export function decodeMessage(record: Buffer, time: ExpiryTime): Message {
  const flags = record.readUInt8(0)
  const brokerCounter = record.readDoubleBE(1)
  let offset = 9
  let expiresAt: number | undefined
  if ((flags & flag.expires) !== 0) {
    expiresAt = time.restored(record.readDoubleBE(offset))
    offset += 8
  }
  const take = (): Buffer => {
    const start = offset + 4
    offset = start + record.readUInt32BE(offset)
    return record.subarray(start, offset)
  }
  const topic = take().toString()
  const brokerId = take().toString()
  const publisher = (flags & flag.publisher) === 0 ? undefined : take().toString()
  const properties = (flags & flag.properties) === 0 ? undefined : Uint8Array.from(take())
  const source = (flags & flag.source) === 0 ? undefined : (JSON.parse(take().toString()) as MessageSource)
  return {
    topic,
    payload: Buffer.from(record.subarray(offset)),
    qos: (flags & 3) as Message['qos'],
    retain: (flags & flag.retain) !== 0,
    properties,
    expiresAt,
    publisher,
    ...(source !== undefined && { source }),
    brokerId,
    brokerCounter,
  }
}

function put(record: Buffer, bytes: Uint8Array, offset: number): number {
  const start = record.writeUInt32BE(bytes.length, offset)
  record.set(bytes, start)
  return start + bytes.length
}

/** QoS, RETAIN and subscription identifiers of a delivery: `1,0,7,9`. */
export function encodeDelivery({ qos, retain, subscriptionIdentifiers }: Reception): string {
  const identifiers =
    subscriptionIdentifiers === undefined ? '' : subscriptionIdentifiers.map(one => `,${one}`).join('')
  return `${qos},${retain ? 1 : 0}${identifiers}`
}

/** How a session gets a message. */
export type Reception = Pick<QueueEntry, 'qos' | 'retain' | 'subscriptionIdentifiers'>

/** Reads how a queued message is to be delivered. */
export function decodeDelivery(delivery: Buffer): Reception {
  const text = delivery.toString('latin1')
  return {
    qos: Number(text[0]) as QueueEntry['qos'],
    retain: text[2] === '1',
    subscriptionIdentifiers: text.length > 4 ? text.slice(4).split(',').map(Number) : undefined,
  }
}

/** The entry of a queue, as the contract has it. */
export function entryOf(sequence: number, reception: Reception, released: boolean, message: Message): QueueEntry {
  const { qos, retain, subscriptionIdentifiers } = reception
  return { sequence, message, qos, retain, subscriptionIdentifiers, released }
}

/** Sequence, delivery, released and record of each. */
export function decodeEntries(fields: readonly (Buffer | number)[], time: ExpiryTime): QueueEntry[] {
  const entries: QueueEntry[] = []
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const message = decodeMessage(fields[index + 3] as Buffer, time)
    const reception = decodeDelivery(fields[index + 1] as Buffer)
    entries.push(entryOf(Number(fields[index]), reception, Number(fields[index + 2]) === 1, message))
  }
  return entries
}

/** A will as Redis has it. */
export function encodeWill(will: Will): Buffer {
  const { clientId, messageExpiryInterval, delayInterval } = will
  const head = Buffer.from(JSON.stringify({ clientId, messageExpiryInterval, delayInterval }))
  const size = Buffer.allocUnsafe(4)
  size.writeUInt32BE(head.length)
  return Buffer.concat([size, head, encodeMessage(will.message)])
}

/** Reads what `encodeWill` has written. */
export function decodeWill(record: Buffer, time: ExpiryTime): Will {
  const end = 4 + record.readUInt32BE(0)
  const { clientId, messageExpiryInterval, delayInterval } = JSON.parse(record.toString('utf8', 4, end)) as Omit<
    Will,
    'message'
  >
  return { clientId, messageExpiryInterval, delayInterval, message: decodeMessage(record.subarray(end), time) }
}
