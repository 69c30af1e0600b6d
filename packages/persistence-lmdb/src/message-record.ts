import type { Message, MessageSource } from '@x/contract'
import type { RecordReader } from './record-reader.ts'
import type { RecordWriter } from './record-writer.ts'

type QoS = Message['qos']

const qosBits = 3
const retainBit = 4
const propertiesBit = 8
const publisherBit = 16
const sourceBit = 32

/** Writes a message as its row has it. */
export function writeMessage(writer: RecordWriter, message: Message): void {
  const { properties, publisher, source } = message
  let flags: number = message.qos
  if (message.retain) flags |= retainBit
  if (properties !== undefined) flags |= propertiesBit
  if (publisher !== undefined) flags |= publisherBit
  if (source !== undefined) flags |= sourceBit
  writer.u8(flags).text(message.topic).bytes(message.payload)
  if (properties !== undefined) writer.bytes(properties)
  if (publisher !== undefined) writer.text(publisher)
  if (source !== undefined) writer.text(JSON.stringify(source))
  writer.optional(message.expiresAt).text(message.brokerId).u48(message.brokerCounter)
}

/** The message as it was written. Its bytes are a view into the record, which is its own. */
export function readMessage(reader: RecordReader): Message {
  const flags = reader.u8()
  const topic = reader.text()
  const payload = reader.bytes()
  const properties = (flags & propertiesBit) === 0 ? undefined : reader.bytes()
  const publisher = (flags & publisherBit) === 0 ? undefined : reader.text()
  const source = (flags & sourceBit) === 0 ? undefined : (JSON.parse(reader.text()) as MessageSource)
  return {
    topic,
    payload,
    qos: (flags & qosBits) as QoS,
    retain: (flags & retainBit) !== 0,
    properties,
    publisher,
    ...(source !== undefined && { source }),
    expiresAt: reader.optional(),
    brokerId: reader.text(),
    brokerCounter: reader.u48(),
  }
}
