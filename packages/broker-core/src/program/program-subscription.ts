import type { Subscription } from '@x/packet'
import { parseTopicFilter } from '@x/topic-trie'
import { BrokerError } from '../ground/broker-error.ts'
import type { BrokerLimits } from '../ground/limits.ts'
import { kindOf } from '../message/broker-packet.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { SubscribeRequest, UnsubscribeRequest, Unsubscription } from '../message/subscription-request.ts'

type Levels = Pick<BrokerLimits, 'maxTopicLevels'>

/** Checks the subscriptions that a program requests for a client.
 * @throws BrokerError `PACKET_INVALID`; TopicError */
export function subscriptionsOf(request: SubscribeRequest, limits: Levels): Subscription[] {
  checkObject(request, 'SUBSCRIBE')
  const list = Array.isArray(request) ? request : 'subscriptions' in request ? request.subscriptions : [request]
  checkList(list)
  return list.map(item => {
    checkObject(item, 'SUBSCRIBE')
    const { qos = 0, ...rest } = item
    checkFilter(rest.topic, limits, 'SUBSCRIBE')
    if (qos !== 0 && qos !== 1 && qos !== 2)
      throw invalid(`qos of a subscription is ${kindOf(qos)}, it must be 0, 1 or 2`)
    return Object.assign(rest, { qos })
  })
}

/** Checks the filters that a program unsubscribes a client from.
 * @throws BrokerError `PACKET_INVALID`; TopicError */
export function filtersOf(request: UnsubscribeRequest, limits: Levels): string[] {
  const list = listOf(request)
  checkList(list)
  return list.map(item => {
    if (typeof item !== 'string') checkObject(item, 'UNSUBSCRIBE')
    const filter = typeof item === 'string' ? item : item.topic
    checkFilter(filter, limits, 'UNSUBSCRIBE')
    return filter
  })
}

/** Checks a filter of the program, which may have no types.
 * @throws BrokerError `PACKET_INVALID`; TopicError */
export function checkFilter(filter: unknown, { maxTopicLevels }: Levels, packet: 'SUBSCRIBE' | 'UNSUBSCRIBE'): void {
  const given = filter ?? ''
  if (typeof given !== 'string') throw invalid(`topic filter to ${packet} is ${kindOf(given)}, it must be a text`)
  parseTopicFilter(given, { maximumLevels: maxTopicLevels, packet })
}

function listOf(request: UnsubscribeRequest): Unsubscription[] {
  if (typeof request === 'string') return [request]
  checkObject(request, 'UNSUBSCRIBE')
  if (Array.isArray(request)) return request
  // A decoded packet also has a topic, null.
  if ('unsubscriptions' in request) return request.unsubscriptions
  return 'subscriptions' in request ? request.subscriptions : [request]
}

function checkObject(given: unknown, packet: 'SUBSCRIBE' | 'UNSUBSCRIBE'): void {
  if (typeof given === 'object' && given !== null) return
  throw invalid(`what to ${packet} is ${kindOf(given)}, it must be an object with a topic, or a list of these`)
}

function checkList(given: unknown): void {
  if (!Array.isArray(given)) throw invalid(`subscriptions are ${kindOf(given)}, they must be a list`)
}

function invalid(message: string): BrokerError {
  return new BrokerError('PACKET_INVALID', { reasonCode: ReasonCode.implementationSpecificError, message })
}
