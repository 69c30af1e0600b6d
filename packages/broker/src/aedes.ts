import { BrokerError, ReasonCode } from '@x/broker-core'
import { Broker, createBroker } from './create-broker.ts'
import type { BrokerOptions } from './create-broker.ts'
import { ListenError } from './listener/listen-error.ts'

/** Makes a broker, and has every name that Aedes had for that as a property: what `import aedes from '@x/broker'` and
 * `require('@x/broker')` give. */
export interface AedesFactory {
  (options?: BrokerOptions): Broker
  readonly createBroker: typeof createBroker
  /** `new aedes.Server(options)` */
  readonly Server: typeof Broker
  /** `await aedes.Aedes.createBroker(options)`, `new aedes.Aedes(options)` */
  readonly Aedes: typeof Broker
  readonly Broker: typeof Broker
  readonly BrokerError: typeof BrokerError
  readonly ListenError: typeof ListenError
  readonly ReasonCode: typeof ReasonCode
  readonly default: AedesFactory
}

function factory(options?: BrokerOptions): Broker {
  return new Broker(options)
}

export const aedes: AedesFactory = Object.assign(factory, {
  createBroker,
  Server: Broker,
  Aedes: Broker,
  Broker,
  BrokerError,
  ListenError,
  ReasonCode,
  // Compilers of CommonJS look for it.
  default: factory as AedesFactory,
})
