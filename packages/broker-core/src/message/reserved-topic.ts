import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

const connections = '$SYS/broker/connection/'
const state = '/state'

/** Whether a topic, or a filter that is not shared, is part of what the broker says about itself. A wildcard in front never is: it hides
 * all topics that begin with `$` (MQTT 5.0 §4.7.2). */
export function isOfSystem(topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 && (topic.startsWith('$SYS/') || topic === '$SYS')
}

/** Whether a topic is reserved for the broker: all of `$SYS/`, unless `authorizePublish` decides about it. A bridge may publish its
 * state on `$SYS/broker/connection/NAME/state`, as Mosquitto's bridges do by default. */
export function isReserved(topic: string, { bridge }: { readonly bridge: boolean }): boolean {
  if (topic.charCodeAt(0) !== 0x24 || !topic.startsWith('$SYS/')) return false
  return !(bridge && isBridgeState(topic))
}

function isBridgeState(topic: string): boolean {
  return topic.startsWith(connections) && topic.endsWith(state) && topic.length > connections.length + state.length
}

/** The refusal of a message, or a will, on a reserved topic. */
export function topicReserved(topic: string): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: '$SYS/ topic is reserved',
    detail: `'${topic}' may not be published by clients`,
    reasonCode: ReasonCode.notAuthorized,
  })
}
