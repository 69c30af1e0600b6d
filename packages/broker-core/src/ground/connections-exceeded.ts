import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** Why a connection is closed at once. */
export function connectionsExceeded(limit: number): BrokerError {
  return new BrokerError('CONNECTIONS_EXCEEDED', {
    message: `${limit} connections are open, the limit maximumConnections is ${limit}`,
    reasonCode: ReasonCode.serverBusy,
  })
}
