import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

const connections = '$SYS/broker/connection/'
const state = '/state'

/** `$SYS/` is the broker's own: what clients may do there `authorizePublish` decides, and without that hook it is nothing, but for
 * the one topic on which a bridge says whether it is connected: `$SYS/broker/connection/NAME/state`. Mosquitto's do so by default. */
export function isReserved(topic: string, { bridge }: { readonly bridge: boolean }): boolean {
  if (topic.charCodeAt(0) !== 0x24 || !topic.startsWith('$SYS/')) return false
  return !(bridge && isBridgeState(topic))
}

function isBridgeState(topic: string): boolean {
  return topic.startsWith(connections) && topic.endsWith(state) && topic.length > connections.length + state.length
}

/** The refusal of a message, or will, about such a topic. */
export function topicReserved(topic: string): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: '$SYS/ topic is reserved',
    detail: `'${topic}' may not be published by clients`,
    reasonCode: ReasonCode.notAuthorized,
  })
}
