export type { AedesStoreMethods } from './program/aedes-store.ts'
export { BrokerError, type BrokerErrorCode, sentenceOf } from './ground/broker-error.ts'
export { Broker } from './broker.ts'
export type { Client, CloseOptions, DeliverFunction, ProgramBroker } from './hooks/client.ts'
export type { ConnectionDetails } from './hooks/connection-details.ts'
export { listenerRuleTable } from './hooks/listener-profile.ts'
export type { ListenerProfile, ListenerProfileOptions, ListenerRules } from './hooks/listener-profile.ts'
export type { DisconnectReason } from './connection/ending.ts'
export type { BrokerEvents, ConnectionOrigin } from './hooks/events.ts'
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
} from './hooks/hooks.ts'
export { adjustableLimits } from './ground/limits.ts'
export type { BrokerLimits, SharedStrategy } from './ground/limits.ts'
export type { MessageQueue } from './program/message-queue.ts'
export { assertOptions, optionInvalid } from './ground/option-invalid.ts'
export type { DoneCallback } from './hooks/outcome.ts'
export { brokerOptionTable } from './options.ts'
export type { BrokerOptions } from './options.ts'
export type { BrokerPacket, IncomingPacket, PublishRequest } from './message/broker-packet.ts'
export { printable } from './ground/printable.ts'
export { ReasonCode } from './ground/reason-code.ts'
export type { SubscribeRequest, UnsubscribeRequest } from './message/subscription-request.ts'
export type { ControlEndpoint, ControlEndpoints } from './hooks/control-endpoint.ts'
export type { PublisherIdentity, TopicAccess } from './hooks/topic-access.ts'
