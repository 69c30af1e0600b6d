import type { MaybePromise, Will } from '@x/contract'
import type { DisconnectPacket } from '@x/packet'
import { BrokerError } from './broker-error.ts'
import type { Connection, Ending, Phase } from './connection.ts'
import { after } from './maybe-promise.ts'
import { ReasonCode } from './reason-code.ts'
import type { Session } from './session.ts'
import { publishWill } from './will.ts'

/** DISCONNECT from a client: the connection ends as it wishes. MQTT 5.0 §3.14 */
export function receiveDisconnect(connection: Connection, packet: DisconnectPacket): void {
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
  connection.end({ discardWill: (packet.reasonCode ?? 0) === ReasonCode.success })
}

/** Takes the client out of everything it was in, and tells the store and the program. `before`: the phase it leaves. */
export function endSession(connection: Connection, before: Phase, ending: Ending): void {
  const { engine, client, session } = connection
  const { broker } = engine
  if (connection.clientId !== undefined && engine.clients.get(connection.clientId) === connection) {
    engine.clients.delete(connection.clientId)
  }
  client.left()
  if (ending.error !== undefined) broker.reportConnectionError(client, ending.error)
  if (session !== undefined) closeSession(connection, session, before === 'connected' && ending.discardWill !== true)
  if (before !== 'connected') return
  engine.counters.clientsConnected -= 1
  if (session !== undefined && connection.sessionExpiryInterval === 0 && session.subscriptions.size > 0) {
    const filters = [...session.subscriptions.keys()]
    if (broker.listenerCount('unsubscribe') > 0) broker.emit('unsubscribe', filters, client)
    engine.presence.unsubscribed(session.clientId, filters)
  }
  broker.emit('clientDisconnect', client)
  engine.presence.clientDisconnected(client.id as string)
}

function closeSession(connection: Connection, session: Session, wantsWill: boolean): void {
  const { engine, sessionExpiryInterval } = connection
  session.close()
  if (session.stored && connection.pending !== undefined) {
    engine.unfinished.add(session.clientId, connection.pending.ended)
  }
  for (const subscription of session.subscriptions.values()) engine.router.removeSession(subscription.filter, session)
  for (const group of session.groups ?? []) {
    group.remove(session)
    engine.removeGroupIfEmpty(group)
  }
  const closing = {
    sessionExpiryInterval,
    will: wantsWill ? 'publish' : 'discard',
    sentThrough: session.sentThrough,
  } as const
  try {
    engine.watch(after(engine.persistence.closeSession(session.handle, closing), publish), 'closeSession')
  } catch (error) {
    engine.fail(error, 'closeSession')
  }

  function publish(will: Will | undefined): MaybePromise<void> {
    return will === undefined ? undefined : publishWill(engine, will, connection)
  }
}
