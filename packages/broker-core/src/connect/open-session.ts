import type { MaybePromise, OpenedSession } from '@x/contract'
import type { ConnackPacket, ConnackProperties } from '@x/packet'
import type { Negotiated, Attempt } from './attempt.ts'
import type { ClientConnection, Host } from './client-connection.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { refuseConnect } from './refuse-connect.ts'
import { sessionProblem } from './session-limit.ts'
import { Session } from '../session/session.ts'
import { restoreSubscriptions } from './restored-subscriptions.ts'
import { permittedWill, publishWill } from './will.ts'

/** ms of silence for each second of Keep Alive: one and a half times the interval ends a connection. MQTT 5.0 §3.1.2.10 */
const keepAliveFactor = 1500

/** Opens the session in the store and accepts the client. The previous connection of this client id stays until the store has opened it
 * ([MQTT5-3.1.4-3]), so that an unreachable store ends no connection. */
export function openSession(connection: ClientConnection, { packet, negotiated, will }: Attempt): MaybePromise<void> {
  if (connection.phase !== 'connecting') return undefined
  const { engine } = connection
  const { clientId, sessionExpiryInterval } = negotiated
  const problem = engine.userSessions.problemOf(packet.username, clientId)
  if (problem !== undefined) {
    refuseConnect(connection, problem)
    return undefined
  }
  connection.opening = engine.nextOpening()
  // A session that may be resumed has its queue in the store even if it ends with this connection, since messages may wait there.
  const stored = sessionExpiryInterval > 0 || packet.clean !== true
  const session = new Session(connection, engine, {
    clientId,
    stored,
    receiveMaximum: negotiated.receiveMaximum,
    maximumPacketSize: negotiated.maximumPacketSize,
    topicAliasMaximum: negotiated.topicAliasMaximum,
  })
  engine.userSessions.opened(packet.username, clientId)
  const permitted = permittedWill(connection, will)
  // At the same time: what this client has published at another broker before comes before what it publishes here.
  const arrived = engine.emitter?.arrived?.()
  const opened = recover(
    () =>
      engine.persistence.openSession({
        clientId,
        cleanStart: packet.clean === true,
        sessionExpiryInterval: stored ? Math.max(1, sessionExpiryInterval) : 0,
        will: permitted,
        owner: session,
      }),
    error => {
      if (!engine.clients.has(clientId)) engine.userSessions.forget(clientId)
      throw error
    },
  )
  return after(opened, result => openedSession({ connection, session, negotiated, arrived }, result))
}

interface Opening {
  readonly connection: ClientConnection
  readonly session: Session
  readonly negotiated: Negotiated
  readonly arrived: MaybePromise<void>
}

function openedSession(opening: Opening, opened: OpenedSession): MaybePromise<void> {
  const { connection, session, negotiated } = opening
  const { engine } = connection
  const { clientId } = session
  const previous = engine.clients.get(clientId)
  const isOvertaken = previous !== undefined && previous.opening > connection.opening
  // This connection has its session now.
  if (!isOvertaken) previous?.sessionTakenOver()
  if (opened.dueWill !== undefined) void publishWill(engine, opened.dueWill, previous)
  if (isOvertaken) connection.sessionTakenOver()
  return after(sessionProblem(engine, session, opened), problem => {
    if (problem === undefined && connection.phase === 'connecting') return begin(opening, opened)
    // The client left, or another connection came, while the store opened the session; or it is one too many.
    // What begins with a CONNECT that is not answered ends with it: the client would take it for the session that it knows.
    const isKept = problem === undefined && opened.present
    closeAgain(connection, opened, isKept ? negotiated.sessionExpiryInterval : 0)
    return problem && refuseConnect(connection, problem)
  })
}

/** Closes a session that its connection does not get. */
function closeAgain({ engine, client }: ClientConnection, opened: OpenedSession, sessionExpiryInterval: number): void {
  const { handle, sentThrough } = opened
  const { clientId } = handle
  if (!engine.clients.has(clientId)) engine.userSessions.closed(clientId, sessionExpiryInterval)
  const closing = { sessionExpiryInterval, will: 'discard', sentThrough } as const
  engine.own('SESSION_CLOSE_FAILED', () => engine.persistence.closeSession(handle, closing), client)
}

