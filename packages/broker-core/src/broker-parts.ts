import type { Clock, Emitter, Persistence } from '@x/contract'
import { systemClock } from '@x/contract'
import { BrokerError } from './ground/broker-error.ts'
import { ReasonCode } from './ground/reason-code.ts'
import type { BrokerOptions } from './options.ts'

/** Returns the parts among the options, which must look like the contract's.
 * @throws BrokerError `OPTION_INVALID` */
export function partsOf(options: BrokerOptions): {
  persistence: Persistence
  emitter: Emitter | undefined
  clock: Clock
} {
  const { persistence, clock = systemClock } = options
  // Programs written for Aedes may pass null for none.
  const [mq, emitter] = [options.mq ?? undefined, options.emitter ?? options.mq ?? undefined]
  if (mq !== undefined && emitter !== mq) {
    throw new BrokerError('OPTION_INVALID', {
      message: 'options emitter and mq are two names of one part: only one of them may be given',
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  if (emitter !== undefined && typeof emitter.addRoute !== 'function') {
    throw new BrokerError('OPTION_INVALID', {
      message: `option ${mq === undefined ? 'emitter' : 'mq'} has no method addRoute: it must be an Emitter of @x/contract`,
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  if (typeof persistence?.openSession !== 'function') {
    throw new BrokerError('OPTION_INVALID', {
      message: 'option persistence has no method openSession: it must be a Persistence of @x/contract',
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  if (options.queueQoS0Messages === true && persistence.supports.queuesAtMostOnce !== true) {
    throw new BrokerError('OPTION_INVALID', {
      message: 'option queueQoS0Messages is true, but this store queues no messages of QoS 0',
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  return { persistence, emitter, clock }
}
