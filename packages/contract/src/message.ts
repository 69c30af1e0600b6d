import type { QoS } from '@x/packet'

/** Who has published a message, beside the client identifier. */
export interface MessageSource {
  readonly username: string | undefined
  /** Name of the listener that the client came by. */
  readonly listener: string | undefined
}

/** An application message on its way through a broker: immutable, shared by everyone who receives it.
 *
 * `payload` and `properties` are views into the bytes the publisher sent. They never change, but holding on to one
 * holds on to all that was read with it: whoever keeps a message longer than the call it came with keeps
 * {@link keepMessage} of it. */
export interface Message {
  readonly topic: string
  readonly payload: Buffer
  /** As published. A delivery has the lower of this and the subscription's. */
  readonly qos: QoS
  /** As published: true also means that it is to be retained. */
  readonly retain: boolean
  /** MQTT 5 properties that travel with the message, in wire form and in the order they were sent: everything except
   * topic alias, message expiry interval and subscription identifiers. MQTT 5.0 §3.3.2.3 */
  readonly properties: Uint8Array | undefined
  /** Whole milliseconds since the epoch; undefined: never. MQTT 5.0 §3.3.2.3.3 */
  readonly expiresAt: number | undefined
  /** Client identifier of the publisher; undefined: the broker itself. What `noLocal` compares with. */
  readonly publisher: string | undefined
  /** Present where the broker may ask later whether its publisher may still publish it; kept with it by stores. */
  readonly source?: MessageSource | undefined
  /** A will: it may come when its client is connected elsewhere, and does not come late. Stores need not keep it. MQTT 5.0 §3.1.2.5 */
  readonly isWill?: boolean | undefined
  /** Id of the broker the message entered through; together with {@link brokerCounter} it names the message. */
  readonly brokerId: string
  readonly brokerCounter: number
}

/** A copy whose bytes are its own, so that keeping 16 bytes doesn't pin the 64 KiB they arrived in. */
export function keepMessage(message: Message): Message {
  const { payload, properties, source, isWill } = message
  const kept = {
    topic: message.topic,
    payload: ownBytes(payload),
    qos: message.qos,
    retain: message.retain,
    properties: properties === undefined ? undefined : ownBytes(properties),
    expiresAt: message.expiresAt,
    publisher: message.publisher,
    brokerId: message.brokerId,
    brokerCounter: message.brokerCounter,
  }
  return source === undefined && isWill === undefined ? kept : { ...kept, source, isWill }
}

/** Not from Node's pool, of which one byte would pin 8 KiB. */
function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

/** Whether both are the same message: one may be a copy of the other. */
export function isSameMessage(one: Message, other: Message): boolean {
  return one.brokerCounter === other.brokerCounter && one.brokerId === other.brokerId
}

/** Whether the message's expiry has passed at `now` (milliseconds since the epoch). */
export function isExpired(message: Message, now: number): boolean {
  return message.expiresAt !== undefined && message.expiresAt <= now
}

/** Bytes that a stored message takes besides its text, payload and properties: its objects, their headers and the places they have in
 * queues and indexes. Measured with Node 20 in memory: 334 to 399 in a queue, 410 to 553 retained. */
export const messageOverhead = 400

/** What a stored message costs, in bytes, for limits on bytes: {@link messageOverhead}, text, payload, properties. */
export function messageBytes(message: Message): number {
  return messageOverhead + message.topic.length + message.payload.length + (message.properties?.length ?? 0)
}
