import { sequenceWith } from '@x/contract'
import type { Delivery, Message, QueueEntry, Subscription } from '@x/contract'
import { decodeProperties, encodePublishProperties } from '@x/packet'
import type { PublishProperties, QoS } from '@x/packet'

/** A PUBLISH as Aedes, its stores and its emitters pass it around. */
export interface AedesPacket {
  cmd: string
  brokerId: string
  /** Some stores keep it as text. */
  brokerCounter: number | string
  topic: string
  /** A PUBREL has none. */
  payload?: Buffer | string
  qos: QoS
  retain: boolean
  dup: boolean
  messageId?: number | undefined
  /** Of the publisher. */
  clientId?: string | undefined
  properties?: PublishProperties | undefined
  /** ms since the epoch; put there by our own brokers, for each other. */
  expiresAt?: number | undefined
}

/** A subscription as Aedes's stores keep it. */
export interface AedesSubscription {
  clientId?: string
  topic: string
  qos: QoS
  rh?: 0 | 1 | 2 | undefined
  rap?: boolean | undefined
  nl?: boolean | undefined
  subscriptionIdentifier?: number | undefined
}

const greatestPacketId = 65_535

/** The packet in which a store or an emitter of Aedes has a message. */
export function packetOf(message: Message, how: { qos: QoS; retain: boolean } = message): AedesPacket {
  const { properties, publisher, expiresAt } = message
  return {
    cmd: 'publish',
    brokerId: message.brokerId,
    brokerCounter: message.brokerCounter,
    topic: message.topic,
    payload: Buffer.from(message.payload),
    qos: how.qos,
    retain: how.retain,
    dup: false,
    ...(publisher !== undefined && { clientId: publisher }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(properties !== undefined && {
      properties: decodeProperties(Buffer.from(properties), 0, properties.length, 'publish'),
    }),
  }
}

/** A message in the outgoing queue of a store. Aedes keeps no publisher there: who may not have its own messages is left out before. */
export function queuedPacketOf(message: Message, how?: { qos: QoS; retain: boolean }): AedesPacket {
  const { clientId: _publisher, ...packet } = packetOf(message, how)
  return packet
}

/** The message that a packet of Aedes holds. */
export function messageOf(packet: AedesPacket): Message {
  const { payload = '', properties } = packet
  return {
    topic: packet.topic ?? '',
    payload: bytesOf(payload),
    qos: packet.qos ?? 0,
    retain: packet.retain,
    properties: properties === undefined ? undefined : encodePublishProperties(withBytes(properties)),
    expiresAt: packet.expiresAt,
    publisher: packet.clientId,
    brokerId: packet.brokerId ?? '',
    brokerCounter: Number(packet.brokerCounter ?? 0),
  }
}

/** Stores hand bytes out as they are, as text, as what JSON makes of a Buffer, as BSON's `Binary`, or as an object that has each byte
 * under its index. */
function bytesOf(value: unknown): Buffer {
  if (typeof value !== 'object' || value === null) return Buffer.from(value as string)
  if ('_bsontype' in value && 'value' in value) return Buffer.from((value as { value(): Uint8Array }).value())
  if ('length' in value || 'type' in value) return Buffer.from(value as Uint8Array)
  return Buffer.from(Object.values(value) as number[])
}

/** Correlation data is the only property that is bytes. MQTT 5.0 §3.3.2.3.6 */
function withBytes(properties: PublishProperties): PublishProperties {
  const { correlationData } = properties
  return correlationData === undefined ? properties : { ...properties, correlationData: bytesOf(correlationData) }
}

/** Names a message in every broker and store. */
export function keyOf({ brokerId, brokerCounter }: Pick<Message, 'brokerId' | 'brokerCounter'>): string {
  return `${brokerId} ${brokerCounter}`
}

/** The delivery that a packet in an outgoing queue stands for. */
export function deliveryOf(packet: AedesPacket): Delivery {
  const message = messageOf(packet)
  return { message, qos: message.qos, retain: message.retain, subscriptionIdentifiers: undefined }
}

interface SentPacket extends AedesPacket {
  messageId: number
}

/** The packets of an outgoing queue in the order of their sending, with sequences that give them the identifiers they were sent
 * with. */
export function entriesOf(packets: readonly AedesPacket[]): { entries: QueueEntry[]; sentThrough: number } {
  const isSent = (packet: AedesPacket): packet is SentPacket => (packet.messageId ?? 0) > 0
  const entries: QueueEntry[] = []
  const add = (packet: AedesPacket, sequence: number): number =>
    entries.push({ ...deliveryOf(packet), sequence, released: packet.cmd === 'pubrel' })
  let last = 0
  for (const packet of inSendingOrder(packets.filter(isSent)))
    add(packet, (last = sequenceWith(packet.messageId, last)))
  const sentThrough = last
  const waiting = packets.filter(packet => !isSent(packet))
  for (const packet of inPublishingOrder(waiting)) add(packet, (last += 1))
  return { entries, sentThrough }
}

/** As the store has them, unless it has lost the order: a broker counts what it publishes. */
function inPublishingOrder(packets: readonly AedesPacket[]): readonly AedesPacket[] {
  const counter = ({ brokerCounter }: AedesPacket): number => Number(brokerCounter)
  const groups = [...groupByBroker(packets).values()]
  const isAscending = (group: readonly AedesPacket[]): boolean =>
    group.every((packet, index) => index === 0 || counter(packet) >= counter(group[index - 1] ?? packet))
  if (groups.every(isAscending)) return packets
  return groups.flatMap(group => group.toSorted((one, other) => counter(one) - counter(other)))
}

function groupByBroker(packets: readonly AedesPacket[]): Map<string, AedesPacket[]> {
  const groups = new Map<string, AedesPacket[]>()
  for (const packet of packets) {
    const group = groups.get(packet.brokerId)
    if (group === undefined) groups.set(packet.brokerId, [packet])
    else group.push(packet)
  }
  return groups
}

/** Identifiers rise as packets are sent, and begin anew after the greatest: the order begins behind the widest gap. Stores do not
 * all keep it. */
function inSendingOrder(packets: readonly SentPacket[]): readonly SentPacket[] {
  const sorted = packets.toSorted((one, other) => one.messageId - other.messageId)
  let start = 0
  let widest = 0
  for (const [index, { messageId }] of sorted.entries()) {
    const before = sorted.at(index - 1)?.messageId ?? 0
    const gap = (messageId - before + greatestPacketId) % greatestPacketId
    if (gap > widest) [start, widest] = [index, gap]
  }
  return [...sorted.slice(start), ...sorted.slice(0, start)]
}

/** A subscription in the form of Aedes. */
export function aedesSubscription(subscription: Subscription): AedesSubscription {
  const { filter, qos, retainHandling, retainAsPublished, noLocal, subscriptionIdentifier } = subscription
  return {
    topic: filter,
    qos,
    // Aedes writes what MQTT 5 has of its own for MQTT 5 clients alone.
    rh: retainHandling === 0 ? undefined : retainHandling,
    rap: retainAsPublished || undefined,
    nl: noLocal || undefined,
    ...(subscriptionIdentifier !== undefined && { subscriptionIdentifier }),
  }
}

/** The subscription that a store of Aedes has in its own form. */
export function subscriptionOf(subscription: AedesSubscription): Subscription {
  return {
    filter: subscription.topic,
    qos: subscription.qos,
    noLocal: subscription.nl === true,
    retainAsPublished: subscription.rap === true,
    retainHandling: subscription.rh ?? 0,
    subscriptionIdentifier: subscription.subscriptionIdentifier,
  }
}
