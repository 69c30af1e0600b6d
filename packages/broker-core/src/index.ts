export type { AedesStoreMethods } from './aedes-store.ts'
export { BrokerError, type BrokerErrorCode, sentenceOf } from './broker-error.ts'
export { Broker } from './broker.ts'
export type { Client, CloseOptions, ConnectionDetails, DoneCallback } from './client.ts'
export type { SubscribeRequest, UnsubscribeRequest } from './program-subscription.ts'
export type { Entrance, EntranceOptions } from './entrance.ts'
export type { BrokerEvents, ConnectionOrigin, DisconnectReason } from './events.ts'
export type {
  AuthenticateEnhancedHook,
  AuthenticateHook,
  AuthenticationExchange,
  AuthenticationStep,
  AuthorizeForwardHook,
  AuthorizePublishHook,
  AuthorizeSubscribeHook,
  DecodeProtocolHook,
  HookCallback,
  HookOptions,
  PreConnectHook,
  PublishedHook,
  SubscriptionDenial,
} from './hooks.ts'
export type { DeliverFunction } from './local-subscriber.ts'
export type { BrokerLimits } from './limits.ts'
export type { MessageQueue } from './message-queue.ts'
export { assertOptions, optionInvalid } from './option-invalid.ts'
export { brokerOptionTable } from './options.ts'
export type { BrokerOptions } from './options.ts'
export type { BrokerPacket, IncomingPacket, PublishRequest } from './packet-form.ts'
export { printable } from './printable.ts'
export { ReasonCode } from './reason-code.ts'
export type { SharedStrategy } from './shared-strategy.ts'
export type { TopicAccess } from './topic-access.ts'
