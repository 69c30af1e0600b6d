import * as core from '@x/broker-core'
import { admin } from '@x/admin'
import { metrics } from '@x/metrics'
import { sysTopics } from '@x/sys-topics'
import { tracing } from '@x/tracing'
import { AuthErrorCode } from './aedes-types.ts'
import { Broker, createBroker } from './create-broker.ts'
import type { BrokerOptions } from './broker-options.ts'
import { ListenError } from './listener/listen-error.ts'
import { ConnectionRefused } from './listener/refused.ts'

/** The class of brokers, as Aedes had it: with `new` or without. */
export interface AedesClass {
  new (options?: BrokerOptions): Broker
  (options?: BrokerOptions): Broker
  readonly prototype: Broker
  /** A broker whose store is open, or the error that it could not be opened. */
  createBroker(options?: BrokerOptions): Promise<Broker>
}

/** Makes a broker, and has every name that Aedes had for that as a property: what `import aedes from '@x/broker'` and
 * `require('@x/broker')` give. */
export interface AedesFactory {
  new (options?: BrokerOptions): Broker
  (options?: BrokerOptions): Broker
  readonly prototype: Broker
  readonly createBroker: typeof createBroker
  /** `new aedes.Server(options)`, `aedes.Server(options)` */
  readonly Server: AedesClass
  /** `await aedes.Aedes.createBroker(options)`, `new aedes.Aedes(options)` */
  readonly Aedes: AedesClass
  readonly Broker: typeof Broker
  readonly BrokerError: typeof core.BrokerError
  readonly AuthErrorCode: typeof AuthErrorCode
  readonly ConnectionRefused: typeof ConnectionRefused
  readonly ListenError: typeof ListenError
  readonly ReasonCode: typeof core.ReasonCode
  readonly printable: typeof core.printable
  readonly sentenceOf: typeof core.sentenceOf
  readonly admin: typeof admin
  readonly metrics: typeof metrics
  readonly sysTopics: typeof sysTopics
  readonly tracing: typeof tracing
  readonly default: AedesFactory
}

/** A class that may be called without `new`; it has the properties given besides its own. `instanceof` and `extends` know no
 * difference. */
function callable(properties: Readonly<Record<string, unknown>>): object {
  return new Proxy(Broker, {
    apply: (_class, _this, [options]: [BrokerOptions?]) => new Broker(options),
    get: (target, name, receiver): unknown =>
      typeof name === 'string' && Object.hasOwn(properties, name)
        ? properties[name]
        : Reflect.get(target, name, receiver),
    has: (target, name) => Object.hasOwn(properties, name) || Reflect.has(target, name),
  })
}

/** The class that programs for Aedes make brokers of, with or without `new`. */
export const Aedes: AedesClass = callable({}) as AedesClass

const properties: Record<string, unknown> = {
  ...core,
  createBroker,
  Server: Aedes,
  Aedes,
  Broker,
  AuthErrorCode,
  ConnectionRefused,
  ListenError,
  admin,
  metrics,
  sysTopics,
  tracing,
}
/** The function that programs for Aedes make brokers with, and which has the classes as properties. */
export const aedes: AedesFactory = callable(properties) as AedesFactory
// Compilers of CommonJS look for it.
properties['default'] = aedes
