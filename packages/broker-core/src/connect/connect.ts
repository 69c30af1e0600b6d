import type { MaybePromise } from '@x/contract'
import { Decoder, decodeControl, willProperties } from '@x/packet'
import type { ConnectPacket, FrameReader, Packet, ProtocolVersion } from '@x/packet'
import { negotiate } from './negotiated.ts'
import type { Attempt, Negotiated } from './attempt.ts'
import { beginAuthentication } from './authentication.ts'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { ClientConnection } from './client-connection.ts'
import { openSession } from './open-session.ts'
import { logIn } from './log-in.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { peerAddress } from './peer-address.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { refuseConnect } from './refuse-connect.ts'
import { makeWill } from './will.ts'

const connectType = 1

/** Receives the first packet of a connection. MQTT 5.0 §3.1 */
export function receiveConnect(connection: ClientConnection, reader: FrameReader): MaybePromise<void> {
  if (reader.header >> 4 !== connectType) {
    // [MQTT5-3.1.0-1]
    throw new BrokerError('FIRST_PACKET_NOT_CONNECT', {
      message: 'Invalid protocol',
      detail: `the first packet has type ${reader.header >> 4}, it must be CONNECT`,
      reasonCode: ReasonCode.protocolError,
      ...packetIn(reader),
    })
  }
  const frame = reader.frame()
  connection.phase = 'connecting'
  connection.version = claimedVersion(frame, reader.bodyStart - reader.frameStart)
  const packet = decodeControl(frame, connection.version, connection.engine.frameSettings) as ConnectPacket
  connection.version = packet.protocolVersion as ProtocolVersion
  const { openFailure } = connection.engine
  if (openFailure !== undefined) return refuseConnect(connection, notOpen(openFailure))
  const foreign = versionProblem(connection)
  if (foreign !== undefined) return refuseConnect(connection, foreign)
  const tooOften = connection.engine.connectRate.add(peerAddress(connection))
  if (tooOften !== undefined) return refuseConnect(connection, tooOften)
  const wire = packet.will === undefined ? undefined : willProperties(frame)
  const { preConnect } = connection.engine.hooks
  if (preConnect === undefined || connection.client.trusted) return identify(connection, packet, wire)
  let permitted: MaybePromise<boolean | undefined>
  try {
    permitted = preConnect(connection.client, packet)
  } catch (error) {
    return turnAway(connection, toError(error))
  }
  if (!isPromise(permitted)) return permitted === true ? identify(connection, packet, wire) : turnAway(connection)
  return permitted.then(
    ok => (ok === true ? identify(connection, packet, wire) : turnAway(connection)),
    (error: unknown) => turnAway(connection, toError(error)),
  )
}

/** The packet for the error's `info`; undefined if it can't be decoded. */
function packetIn(reader: FrameReader): { info?: Packet } {
  try {
    const [info] = new Decoder().push(Buffer.from(reader.frame()))
    return info === undefined ? {} : { info }
  } catch {
    return {}
  }
}

/** The version that the protocol level byte claims, so that a malformed CONNECT is refused in its own version. An unknown higher level
 * is refused in the form of MQTT 5, unless the name is that of MQTT 3.1. The high bit marks a bridge. */
function claimedVersion(frame: Buffer, bodyStart: number): ProtocolVersion {
  const nameLength = frame.length >= bodyStart + 2 ? frame.readUInt16BE(bodyStart) : 0
  const level = frame[bodyStart + 2 + nameLength]
  const plain = (level ?? 4) & 0x7f
  if (plain === 3) return 3
  return plain >= 5 && nameLength !== 'MQIsdp'.length ? 5 : 4
}

/** Why the listener does not serve clients of this version. */
function versionProblem({ version, profile }: ClientConnection): BrokerError | undefined {
  if (profile?.acceptedVersions === undefined || profile.acceptedVersions.includes(version)) return undefined
  return new BrokerError('VERSION_NOT_ACCEPTED', {
    message: `protocol level ${version} is not one that listener ${profile.name} accepts: ${profile.acceptedVersions.join(', ')}`,
    reasonCode: ReasonCode.unsupportedProtocolVersion,
  })
}

