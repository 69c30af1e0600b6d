export { BrokerError, type BrokerErrorCode } from './broker-error.ts'
export { Broker } from './broker.ts'
export type { Client, CloseOptions, DoneCallback, SubscribeRequest, UnsubscribeRequest } from './client.ts'
export type {
  AuthenticateEnhancedHook,
  AuthenticateHook,
  AuthenticationExchange,
  AuthenticationStep,
  AuthorizeForwardHook,
  AuthorizePublishHook,
  AuthorizeSubscribeHook,
  HookCallback,
  HookOptions,
  PreConnectHook,
  PublishedHook,
} from './hooks.ts'
export type { DeliverFunction } from './local-subscriber.ts'
export type { BrokerLimits, BrokerOptions } from './options.ts'
export type { BrokerPacket, PublishRequest } from './packet-form.ts'
export { ReasonCode } from './reason-code.ts'
export type { SharedStrategy } from './shared-strategy.ts'
