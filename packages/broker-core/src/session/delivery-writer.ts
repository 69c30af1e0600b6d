import type { Clock, Counters } from '@x/contract'
import { writeAck } from '@x/packet'
import type { QoS } from '@x/packet'
import type { MessageTraces } from '../hooks/message-traces.ts'
import type { OutgoingAliases } from './outgoing-aliases.ts'
import type { Envelope, Publication, Recipient } from '../message/publication.ts'

/** The session of a client that something is written to. */
export interface DeliveryTarget extends Recipient {
  readonly clientId: string
  readonly engine: { readonly clock: Clock; readonly counters: Counters; readonly traces: MessageTraces | undefined }
  readonly connection: { readonly shedsLoad: boolean }
  /** Undefined when the client takes no topic aliases. */
  readonly aliases: OutgoingAliases | undefined
}

const pubrelHeader = 0x62

/** The flags of one delivery. */
export interface DeliveryManner {
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  readonly subscriptionIdentifiers: readonly number[] | undefined
}

const live: { -readonly [Key in keyof DeliveryManner]: DeliveryManner[Key] } = {
  qos: 0,
  retain: false,
  dup: false,
  subscriptionIdentifiers: undefined,
}

/** Returns the flags of a delivery that does not wait, in an object that is reused: they hold until the next call. */
export function liveManner(
  qos: QoS,
  retain: boolean,
  subscriptionIdentifiers: readonly number[] | undefined,
): DeliveryManner {
  live.qos = qos
  live.retain = retain
  live.subscriptionIdentifiers = subscriptionIdentifiers
  return live
}

/** Reused for each delivery, so that none is allocated. */
const envelope: { -readonly [Key in keyof Envelope]: Envelope[Key] } = {
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
  subscriptionIdentifiers: undefined,
  topicAlias: 0,
  topicKnown: false,
}

/** Writes a QoS 0 message, or drops and counts it when the client sheds load. */
export function writeAtMostOnce(
  session: DeliveryTarget,
  publication: Publication,
  retain: boolean,
  subscriptionIdentifiers: readonly number[] | undefined,
): void {
  if (session.connection.shedsLoad) {
    session.engine.counters.droppedOutboxFull += 1
    return
  }
  envelope.qos = 0
  envelope.retain = retain
  envelope.dup = false
  envelope.messageId = 0
  envelope.subscriptionIdentifiers = subscriptionIdentifiers
  writeEnveloped(session, publication)
}

/** Writes a QoS 1 or 2 message. False: it exceeds the client's Maximum Packet Size, and is counted as dropped. */
export function writeDelivery(
  session: DeliveryTarget,
  publication: Publication,
  manner: DeliveryManner,
  messageId: number,
): boolean {
  envelope.qos = manner.qos
  envelope.retain = manner.retain
  envelope.dup = manner.dup
  envelope.messageId = messageId
  envelope.subscriptionIdentifiers = manner.subscriptionIdentifiers
  return writeEnveloped(session, publication)
}

/** Writes PUBREL, with a reason code only in MQTT 5. MQTT 5.0 §3.6 */
export function writePubrel({ outbox, version, engine }: DeliveryTarget, messageId: number, reasonCode: number): void {
  engine.counters.controlPacketsSent += 1
  const size = version === 5 && reasonCode !== 0 ? 5 : 4
  const offset = outbox.reserve(size)
  writeAck(outbox.buffer, offset, pubrelHeader, messageId, reasonCode, version)
}

function writeEnveloped(session: DeliveryTarget, publication: Publication): boolean {
  // No alias at QoS 2: a client that keeps the message until PUBREL may have lost its topic by then, as MQTT.js 5 does.
  if (session.aliases !== undefined && envelope.qos < 2) return writeWithAlias(session, session.aliases, publication)
  return writePlain(session, publication)
}

function writeWithAlias(session: DeliveryTarget, aliases: OutgoingAliases, publication: Publication): boolean {
  const { alias, known } = aliases.use(publication.topic)
  envelope.topicAlias = alias
  envelope.topicKnown = known
  const written = writePlain(session, publication)
  envelope.topicAlias = 0
  envelope.topicKnown = false
  if (!written && !known && alias > 0) aliases.forget(publication.topic, alias)
  return written
}

function writePlain(session: DeliveryTarget, publication: Publication): boolean {
  const { engine } = session
  const now = publication.expiresAt === undefined ? 0 : engine.clock.now()
  if (!publication.writeTo(session, envelope, now)) {
    engine.counters.droppedTooLarge += 1
    return false
  }
  const { counters } = engine
  counters.publishesSent += 1
  counters.publishBytesSent += publication.payloadLength
  if (envelope.qos === 1) counters.publishesSentQoS1 += 1
  else if (envelope.qos === 2) counters.publishesSentQoS2 += 1
  if (engine.traces !== undefined) engine.traces.delivered(publication, session.clientId, envelope)
  return true
}