/** Ends a connection that `preConnect` refused, without CONNACK. */
function turnAway(connection: ClientConnection, error?: Error): void {
  connection.end({ reason: 'refusal', ...(error && { error }) })
}

/** Identifies the client of a valid CONNECT that `preConnect` permits, and has it authenticated. */
function identify(
  connection: ClientConnection,
  packet: ConnectPacket,
  wire: Uint8Array | undefined,
): MaybePromise<void> {
  if (connection.phase !== 'connecting') return undefined
  const own = negotiate(connection, packet)
  assertPrefix(connection, own.clientId)
  connection.client.accept(packet, own.clientId)
  connection.maximumPacketSize = own.maximumPacketSize
  const problem = takeIdentity(connection, packet)
  if (problem !== undefined) return refuseConnect(connection, problem)
  connection.username = packet.username
  if (connection.engine.options.checkRetainSource && !connection.client.trusted)
    connection.source = { username: packet.username, listener: connection.profile?.name }
  const negotiated = connection.profile?.usernameAsClientId === true ? named(connection, packet, own) : own
  return authenticate(connection, { packet, negotiated, will: packet.will && makeWill(connection, packet.will, wire) })
}

/** Replaces the user name by that which the transport has verified, if the listener uses it. Returns an error when there is none. */
function takeIdentity({ client, profile }: ClientConnection, packet: ConnectPacket): BrokerError | undefined {
  if (profile?.username === undefined) return undefined
  const username = profile.username(client)
  if (typeof username !== 'string') return notIdentified(profile.name)
  client.identity = username
  packet.username = username
  return undefined
}

/** @throws BrokerError `CLIENT_ID_INVALID` */
function assertPrefix({ profile }: ClientConnection, clientId: string): void {
  const prefix = profile?.clientIdPrefix
  if (prefix === undefined || clientId.startsWith(prefix)) return
  throw new BrokerError('CLIENT_ID_INVALID', {
    message: 'not authorized',
    detail: `client identifiers of listener ${profile?.name} begin with '${prefix}', '${clientId}' does not`,
    reasonCode: ReasonCode.notAuthorized,
  })
}

/** The client under its user name in place of its identifier.
 * @throws BrokerError `CLIENT_ID_INVALID` when it has none */
function named(connection: ClientConnection, { username }: ConnectPacket, negotiated: Negotiated): Negotiated {
  if (username === undefined || username === '') {
    throw new BrokerError('CLIENT_ID_INVALID', {
      message: 'not authorized',
      detail: `listener ${connection.profile?.name} takes the user name for the client identifier, and there is none`,
      reasonCode: ReasonCode.notAuthorized,
    })
  }
  connection.client.id = username
  return { ...negotiated, clientId: username }
}

/** Chooses how the client is authenticated: enhanced, by the hook of the listener or the broker, or not at all. */
function authenticate(connection: ClientConnection, attempt: Attempt): MaybePromise<void> {
  if (attempt.packet.properties?.authenticationMethod !== undefined) return beginAuthentication(connection, attempt)
  const { engine, profile } = connection
  const hook = profile?.authenticate === undefined ? engine.hooks.authenticate : profile.authenticate
  return hook === undefined || hook === null ? openSession(connection, attempt) : logIn(connection, attempt, hook)
}

/** The cause is for the program; the peer learns nothing about store and emitter. */
function notOpen(cause: Error): BrokerError {
  return new BrokerError('NOT_OPEN', {
    message: 'the broker could not be opened',
    reasonCode: ReasonCode.serverUnavailable,
    cause,
  })
}

function notIdentified(listener: string): BrokerError {
  return new BrokerError('NOT_AUTHENTICATED', {
    message: 'not authorized',
    detail: `listener ${listener} takes the user name from the client's certificate, and there is none`,
    reasonCode: ReasonCode.notAuthorized,
  })
}
