import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Why a payload of this many bytes is not published, as far as `maximumPayloadSize` decides; undefined: it is. */
export function payloadRefusal(bytes: number, maximumPayloadSize: number): BrokerError | undefined {
  if (maximumPayloadSize === 0 || bytes <= maximumPayloadSize) return undefined
  return new BrokerError('PAYLOAD_TOO_LARGE', {
    message: `payload of ${bytes} bytes exceeds maximumPayloadSize of ${maximumPayloadSize} bytes`,
    reasonCode: ReasonCode.packetTooLarge,
  })
}
