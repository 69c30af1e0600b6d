import type { MaybePromise } from '@x/contract'
import type { FrameReader } from '@x/packet'
import { receiveAuthentication } from './connect/authentication.ts'
import { emptyClientQueue, publishToClient, subscribeClient, unsubscribeClient } from './program/client-verbs.ts'
import type { ClientConnection, Protocol } from './connect/client-connection.ts'
import { receiveConnect } from './connect/connect.ts'
import { announceDeparture, endSession } from './handlers/disconnect.ts'
import { receivePacket } from './handlers/index.ts'
import { refuseConnect } from './connect/refuse-connect.ts'

/** What CONNECT takes of a turn beside its bytes, in units of `Turn.credit`. */
const connectUnits = 48

/** MQTT, as the engine hands it to its connections. */
export const protocol: Protocol = {
  receive: receivePacket,
  receiveFirst,
  refuse: (connection, error) => refuseConnect(connection, error),
  ended: (connection, ending, before) => {
    const departure = endSession(connection, before, ending)
    return () => announceDeparture(connection, departure)
  },
  publish: publishToClient,
  subscribe: subscribeClient,
  unsubscribe: unsubscribeClient,
  emptyQueue: emptyClientQueue,
}

function receiveFirst(connection: ClientConnection, reader: FrameReader): MaybePromise<void> {
  connection.engine.turn.credit -= connectUnits
  return connection.phase === 'authenticating'
    ? receiveAuthentication(connection, reader)
    : receiveConnect(connection, reader)
}
