import type { MaybePromise, OpenedSession } from '@x/contract'
import type { ConnackPacket, ConnackProperties } from '@x/packet'
import type { Negotiated, Attempt } from './attempt.ts'
import type { ClientConnection, Host } from './client-connection.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { refuseConnect } from './refuse-connect.ts'
import { Session } from '../session/session.ts'
import { restoreSubscriptions } from './restored-subscriptions.ts'
import { permittedWill, publishWill } from './will.ts'

/** ms of silence for each second of Keep Alive: one and a half times the interval ends a connection. MQTT 5.0 §3.1.2.10 */
const keepAliveFactor = 1500

/** Let in, if the store hands out the session. Whoever has this client id stays until then ([MQTT5-3.1.4-3]): with a store that can't be
 * reached it would leave for nobody. */
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
  // A session that may go on has its queue in the store although it ends with this connection: what waits there is its own.
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
  return after(opened, result => openedSession(connection, session, result, negotiated))
}

function openedSession(
  connection: ClientConnection,
  session: Session,
  opened: OpenedSession,
  negotiated: Negotiated,
): MaybePromise<void> {
  const { engine } = connection
  const { clientId } = session
  const previous = engine.clients.get(clientId)
  const isOvertaken = previous !== undefined && previous.opening > connection.opening
  // Its session is this connection's now.
  if (!isOvertaken) previous?.sessionTakenOver()
  if (opened.dueWill !== undefined) void publishWill(engine, opened.dueWill, previous)
  if (isOvertaken) connection.sessionTakenOver()
  if (connection.phase !== 'connecting') {
    // The client left, or another one came, while the store was at it.
    if (!engine.clients.has(clientId)) engine.userSessions.closed(clientId, negotiated.sessionExpiryInterval)
    const { sessionExpiryInterval } = negotiated
    const closing = { sessionExpiryInterval, will: 'discard', sentThrough: opened.sentThrough } as const
    engine.own('SESSION_CLOSE_FAILED', () => engine.persistence.closeSession(opened.handle, closing), connection.client)
    return undefined
  }
  engine.clients.set(clientId, connection)
  connection.clientId = clientId
  session.restore(opened)
  connection.session = session
  return after(restoreSubscriptions(session, opened.subscriptions), () => {
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
  // Who waits for the events hears of what the client sends next after them. Nobody waiting, its packets need not.
  if (isAwaited || client.listenerCount('connected') > 0) {
    return new Promise(resolve => {
      setImmediate(becomeReady, connection, connack, resolve)
    })
  }
  setImmediate(becomeReady, connection, connack)
  return undefined
}

/** The socket has CONNACK, which goes out at the end of the turn. */
function becomeReady(connection: ClientConnection, connack: ConnackPacket, told?: () => void): void {
  connection.client.ready()
  // In the next turn a client of this very process has read it: one that the program ends before that never sends DISCONNECT.
  if (told !== undefined) setImmediate(tellReady, connection, connack, told)
  else tellReady(connection, connack)
}

function tellReady({ client, engine }: ClientConnection, connack: ConnackPacket, told?: () => void): void {
  if (!client.closed) engine.broker.emit('connackSent', connack, client)
  client.tellReady()
  told?.()
}

function makeConnack(connection: ClientConnection, present: boolean, negotiated: Negotiated): ConnackPacket {
  // 3.1 has no Session Present flag.
  const sessionPresent = connection.version !== 3 && present
  if (connection.version !== 5) return { cmd: 'connack', sessionPresent, returnCode: 0 }
  const { engine, client } = connection
  const { options } = engine
  const { sessionExpiryInterval: wished = 0, requestResponseInformation } = client.connectProperties ?? {}
  return {
    cmd: 'connack',
    sessionPresent,
    reasonCode: ReasonCode.success,
    properties: {
      ...(negotiated.sessionExpiryInterval !== wished && { sessionExpiryInterval: negotiated.sessionExpiryInterval }),
      receiveMaximum: engine.receiveMaximum,
      maximumPacketSize: options.maximumPacketSize,
      topicAliasMaximum: options.topicAliasMaximum,
      ...(negotiated.assigned && { assignedClientIdentifier: negotiated.clientId }),
      ...(negotiated.keepAliveSeconds !== client.keepalive && { serverKeepAlive: negotiated.keepAliveSeconds }),
      ...(requestResponseInformation === true &&
        options.responseInformation !== undefined && { responseInformation: options.responseInformation }),
      ...limitedFeatures(engine),
      ...connection.authentication?.answer,
    },
  }
}

/** What this broker does not do; everything else is taken for granted. MQTT 5.0 §3.2.2.3 */
function limitedFeatures({ options, persistence }: Host): ConnackProperties {
  const shared = options.sharedSubscriptionAvailable && persistence.supports.sharedSubscriptions
  return {
    ...(options.maximumQoS < 2 && { maximumQoS: options.maximumQoS }),
    ...(!options.retainAvailable && { retainAvailable: false }),
    ...(!options.wildcardSubscriptionAvailable && { wildcardSubscriptionAvailable: false }),
    ...(!options.subscriptionIdentifiersAvailable && { subscriptionIdentifiersAvailable: false }),
    ...(!shared && { sharedSubscriptionAvailable: false }),
  }
}
