import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** `$SYS/` is the broker's own: what clients may do there `authorizePublish` decides, and without that hook it is nothing. */
export function isReserved(topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 && topic.startsWith('$SYS/')
}

/** The refusal of a message, or will, about such a topic. */
export function topicReserved(topic: string): BrokerError {
  return new BrokerError('NOT_AUTHORIZED', {
    message: '$SYS/ topic is reserved',
    detail: `'${topic}' may not be published by clients`,
    reasonCode: ReasonCode.notAuthorized,
  })
}
