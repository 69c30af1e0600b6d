import type { MaybePromise, QueueEntry } from '@x/contract'
import type { FrameReader, PubrelPacket } from '@x/packet'
import { writeAck } from '@x/packet'
import type { ClientConnection } from '../connect/client-connection.ts'
import { after, isPromise } from '../ground/maybe-promise.ts'
import { packetOf } from '../message/broker-packet.ts'
import type { BrokerPacket } from '../message/broker-packet.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'

/** First bytes of the acknowledgements. MQTT 5.0 §2.1.2, §2.1.3 */
const header = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

/** PUBACK, PUBREC, PUBREL and PUBCOMP. MQTT 5.0 §4.3 */
export function receiveAck(connection: ClientConnection, reader: FrameReader): void {
  const { engine } = connection
  const ack = engine.ackFrame
  ack.read(reader.source, reader.header, reader.bodyStart, reader.frameEnd, connection.version)
  const session = connection.session as Session
  // The type alone: MQTT 3.1 lets there be flags.
  switch (reader.header >> 4) {
    case header.puback >> 4:
      finish(connection, session, ack.messageId, 'puback')
      return
    case header.pubrec >> 4:
      session.acknowledged(ack.messageId, 'pubrec', ack.reasonCode)
      return
    case header.pubrel >> 4:
      receivePubrel(connection, session, ack.messageId)
      return
    default:
      finish(connection, session, ack.messageId, 'pubcomp')
  }
}

/** Releases a packet id, which the client may use again, also when it was not known ([MQTT5-4.3.3-11]). PUBCOMP waits until the store
 * has forgotten the id: otherwise a new message with it would be taken for the old one. */
function receivePubrel(connection: ClientConnection, session: Session, messageId: number): void {
  const { engine } = connection
  if (!session.received.has(messageId)) {
    sendAck(connection, 'pubcomp', messageId, ReasonCode.packetIdentifierNotFound)
    return
  }
  const completed = session.stored ? engine.persistence.complete(session.handle, messageId) : undefined
  if (isPromise(completed)) void completeLater(connection, session, messageId, completed)
  else sendPubcomp(connection, session, messageId)
}

async function completeLater(
  connection: ClientConnection,
  session: Session,
  messageId: number,
  completed: Promise<void>,
): Promise<void> {
  try {
    await completed
    sendPubcomp(connection, session, messageId)
  } catch (error) {
    connection.fail(error)
  }
}

function sendPubcomp(connection: ClientConnection, session: Session, messageId: number): void {
  session.removeReceived(messageId)
  sendAck(connection, 'pubcomp', messageId, ReasonCode.success)
}

/** Sends PUBACK, PUBREC, PUBREL or PUBCOMP to a connected client. MQTT 5.0 §3.4 to §3.7 */
export function sendAck(
  connection: ClientConnection,
  kind: keyof typeof header,
  messageId: number,
  reasonCode: number,
): void {
  if (connection.phase !== 'connected') return
  const { outbox, version } = connection
  connection.engine.counters.controlPacketsSent += 1
  const offset = outbox.reserve(version === 5 && reasonCode !== 0 ? 5 : 4)
  writeAck(outbox.buffer, offset, header[kind], messageId, reasonCode, version)
}

/** A delivery is acknowledged. The event `ack` gets its PUBLISH or PUBREL if the session's queue is stored; otherwise nothing kept it. */
function finish(connection: ClientConnection, session: Session, messageId: number, kind: 'puback' | 'pubcomp'): void {
  const { broker, clock } = connection.engine
  if (!broker.ackObserved) {
    session.acknowledged(messageId, kind)
    return
  }
  session.unacknowledged.assertAwaited(messageId, kind)
  // Read before the store forgets it.
  let entry: MaybePromise<QueueEntry | undefined>
  try {
    entry = session.unacknowledged.storedEntry(messageId)
  } finally {
    session.acknowledged(messageId, kind)
  }
  const told = after(entry, stored => {
    const packet = stored && acknowledgedPacket(stored, messageId, clock.now())
    broker.emit('ack', packet as BrokerPacket | PubrelPacket, connection.client)
  })
  connection.engine.watch(told, 'QUEUE_READ_FAILED', connection.client)
}

function acknowledgedPacket(
  { message, released }: QueueEntry,
  messageId: number,
  now: number,
): BrokerPacket | PubrelPacket {
  return released ? { cmd: 'pubrel', messageId } : { ...packetOf(message, false, now), messageId }
}
