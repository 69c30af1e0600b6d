import { aedes } from './aedes.ts'

export * from '@x/broker-core'
export { Broker, Broker as Aedes, Broker as Server, createBroker } from './create-broker.ts'
export type { BrokerOptions } from './create-broker.ts'
export { ListenError } from './listen-error.ts'
export type { ListenErrorCode } from './listen-error.ts'
export { sysTopics } from '@x/sys-topics'
export type { SysTopicsOptions } from '@x/sys-topics'
export type { TcpOptions } from './tcp-listener.ts'
export default aedes
// What `require` gives instead of the namespace: Node.js from 20.19.
export { aedes as 'module.exports' }
