import { Aedes as AedesValue, aedes as aedesValue } from './aedes.ts'
import type { AedesClass, AedesFactory } from './aedes.ts'
import type { Broker } from './create-broker.ts'

export * from '@x/broker-core'
export { admin } from '@x/admin'
export type { Admin, AdminOptions } from '@x/admin'
export type { BrokerOptions } from './broker-options.ts'
export { Broker, createBroker } from './create-broker.ts'
export type { Listening } from './create-broker.ts'
export type { ListenOptions } from './listener/listen-options.ts'
export type { Protocol } from './listener/protocols.ts'
export { ConnectionRefused } from './listener/refused.ts'
export type { RefusedCode } from './listener/refused.ts'
export type { TlsOptions } from './listener/tls-layer.ts'
export { ListenError } from './listener/listen-error.ts'
export type { ListenErrorCode } from './listener/listen-error.ts'
export { metrics } from '@x/metrics'
export type { Metrics, MetricsOptions } from '@x/metrics'
export { sysTopics } from '@x/sys-topics'
export type { SysTopicsOptions } from '@x/sys-topics'
export { tracing } from '@x/tracing'
export type { Tracing, TracingOptions } from '@x/tracing'
export { AuthErrorCode } from './aedes-types.ts'
export type {
  AedesOptions,
  AedesPublishPacket,
  AuthenticateError,
  AuthenticateHandler,
  AuthorizeForwardHandler,
  AuthorizePublishHandler,
  AuthorizeSubscribeHandler,
  Brokers,
  Connection,
  DecodeProtocolHandler,
  PreConnectHandler,
  PublishedHandler,
  Subscription,
  Subscriptions,
} from './aedes-types.ts'
export type {
  ConnackPacket,
  ConnectPacket,
  PingreqPacket,
  PublishPacket,
  PubrelPacket,
  SubscribePacket,
  UnsubscribePacket,
} from '@x/packet'

// Each is a value and a type: `const broker: Aedes = new Aedes()`.
/** The class that programs for Aedes make brokers of, with or without `new`. */
export const Aedes: AedesClass = AedesValue
export type Aedes = Broker
/** Another name of `Aedes`, which its early versions had. */
export const Server: AedesClass = AedesValue
export type Server = Broker
const aedes: AedesFactory = aedesValue
type aedes = Broker
export { aedes as default }
