import type { Message, QueueEntry, Will } from '@x/contract'

/** How a message lies in Redis: its fields with their lengths before them, then the payload. */
const flag = { retain: 4, properties: 8, expires: 16, publisher: 32 } as const

export function encodeMessage(message: Message): Buffer {
  const topic = Buffer.from(message.topic)
  const brokerId = Buffer.from(message.brokerId)
  const publisher = message.publisher === undefined ? undefined : Buffer.from(message.publisher)
  const { properties, payload, expiresAt } = message
  const size = 1 + 8 + 8 + 8 + topic.length + brokerId.length + (publisher?.length ?? 0) + 4 + (properties?.length ?? 0)
  const record = Buffer.allocUnsafe(size + 4 + payload.length)
  let offset = record.writeUInt8(
    message.qos |
      (message.retain ? flag.retain : 0) |
      (properties === undefined ? 0 : flag.properties) |
      (expiresAt === undefined ? 0 : flag.expires) |
      (publisher === undefined ? 0 : flag.publisher),
    0,
  )
  offset = record.writeDoubleBE(message.brokerCounter, offset)
  if (expiresAt !== undefined) offset = record.writeDoubleBE(expiresAt, offset)
  offset = put(record, topic, offset)
  offset = put(record, brokerId, offset)
  if (publisher !== undefined) offset = put(record, publisher, offset)
  if (properties !== undefined) offset = put(record, properties, offset)
  record.set(payload, offset)
  return record.subarray(0, offset + payload.length)
}

export function decodeMessage(record: Buffer): Message {
  const flags = record.readUInt8(0)
  const brokerCounter = record.readDoubleBE(1)
  let offset = 9
  let expiresAt: number | undefined
  if ((flags & flag.expires) !== 0) {
    expiresAt = record.readDoubleBE(offset)
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
  return {
    topic,
    payload: Buffer.from(record.subarray(offset)),
    qos: (flags & 3) as Message['qos'],
    retain: (flags & flag.retain) !== 0,
    properties,
    expiresAt,
    publisher,
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
export function encodeDelivery({
  qos,
  retain,
  subscriptionIdentifiers,
}: Omit<QueueEntry, 'message' | 'sequence' | 'released'>): string {
  const identifiers =
    subscriptionIdentifiers === undefined ? '' : subscriptionIdentifiers.map(one => `,${one}`).join('')
  return `${qos},${retain ? 1 : 0}${identifiers}`
}

export function entryOf(sequence: number, delivery: Buffer, released: boolean, message: Message): QueueEntry {
  const text = delivery.toString('latin1')
  return {
    sequence,
    message,
    qos: Number(text[0]) as QueueEntry['qos'],
    retain: text[2] === '1',
    subscriptionIdentifiers: text.length > 4 ? text.slice(4).split(',').map(Number) : undefined,
    released,
  }
}

/** Sequence, delivery, released and record of each. */
export function decodeEntries(fields: readonly (Buffer | number)[]): QueueEntry[] {
  const entries: QueueEntry[] = []
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const message = decodeMessage(fields[index + 3] as Buffer)
    const delivery = fields[index + 1] as Buffer
    entries.push(entryOf(Number(fields[index]), delivery, Number(fields[index + 2]) === 1, message))
  }
  return entries
}

export function encodeWill(will: Will): Buffer {
  const { clientId, messageExpiryInterval, delayInterval } = will
  const head = Buffer.from(JSON.stringify({ clientId, messageExpiryInterval, delayInterval }))
  const size = Buffer.allocUnsafe(4)
  size.writeUInt32BE(head.length)
  return Buffer.concat([size, head, encodeMessage(will.message)])
}

export function decodeWill(record: Buffer): Will {
  const end = 4 + record.readUInt32BE(0)
  const { clientId, messageExpiryInterval, delayInterval } = JSON.parse(record.toString('utf8', 4, end)) as Omit<
    Will,
    'message'
  >
  return { clientId, messageExpiryInterval, delayInterval, message: decodeMessage(record.subarray(end)) }
}