function begin({ connection, session, negotiated, arrived }: Opening, opened: OpenedSession): MaybePromise<void> {
  const { clientId } = session
  connection.engine.clients.set(clientId, connection)
  connection.clientId = clientId
  session.restore(opened)
  connection.session = session
  connection.hasBegunSession = !opened.present
  const ready = after(restoreSubscriptions(session, opened.subscriptions), () => arrived)
  return after(ready, () => {
    if (connection.phase !== 'connecting') return undefined
    return welcome(connection, session, opened.present, negotiated)
  })
}

function welcome(
  connection: ClientConnection,
  session: Session,
  present: boolean,
  negotiated: Negotiated,
): MaybePromise<void> {
  const { engine, client } = connection
  const { broker, counters, emitter } = engine
  const connack = makeConnack(connection, present, negotiated)
  if (!connection.sendPacket(connack)) return undefined
  engine.own('ANNOUNCE_FAILED', () => emitter?.announce(session.clientId))
  counters.connectionsAccepted += 1
  counters.clientsConnected += 1
  connection.accepted(negotiated.keepAliveSeconds * keepAliveFactor)
  session.open()
  broker.emit('client', client)
  engine.presence.clientConnected(session.clientId)
  client.connackSent = true
  session.pump()
  const isAwaited = broker.listenerCount('connackSent') + broker.listenerCount('clientReady') > 0
  // Listeners are called before the client's next packets take effect. Without listeners the packets need not wait.
  if (isAwaited || client.listenerCount('connected') > 0) {
    return new Promise(resolve => {
      setImmediate(becomeReady, connection, connack, resolve)
    })
  }
  setImmediate(becomeReady, connection, connack)
  return undefined
}

/** CONNACK was written to the socket at the end of the turn. */
function becomeReady(connection: ClientConnection, connack: ConnackPacket, told?: () => void): void {
  connection.client.ready()
  // One turn later a client in the same process has read it; if the program ended the client earlier, it would never send DISCONNECT.
  if (told !== undefined) setImmediate(tellReady, connection, connack, told)
  else tellReady(connection, connack)
}

function tellReady({ client, engine }: ClientConnection, connack: ConnackPacket, told?: () => void): void {
  if (!client.closed) engine.broker.emit('connackSent', connack, client)
  client.tellReady()
  told?.()
}

function makeConnack(connection: ClientConnection, present: boolean, negotiated: Negotiated): ConnackPacket {
  // MQTT MQTT 3.1 has no Session Present flag.
  const sessionPresent = connection.version !== 3 && present
  if (connection.version !== 5) return { cmd: 'connack', sessionPresent, returnCode: 0 }
  const { engine, client } = connection
  const { options } = engine
  const { topicAliasMaximum = options.topicAliasMaximum, maximumQoS = options.maximumQoS } = connection.profile ?? {}
  const { sessionExpiryInterval: wished = 0, requestResponseInformation } = client.connectProperties ?? {}
  return {
    cmd: 'connack',
    sessionPresent,
    reasonCode: ReasonCode.success,
    // In Mosquitto's order, since there are programs that compare bytes.
    properties: {
      ...(negotiated.keepAliveSeconds !== client.keepalive && { serverKeepAlive: negotiated.keepAliveSeconds }),
      ...(topicAliasMaximum > 0 && { topicAliasMaximum }),
      ...(negotiated.assigned && { assignedClientIdentifier: negotiated.clientId }),
      ...(negotiated.sessionExpiryInterval !== wished && { sessionExpiryInterval: negotiated.sessionExpiryInterval }),
      ...connection.authentication?.answer,
      ...(requestResponseInformation === true &&
        options.responseInformation !== undefined && { responseInformation: options.responseInformation }),
      ...missingFeatures(engine),
      maximumPacketSize: options.maximumPacketSize,
      receiveMaximum: engine.receiveMaximum,
      ...(maximumQoS < 2 && { maximumQoS }),
    },
  }
}

/** The features that are not available; all others are the default. MQTT 5.0 §3.2.2.3 */
function missingFeatures({ options, persistence }: Host): ConnackProperties {
  const shared = options.sharedSubscriptionAvailable && persistence.supports.sharedSubscriptions
  return {
    ...(!options.retainAvailable && { retainAvailable: false }),
    ...(!options.wildcardSubscriptionAvailable && { wildcardSubscriptionAvailable: false }),
    ...(!options.subscriptionIdentifiersAvailable && { subscriptionIdentifiersAvailable: false }),
    ...(!shared && { sharedSubscriptionAvailable: false }),
  }
}
