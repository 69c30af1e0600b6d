import type { ClientConnection } from '../connect/client-connection.ts'
import { hasCode, reasonCodeFrom, reasonStringOf, toError } from '../ground/broker-error.ts'
import { ReasonCode, codeFor } from '../ground/reason-code.ts'
import { sendAck } from './acknowledge.ts'
import type { IncomingPublish } from './incoming-publish.ts'

/** An MQTT 5 client gets the reason code and stays connected; a 3.x client can only be disconnected. */
export function refusePublish(request: IncomingPublish, error: Error): void {
  request.connection.engine.traces?.ended(request.publication, error)
  if (request.connection.version !== 5) request.connection.fail(error)
  else dropPublish(request, error)
}

/** Drops the message; the client stays connected. MQTT 5 clients get the reason code, 3.x clients a plain acknowledgement. MQTT 3.1.1
 * §3.3.5 */
export function dropPublish(
  { connection, messageId, qos }: Omit<IncomingPublish, 'session' | 'publication'>,
  error: Error,
): void {
  refuseWith(connection, { messageId, qos }, error, reasonCodeFrom(error, ReasonCode.notAuthorized))
}

/** Reports the error and acknowledges the message, with code and reason string in MQTT 5. A QoS 0 message has no acknowledgement. */
function refuseWith(
  connection: ClientConnection,
  { messageId, qos }: Pick<IncomingPublish, 'messageId' | 'qos'>,
  error: Error,
  reasonCode: number,
): void {
  connection.engine.broker.reportClientError(connection.client, error)
  if (qos === 0) return
  const type = qos === 1 ? 'puback' : 'pubrec'
  if (hasCode(error, 'PAYLOAD_TOO_LARGE')) {
    // Deviation: MQTT 5.0 §3.4.2.1 does not list 0x95, which Mosquitto sends here.
    sendAck(connection, type, messageId, reasonCode)
    return
  }
  const properties = connection.requestProblemInformation
    ? { properties: { reasonString: reasonStringOf(error) } }
    : undefined
  connection.sendPacket({
    cmd: type,
    messageId,
    reasonCode: codeFor('puback', reasonCode),
    ...properties,
  })
}

/** The message was not stored, so it is not acknowledged and the client keeps it. An MQTT 5 client is told when the store is full. */
export function notStored(
  { connection, session, publication, messageId, qos }: IncomingPublish,
  error: unknown,
): 'failed' | undefined {
  connection.engine.traces?.ended(publication, error)
  session.removeReceived(messageId)
  if (isQuotaExceeded(error)) connection.engine.counters.refusedPublishes += 1
  if (isFenced(error)) connection.sessionTakenOver()
  else if (isRefusedAlone(connection, qos, error)) {
    refuseWith(connection, { messageId, qos }, toError(error), ReasonCode.quotaExceeded)
    return undefined
  } else connection.fail(error)
  return 'failed'
}

/** Other brokers could not get the message. It is not acknowledged, so the client sends it again. */
export function notSent(request: IncomingPublish, error: unknown): void {
  const { connection, session, publication, messageId, qos } = request
  const { engine, version } = connection
  engine.traces?.ended(publication, error)
  // A client that has reconnected meanwhile waits for the acknowledgement on its new connection.
  const current = engine.clients.get(session.clientId)?.session
  if (qos === 2 && current?.removeReceived(messageId) === true) {
    if (current.stored) {
      const { client } = current.connection
      engine.own('COMPLETE_FAILED', () => engine.persistence.complete(current.handle, messageId), client)
    }
    if (current !== session) current.connection.fail(error)
  }
  if (!isQuotaExceeded(error) || version !== 5 || qos === 0) throw error
  refuseWith(connection, { messageId, qos }, toError(error), ReasonCode.quotaExceeded)
}

/** Whether the publisher of a message that can't be stored is told so, and stays. */
export function isRefusedAlone({ version }: ClientConnection, qos: number, error: unknown): boolean {
  return isQuotaExceeded(error) && version === 5 && qos > 0
}

function isQuotaExceeded(error: unknown): boolean {
  return hasCode(error, 'QUOTA_EXCEEDED')
}

function isFenced(error: unknown): boolean {
  return hasCode(error, 'FENCED')
}
