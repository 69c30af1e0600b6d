import { randomUUID } from 'node:crypto'
import type { MaybePromise, OpenedSession, Will } from '@x/contract'
import { PacketError, decodeControl, willProperties } from '@x/packet'
import type { ConnackPacket, ConnectPacket, FrameReader, ProtocolVersion } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { BrokerError, reasonCodeFrom, toError } from './broker-error.ts'
import type { Connection } from './connection.ts'
import { isPromise, then } from './maybe-promise.ts'
import { Publication } from './publication.ts'
import { ReasonCode, reasonCodeOf, returnCodeOf, returnCodeTexts } from './reason-code.ts'
import { Session } from './session.ts'
import { restoreSubscriptions } from './subscribe.ts'

const connectType = 1
const unlimited = 0xffffffff

/** The first packet of a connection. MQTT 5.0 §3.1 */
export function receiveConnect(connection: Connection, reader: FrameReader): MaybePromise<void> {
  if (reader.header >> 4 !== connectType) {
    // [MQTT5-3.1.0-1]
    throw new BrokerError('FIRST_PACKET_NOT_CONNECT', {
      message: `Invalid protocol: the first packet has type ${reader.header >> 4}, it must be CONNECT`,
      reasonCode: ReasonCode.protocolError,
    })
  }
  const frame = reader.frame()
  connection.phase = 'connecting'
  connection.version = claimedVersion(frame, reader.bodyStart - reader.frameStart)
  const packet = decodeControl(frame, connection.version) as ConnectPacket
  connection.version = packet.protocolVersion as ProtocolVersion
  const wire = packet.will === undefined ? undefined : willProperties(frame)
  const { preConnect } = connection.engine.hooks
  if (preConnect === undefined) return checked(connection, packet, wire)
  let answer: MaybePromise<boolean | undefined>
  try {
    answer = preConnect(connection.client, packet)
  } catch (error) {
    return turnAway(connection, toError(error))
  }
  if (!isPromise(answer)) return answer === true ? checked(connection, packet, wire) : turnAway(connection)
  return answer.then(
    ok => (ok === true ? checked(connection, packet, wire) : turnAway(connection)),
    (error: unknown) => turnAway(connection, toError(error)),
  )
}

/** The protocol level byte, so that a CONNECT that can't be read is refused in its own language. */
function claimedVersion(frame: Buffer, bodyStart: number): ProtocolVersion {
  const nameLength = frame.length >= bodyStart + 2 ? frame.readUInt16BE(bodyStart) : 0
  const level = frame[bodyStart + 2 + nameLength]
  return level === 5 ? 5 : level === 3 ? 3 : 4
}

/** Closed by `preConnect`: no CONNACK. */
function turnAway(connection: Connection, error?: Error): void {
  connection.end(error === undefined ? {} : { error })
}

/** Refuses a CONNECT, or whatever came in its place. Peers that spoke MQTT are told why with CONNACK. */
export function refuseConnect(connection: Connection, error: Error): void {
  connection.engine.counters.connectionsRefused += 1
  if (connection.phase === 'connecting') {
    const reasonCode = connackCode(error)
    if (connection.version === 5) {
      sendConnack(connection, { cmd: 'connack', sessionPresent: false, reasonCode, properties: { reasonString: error.message } })
      Object.assign(error, { errorCode: reasonCode })
    } else if (!(error instanceof PacketError) || error.code === 'PROTOCOL_VERSION') {
      const returnCode = returnCodeFrom(error) ?? returnCodeOf(reasonCode)
      if (error.message === '') error.message = returnCodeTexts[returnCode] ?? ''
      sendConnack(connection, { cmd: 'connack', sessionPresent: false, returnCode })
      Object.assign(error, { errorCode: returnCode })
    }
  }
  connection.end({ error })
}

/** CONNACK has no code for what DISCONNECT says of flow and topics. MQTT 5.0 §3.2.2.2 */
function connackCode(error: Error): number {
  const returnCode = returnCodeFrom(error)
  if (returnCode !== undefined) return reasonCodeOf(returnCode)
  const reasonCode = reasonCodeFrom(error, ReasonCode.unspecifiedError)
  return reasonCode === ReasonCode.topicFilterInvalid ? ReasonCode.topicNameInvalid : reasonCode
}

/** `returnCode` 1 to 5, as hooks written for Aedes set it on their error. */
function returnCodeFrom(error: Error): number | undefined {
  if (error instanceof BrokerError && error.code === 'KEEP_ALIVE_LIMIT') return 6
  if (!('returnCode' in error)) return undefined
  const { returnCode } = error
  return typeof returnCode === 'number' && returnCode >= 1 && returnCode <= 5 ? returnCode : 5
}

