export type { AedesStoreMethods } from './aedes-store.ts'
export { BrokerError, type BrokerErrorCode, sentenceOf } from './broker-error.ts'
export { Broker } from './broker.ts'
export type { Client, CloseOptions, DeliverFunction, ProgramBroker } from './client.ts'
export type { ConnectionDetails } from './connection-details.ts'
export type { Entrance, EntranceOptions } from './entrance.ts'
export type { DisconnectReason } from './ending.ts'
export type { BrokerEvents, ConnectionOrigin } from './events.ts'
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
export type { BrokerLimits, SharedStrategy } from './limits.ts'
export type { MessageQueue } from './message-queue.ts'
export { assertOptions, optionInvalid } from './option-invalid.ts'
export type { DoneCallback } from './outcome.ts'
export { brokerOptionTable } from './options.ts'
export type { BrokerOptions } from './options.ts'
export type { BrokerPacket, IncomingPacket, PublishRequest } from './packet-form.ts'
export { printable } from './printable.ts'
export { ReasonCode } from './reason-code.ts'
export type { SubscribeRequest, UnsubscribeRequest } from './subscription-request.ts'
export type { TopicAccess } from './topic-access.ts'
