import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** The error of what a program asks of a closed broker. */
export function brokerClosed(what = 'the broker'): BrokerError {
  return new BrokerError('BROKER_CLOSED', {
    message: `${what} is closed`,
    reasonCode: ReasonCode.serverShuttingDown,
  })
}