function sendConnack(connection: Connection, packet: ConnackPacket): void {
  connection.sendPacket(packet)
  const { broker } = connection.engine
  if (broker.listenerCount('connackSent') > 0) broker.emit('connackSent', packet, connection.client)
}

/** Well-formed, and let pass by `preConnect`: who is it? */
function checked(connection: Connection, packet: ConnectPacket, wire: Uint8Array | undefined): MaybePromise<void> {
  if (connection.phase !== 'connecting') return undefined
  const { engine, client } = connection
  const agreement = agree(connection, packet)
  client.accept(packet, agreement.clientId)
  const will = packet.will === undefined ? undefined : makeWill(connection, packet, agreement.clientId, wire)
  const { authenticate } = engine.hooks
  if (authenticate === undefined) return authenticated(connection, packet, agreement, will)
  const password = packet.password === undefined ? undefined : Buffer.from(packet.password)
  return then(authenticate(client, packet.username, password), ok => {
    if (ok !== true) {
      throw new BrokerError('NOT_AUTHENTICATED', { message: 'not authorized', reasonCode: ReasonCode.notAuthorized })
    }
    return authenticated(connection, packet, agreement, will)
  })
}

/** What holds for the connection after both sides' wishes and limits. MQTT 5.0 §3.1.2.11, §3.2.2.3 */
interface Agreement {
  readonly clientId: string
  readonly assigned: boolean
  readonly keepAliveSeconds: number
  readonly sessionExpiryInterval: number
  readonly receiveMaximum: number
  readonly maximumPacketSize: number
}

function agree(connection: Connection, packet: ConnectPacket): Agreement {
  const { options } = connection.engine
  const properties = packet.properties ?? {}
  if (properties.authenticationMethod !== undefined) {
    throw new BrokerError('AUTHENTICATION_METHOD', {
      message: `authentication method '${properties.authenticationMethod}' is not supported`,
      reasonCode: ReasonCode.badAuthenticationMethod,
    })
  }
  const maximumExpiry = options.maximumSessionExpiryInterval
  const wished = connection.version === 5 ? (properties.sessionExpiryInterval ?? 0) : packet.clean ? 0 : maximumExpiry
  const sessionExpiryInterval = Math.min(wished, maximumExpiry)
  connection.sessionExpiryInterval = sessionExpiryInterval
  connection.requestProblemInformation = properties.requestProblemInformation !== false
  return {
    ...agreeClientId(connection, packet),
    keepAliveSeconds: agreeKeepAlive(connection, packet.keepalive ?? 0),
    sessionExpiryInterval,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    maximumPacketSize: properties.maximumPacketSize ?? unlimited,
  }
}

/** MQTT 5.0 §3.1.3.1, MQTT 3.1.1 §3.1.3.1 */
function agreeClientId(connection: Connection, packet: ConnectPacket): { clientId: string; assigned: boolean } {
  const { clientId } = packet
  const { maxClientsIdLength } = connection.engine.options
  if (connection.version === 3 && Buffer.byteLength(clientId) > maxClientsIdLength) {
    throw new BrokerError('CLIENT_ID_TOO_LONG', {
      message: `identifier rejected: ${Buffer.byteLength(clientId)} bytes exceed maxClientsIdLength of ${maxClientsIdLength} bytes`,
      reasonCode: ReasonCode.clientIdentifierNotValid,
    })
  }
  if (clientId !== '') return { clientId, assigned: false }
  if (connection.version !== 5 && packet.clean !== true) {
    // [MQTT3-3.1.3-8]
    throw new BrokerError('CLIENT_ID_INVALID', {
      message: 'identifier rejected: an empty client identifier needs clean session 1',
      reasonCode: ReasonCode.clientIdentifierNotValid,
    })
  }
  return { clientId: `aedes_${randomUUID()}`, assigned: true }
}

/** 5.0 clients are told the value that counts; 3.x clients can only be refused. MQTT 5.0 §3.2.2.3.14 */
function agreeKeepAlive(connection: Connection, wished: number): number {
  const { keepaliveLimit } = connection.engine.options
  if (keepaliveLimit === 0 || (wished > 0 && wished <= keepaliveLimit)) return wished
  if (connection.version === 5) return keepaliveLimit
  throw new BrokerError('KEEP_ALIVE_LIMIT', {
    message: `keep alive limit exceeded: ${wished} s, keepaliveLimit is ${keepaliveLimit} s`,
    reasonCode: ReasonCode.unspecifiedError,
  })
}

