import { randomUUID } from 'node:crypto'
import type { ConnectPacket } from '@x/packet'
import type { Negotiated } from './attempt.ts'
import { BrokerError } from '../ground/broker-error.ts'
import type { ClientConnection } from './client-connection.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { noMaximumPacketSize } from '../ground/no-maximum.ts'

/** Of the identifiers that Aedes generates. */
const aedesPrefix = 'aedes_'

/** @throws BrokerError when the client asks for a value that can't be granted */
export function negotiate(connection: ClientConnection, packet: ConnectPacket): Negotiated {
  const { options } = connection.engine
  const properties = packet.properties ?? {}
  const maximumExpiry = options.maximumSessionExpiryInterval
  const wished = connection.version === 5 ? (properties.sessionExpiryInterval ?? 0) : packet.clean ? 0 : maximumExpiry
  const sessionExpiryInterval = Math.min(wished, maximumExpiry)
  connection.sessionExpiryInterval = sessionExpiryInterval
  connection.requestProblemInformation = options.reasonStrings && properties.requestProblemInformation !== false
  // Spreading took 5 µs of the 100 that a connection costs.
  const { clientId, assigned } = negotiateClientId(connection, packet)
  return {
    clientId,
    assigned,
    keepAliveSeconds: negotiateKeepAlive(connection, packet.keepalive ?? 0),
    sessionExpiryInterval,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    maximumPacketSize: properties.maximumPacketSize ?? noMaximumPacketSize,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
  }
}

/** MQTT 5.0 §3.1.3.1, MQTT 3.1.1 §3.1.3.1 */
function negotiateClientId(
  connection: ClientConnection,
  packet: ConnectPacket,
): { clientId: string; assigned: boolean } {
  const { clientId } = packet
  const { maxClientsIdLength, maximumClientIdLength } = connection.engine.options
  if (Buffer.byteLength(clientId) > maximumClientIdLength) {
    throw new BrokerError('CLIENT_ID_TOO_LONG', {
      message: 'identifier rejected',
      detail: `${Buffer.byteLength(clientId)} bytes exceed maximumClientIdLength of ${maximumClientIdLength} bytes`,
      reasonCode: ReasonCode.clientIdentifierNotValid,
    })
  }
  if (connection.version === 3 && Buffer.byteLength(clientId) > maxClientsIdLength) {
    throw new BrokerError('CLIENT_ID_TOO_LONG', {
      message: 'identifier rejected',
      detail: `${Buffer.byteLength(clientId)} bytes exceed maxClientsIdLength of ${maxClientsIdLength} bytes`,
      reasonCode: ReasonCode.clientIdentifierNotValid,
    })
  }
  if (clientId !== '') return { clientId, assigned: false }
  if (connection.profile?.allowEmptyClientId === false) {
    throw new BrokerError('CLIENT_ID_INVALID', {
      message: 'identifier rejected',
      detail: `listener ${connection.profile.name} takes no empty client identifier`,
      // As Mosquitto has it: MQTT 5.0 §3.1.3.1 would rather have 0x85.
      reasonCode: connection.version === 5 ? ReasonCode.unspecifiedError : ReasonCode.clientIdentifierNotValid,
    })
  }
  // MQTT 3.1 requires 1 to 23 characters.
  if (connection.version === 3 || (connection.version !== 5 && packet.clean !== true)) {
    // [MQTT3-3.1.3-8]
    throw new BrokerError('CLIENT_ID_INVALID', {
      message: 'identifier rejected',
      detail: 'an empty client identifier needs MQTT 3.1.1 with clean session 1, or MQTT 5',
      reasonCode: ReasonCode.clientIdentifierNotValid,
    })
  }
  const { generatedClientIdPrefix = aedesPrefix } = connection.profile ?? {}
  return { clientId: generatedClientIdPrefix + randomUUID(), assigned: true }
}

/** MQTT 5 clients get the value in CONNACK; 3.x clients can only be refused. MQTT 5.0 §3.2.2.3.14 */
function negotiateKeepAlive(connection: ClientConnection, wished: number): number {
  const { keepaliveLimit } = connection.engine.options
  if (keepaliveLimit === 0 || (wished > 0 && wished <= keepaliveLimit)) return wished
  if (connection.version === 5) return keepaliveLimit
  throw new BrokerError('KEEP_ALIVE_LIMIT', {
    message: 'keep alive limit exceeded',
    detail: `${wished} s, keepaliveLimit is ${keepaliveLimit} s`,
    // Return code 2, as Mosquitto has it: MQTT 3 has none that says more.
    reasonCode: ReasonCode.clientIdentifierNotValid,
  })
}
