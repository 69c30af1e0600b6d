import { aedes } from './aedes.ts'

export * from '@x/broker-core'
export { Broker, Broker as Aedes, Broker as Server, createBroker } from './create-broker.ts'
export type { BrokerOptions, Listening } from './create-broker.ts'
export type { ListenOptions } from './listener/listen-options.ts'
export type { Protocol } from './listener/protocols.ts'
export { ConnectionRefused } from './listener/refused.ts'
export type { RefusedCode } from './listener/refused.ts'
export type { TlsOptions } from './listener/tls-layer.ts'
export { ListenError } from './listener/listen-error.ts'
export type { ListenErrorCode } from './listener/listen-error.ts'
export { sysTopics } from '@x/sys-topics'
export type { SysTopicsOptions } from '@x/sys-topics'
export default aedes
// What `require` gives instead of the namespace: Node.js from 20.19.
export { aedes as 'module.exports' }