function makeWill(
  connection: Connection,
  packet: ConnectPacket,
  clientId: string,
  wire: Uint8Array | undefined,
): Will {
  const { engine } = connection
  const { will } = packet as Required<Pick<ConnectPacket, 'will'>>
  parseTopicName(will.topic, { maximumLevels: engine.options.maxTopicLevels })
  const message = new Publication(
    will.topic,
    { publisher: clientId, brokerId: engine.brokerId, brokerCounter: 0, now: 0 },
    {
      payload: Buffer.from(will.payload),
      qos: will.qos ?? 0,
      retain: will.retain === true,
      properties: wire,
      expiresAt: undefined,
    },
  )
  return {
    clientId,
    message,
    messageExpiryInterval: will.properties?.messageExpiryInterval,
    delayInterval: will.properties?.willDelayInterval ?? 0,
  }
}

/** Let in. Whoever had this client id leaves ([MQTT5-3.1.4-3]), and the store hands out the session. */
function authenticated(
  connection: Connection,
  packet: ConnectPacket,
  agreement: Agreement,
  will: Will | undefined,
): MaybePromise<void> {
  if (connection.phase !== 'connecting') return undefined
  const { engine } = connection
  const { clientId, sessionExpiryInterval } = agreement
  engine.clients.get(clientId)?.sessionTakenOver()
  engine.clients.set(clientId, connection)
  connection.clientId = clientId
  const session = new Session(connection, engine, {
    clientId,
    stored: sessionExpiryInterval > 0,
    receiveMaximum: agreement.receiveMaximum,
    maximumPacketSize: agreement.maximumPacketSize,
  })
  const opened = engine.persistence.openSession({
    clientId,
    cleanStart: packet.clean === true,
    sessionExpiryInterval,
    will,
    owner: session,
  })
  return then(opened, result => openedSession(connection, session, result, agreement))
}

function openedSession(
  connection: Connection,
  session: Session,
  opened: OpenedSession,
  agreement: Agreement,
): MaybePromise<void> {
  const { engine } = connection
  if (opened.dueWill !== undefined) engine.watch(engine.publishWill(opened.dueWill), 'publishWill')
  if (connection.phase !== 'connecting') {
    // The client left while the store was at it.
    const closing = { sessionExpiryInterval: agreement.sessionExpiryInterval, will: 'discard', sentThrough: 0 } as const
    engine.watch(engine.persistence.closeSession(opened.handle, closing), 'closeSession')
    return undefined
  }
  session.restore(opened)
  connection.session = session
  return then(restoreSubscriptions(connection, session), () => {
    if (connection.phase === 'connecting') welcome(connection, session, opened.present, agreement)
  })
}

function welcome(connection: Connection, session: Session, present: boolean, agreement: Agreement): void {
  const { engine, client } = connection
  const { broker, counters, emitter } = engine
  connection.keepAlive = agreement.keepAliveSeconds * 1500
  engine.watch(emitter?.announce(session.clientId), 'announce')
  counters.connectionsAccepted += 1
  counters.clientsConnected += 1
  const connack = makeConnack(connection, present, agreement)
  connection.sendPacket(connack)
  connection.accepted(engine.options.maximumPacketSize)
  session.open()
  broker.emit('client', client)
  if (broker.listenerCount('connackSent') > 0) broker.emit('connackSent', connack, client)
  session.pump()
  client.ready()
}

function makeConnack(connection: Connection, present: boolean, agreement: Agreement): ConnackPacket {
  // 3.1 has no Session Present flag.
  const sessionPresent = connection.version !== 3 && present
  if (connection.version !== 5) return { cmd: 'connack', sessionPresent, returnCode: 0 }
  const { engine, client } = connection
  const { options, persistence } = engine
  const wished = client.connectProperties?.sessionExpiryInterval ?? 0
  return {
    cmd: 'connack',
    sessionPresent,
    reasonCode: ReasonCode.success,
    properties: {
      ...(agreement.sessionExpiryInterval !== wished && { sessionExpiryInterval: agreement.sessionExpiryInterval }),
      receiveMaximum: options.maxInflightInbound,
      maximumPacketSize: options.maximumPacketSize,
      ...(agreement.assigned && { assignedClientIdentifier: agreement.clientId }),
      topicAliasMaximum: options.topicAliasMaximum,
      ...(agreement.keepAliveSeconds !== client.keepalive && { serverKeepAlive: agreement.keepAliveSeconds }),
      ...(!persistence.supports.sharedSubscriptions && { sharedSubscriptionAvailable: false }),
    },
  }
}

