import { PersistenceError } from '@x/contract'
import { PacketError } from '@x/packet'
import type { ConnackPacket } from '@x/packet'
import { TopicError } from '@x/topic-trie'
import { BrokerError, reasonCodeFrom, reasonStringOf, serverReferenceOf } from '../ground/broker-error.ts'
import type { ClientConnection } from './client-connection.ts'
import { ReasonCode, codeFor, reasonCodeOf, returnCodeOf, returnCodeTexts } from '../ground/reason-code.ts'

/** Refuses a CONNECT, or what came in its place, and ends the connection. A peer that speaks MQTT gets CONNACK with the error's own
 * reason code, or else `fallback`. */
export function refuseConnect(
  connection: ClientConnection,
  error: Error,
  fallback: number = ReasonCode.serverUnavailable,
): void {
  const { broker, counters } = connection.engine
  counters.connectionsRefused += 1
  if (error instanceof PersistenceError && error.code === 'QUOTA_EXCEEDED') counters.refusedSessions += 1
  const connack = connackFor(connection, error, fallback)
  if (connack === undefined) {
    connection.end({ reason: 'refusal', error })
    return
  }
  const { client } = connection
  connection.sendPacket(connack)
  client.connackSent = true
  client.errored = true
  // The events come when CONNACK was written to the socket, as for an accepted client.
  const sent = (): void => {
    broker.emit('connackSent', connack, client)
    broker.reportConnectionError(client, error)
  }
  connection.end({ reason: 'refusal', sent })
}

/** The CONNACK in the client's own version; undefined for peers that do not speak MQTT, and for those whose will is a command: they learn
 * nothing, as with Mosquitto. */
function connackFor(connection: ClientConnection, error: Error, fallback: number): ConnackPacket | undefined {
  if (connection.phase !== 'connecting' && connection.phase !== 'authenticating') return undefined
  if (error instanceof BrokerError && error.code === 'CONTROL_WILL') return undefined
  const reasonCode = connackCode(error, fallback)
  if (connection.version === 5) {
    const words = connection.engine.options.reasonStrings ? { reasonString: reasonStringOf(error) } : {}
    const properties = { ...words, ...serverReferenceOf(error) }
    note(error, 'errorCode', reasonCode)
    return { cmd: 'connack', sessionPresent: false, reasonCode, properties }
  }
  if (isMalformed(error)) return undefined
  const returnCode = returnCodeFrom(error) ?? returnCodeOf(reasonCode)
  if (error.message === '') note(error, 'message', returnCodeTexts[returnCode] ?? '')
  note(error, 'errorCode', returnCode)
  return { cmd: 'connack', sessionPresent: false, returnCode }
}

/** Sets a property of the error; one of a hook may be frozen. */
function note(error: Error, name: 'errorCode' | 'message', value: unknown): void {
  Reflect.set(error, name, value)
}

/** Before MQTT 5 there is no return code for a malformed packet: the connection is closed. MQTT 3.1.1 §4.8 */
function isMalformed(error: Error): boolean {
  if (error instanceof TopicError) return true
  return error instanceof PacketError && error.code !== 'PROTOCOL_VERSION'
}

/** The reason code of an error in CONNACK: its own, or else `fallback`. */
export function connackCode(error: Error, fallback: number): number {
  const returnCode = returnCodeFrom(error)
  if (returnCode !== undefined) return reasonCodeOf(returnCode)
  return codeFor('connack', reasonCodeFrom(error, fallback))
}

/** `returnCode` 2 to 5, as hooks written for Aedes set it on their error; any other becomes 5 there as well. */
function returnCodeFrom(error: Error): number | undefined {
  if (!('returnCode' in error)) return undefined
  const { returnCode } = error
  return typeof returnCode === 'number' && returnCode >= 2 && returnCode <= 5 ? returnCode : 5
}
