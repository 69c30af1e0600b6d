import { PacketError } from '@x/packet'
import type { ConnackPacket } from '@x/packet'
import { TopicError } from '@x/topic-trie'
import { reasonCodeFrom, reasonStringOf, serverReferenceOf } from './broker-error.ts'
import type { Connection } from './connection.ts'
import { ReasonCode, codeFor, reasonCodeOf, returnCodeOf, returnCodeTexts } from './reason-code.ts'

/** Refuses a CONNECT, or whatever came in its place. Peers that spoke MQTT are told why with CONNACK: the error's own reason
 * code, or else `fallback`. */
export function refuseConnect(
  connection: Connection,
  error: Error,
  fallback: number = ReasonCode.serverUnavailable,
): void {
  connection.engine.counters.connectionsRefused += 1
  if (connection.phase === 'connecting' || connection.phase === 'authenticating') {
    const reasonCode = connackCode(error, fallback)
    if (connection.version === 5) {
      const properties = { reasonString: reasonStringOf(error), ...serverReferenceOf(error) }
      sendConnack(connection, { cmd: 'connack', sessionPresent: false, reasonCode, properties })
      note(error, 'errorCode', reasonCode)
    } else if (!isMalformed(error)) {
      const returnCode = returnCodeFrom(error) ?? returnCodeOf(reasonCode)
      if (error.message === '') note(error, 'message', returnCodeTexts[returnCode] ?? '')
      sendConnack(connection, { cmd: 'connack', sessionPresent: false, returnCode })
      note(error, 'errorCode', returnCode)
    }
  }
  connection.end({ error })
}

/** A hook may have thrown an error that can't be written to. */
function note(error: Error, name: 'errorCode' | 'message', value: unknown): void {
  Reflect.set(error, name, value)
}

/** Before MQTT 5 there is no return code for a packet that is wrong: the connection is closed. MQTT 3.1.1 §4.8 */
function isMalformed(error: Error): boolean {
  if (error instanceof TopicError) return true
  return error instanceof PacketError && error.code !== 'PROTOCOL_VERSION'
}

function connackCode(error: Error, fallback: number): number {
  const returnCode = returnCodeFrom(error)
  if (returnCode !== undefined) return reasonCodeOf(returnCode)
  return codeFor('connack', reasonCodeFrom(error, fallback))
}

/** `returnCode` 1 to 5, as hooks written for Aedes set it on their error. */
function returnCodeFrom(error: Error): number | undefined {
  if (!('returnCode' in error)) return undefined
  const { returnCode } = error
  return typeof returnCode === 'number' && returnCode >= 1 && returnCode <= 5 ? returnCode : 5
}

function sendConnack(connection: Connection, packet: ConnackPacket): void {
  connection.sendPacket(packet)
  connection.client.connackSent = true
  const { broker } = connection.engine
  if (broker.listenerCount('connackSent') > 0) broker.emit('connackSent', packet, connection.client)
}
