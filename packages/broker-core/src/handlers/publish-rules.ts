import type { PublishFrame } from '@x/packet'
import type { ClientConnection } from '../connect/client-connection.ts'
import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'

/** Checks that the client may publish with this QoS and flag ([MQTT5-3.2.2-11], [MQTT5-3.2.2-14]).
 * @throws BrokerError `QOS_NOT_SUPPORTED`, `RETAIN_NOT_SUPPORTED` */
export function checkAvailable({ engine: { options }, profile }: ClientConnection, frame: PublishFrame): void {
  const maximumQoS = profile?.maximumQoS ?? options.maximumQoS
  if (frame.qos > maximumQoS) {
    throw new BrokerError('QOS_NOT_SUPPORTED', {
      message: `PUBLISH with QoS ${frame.qos} exceeds maximumQoS of ${maximumQoS}`,
      reasonCode: ReasonCode.qosNotSupported,
    })
  }
  if (frame.retain && !options.retainAvailable) {
    throw new BrokerError('RETAIN_NOT_SUPPORTED', {
      message: 'PUBLISH with RETAIN, but retainAvailable is false',
      reasonCode: ReasonCode.retainNotSupported,
    })
  }
}

/** [MQTT5-3.3.4-7]; also keeps QoS 2 ids that are never released from growing without end. */
export function checkReceiveMaximum(connection: ClientConnection, session: Session, qos: number): void {
  const limit = connection.engine.receiveMaximum
  const open = session.received.size + (connection.version === 5 ? (connection.pending?.atLeastOnce ?? 0) : 0)
  if (open < limit) return
  const what = qos === 2 ? 'inbound QoS 2 messages already awaiting PUBREL' : 'inbound messages already unacknowledged'
  throw new BrokerError('RECEIVE_MAXIMUM_EXCEEDED', {
    message: `maxInflightInbound exceeded: ${open} ${what}`,
    reasonCode: ReasonCode.receiveMaximumExceeded,
  })
}
