import { createBroker } from './create-broker.ts'

export * from '@x/broker-core'
export { Broker, createBroker } from './create-broker.ts'
export type { BrokerOptions } from './create-broker.ts'
export { ListenError } from './listen-error.ts'
export type { ListenErrorCode } from './listen-error.ts'
export type { TcpOptions } from './tcp-listener.ts'
export default createBroker
