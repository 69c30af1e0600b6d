import type { MaybePromise, Will } from '@x/contract'
import type { DisconnectPacket } from '@x/packet'
import { BrokerError, hasCode } from '../ground/broker-error.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import type { Phase } from '../connection/connection-host.ts'
import type { Ending } from '../connection/ending.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'
import { publishWill } from '../connect/will.ts'

/** Receives DISCONNECT: the connection ends. MQTT 5.0 §3.14 */
export function receiveDisconnect(connection: ClientConnection, packet: DisconnectPacket): void {
  const interval = packet.properties?.sessionExpiryInterval
  if (interval !== undefined && interval > 0 && connection.sessionExpiryInterval === 0) {
    throw new BrokerError('SESSION_EXPIRY_INVALID', {
      message: `session expiry interval of ${interval} s in DISCONNECT, but CONNECT had 0`,
      reasonCode: ReasonCode.protocolError,
    })
  }
  if (interval !== undefined) {
    connection.sessionExpiryInterval = Math.min(interval, connection.engine.options.maximumSessionExpiryInterval)
  }
  connection.end({ reason: 'disconnect', discardWill: (packet.reasonCode ?? 0) === ReasonCode.success })
}

/** How a connection has ended. */
export interface Departure {
  readonly ending: Ending
  /** The phase before the end. */
  readonly before: Phase
  /** The will to publish, as the store returns it. */
  readonly will: MaybePromise<Will | undefined>
}

/** Removes the client from all tables, and closes the session in the store. `before`: the phase before the end. The program is not
 * called here: `announceDeparture` does that when the connection has ended completely. */
export function endSession(connection: ClientConnection, before: Phase, ending: Ending): Departure {
  const { engine, client, session } = connection
  // The client never heard of it, and would take it for the session that it knows.
  if (before !== 'connected' && connection.hasBegunSession) connection.sessionExpiryInterval = 0
  if (connection.clientId !== undefined && engine.clients.get(connection.clientId) === connection) {
    engine.clients.delete(connection.clientId)
    // When the session was taken over, its new connection decides how long it lasts.
    if (!connection.takenOver) engine.userSessions.closed(connection.clientId, connection.sessionExpiryInterval)
  }
  client.left()
  if (before === 'connected') engine.counters.clientsConnected -= 1
  const wantsWill = before === 'connected' && ending.discardWill !== true
  const will = session === undefined ? undefined : closeSession(connection, session, wantsWill)
  return { ending, before, will }
}

/** Publishes the will and tells the program who has left, and why. */
export function announceDeparture(connection: ClientConnection, departure: Departure): void {
  const { ending, will } = departure
  const { engine, client } = connection
  const { broker } = engine
  if (ending.error !== undefined) {
    if (hasCode(ending.error, 'KEEP_ALIVE_TIMEOUT')) broker.emit('keepaliveTimeout', client)
    broker.reportConnectionError(client, ending.error)
  }
  const mayHaveWill = client.will !== undefined && ending.discardWill !== true
  // Programs expect the will before `clientDisconnect`, whether or not the store answers at once.
  void after(will, due => {
    if (due !== undefined) void publishWill(engine, due, connection)
    if (mayHaveWill) tellGone(connection, departure)
  })
  if (!mayHaveWill) tellGone(connection, departure)
}

function tellGone(connection: ClientConnection, { ending, before }: Departure): void {
  const { engine, client, session } = connection
  const { broker } = engine
  if (before !== 'connected') return
  if (session !== undefined && connection.sessionExpiryInterval === 0 && session.subscriptions.size > 0) {
    const filters = (): string[] => [...session.subscriptions.keys()]
    if (broker.listenerCount('unsubscribe') > 0) broker.emit('unsubscribe', filters(), client)
    engine.presence.unsubscribed(session.clientId, filters)
  }
  broker.emit('clientDisconnect', client, ending.reason)
  engine.presence.clientDisconnected(client.id)
}

function closeSession(
  connection: ClientConnection,
  session: Session,
  wantsWill: boolean,
): MaybePromise<Will | undefined> {
  const { engine, client, sessionExpiryInterval } = connection
  session.close()
  if (session.stored && connection.pending !== undefined) {
    engine.unfinished.add(session.clientId, connection.pending.ended)
  }
  engine.subscriptions.retire(session)
  if (session.isFenced) return undefined
  const closing = {
    sessionExpiryInterval,
    will: wantsWill ? 'publish' : 'discard',
    sentThrough: session.sentThrough,
  } as const
  return recover(
    () => engine.persistence.closeSession(session.handle, closing),
    error => {
      engine.fail(error, 'SESSION_CLOSE_FAILED', client)
      return undefined
    },
  )
}
