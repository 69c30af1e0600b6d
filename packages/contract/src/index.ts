export type { Clock } from './clock.ts'
export { systemClock } from './clock.ts'
export type { Emitter, EmitterHost } from './emitter.ts'
export type { PersistenceErrorCode } from './errors.ts'
export { PersistenceError } from './errors.ts'
export type { BrokerInspection, InspectedClient, InspectedGroup } from './inspection.ts'
export type { LazyPage } from './lazy-page.ts'
export type { ListenerAddress } from './listener.ts'
export type { Latency } from './latency.ts'
export { LatencyHistogram, latencyBounds } from './latency.ts'
export type { Logger } from './logger.ts'
export type { Message, MessageSource } from './message.ts'
export { isExpired, isSameMessage, keepMessage, messageBytes, messageOverhead } from './message.ts'
export type { MessageEntrance, MessageStep, MessageTracer, TracedDelivery } from './message-tracer.ts'
export { decodeMessagePack } from './message-pack.ts'
export type { MaybePromise } from './maybe-promise.ts'
export type {
  Drop,
  Due,
  DueBatch,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceHost,
  PersistenceSupports,
  QueueLimits,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  SessionOwner,
  StoreLimits,
  Will,
} from './persistence.ts'
export type { Delivery, QueueEntry } from './queue-entry.ts'
export type { PersistenceCounts } from './persistence-counts.ts'
export { SESSION_NEVER_EXPIRES } from './persistence.ts'
export type { OptionRule, OptionTable } from './option-table.ts'
export { nearestOption, optionProblem, optionRules, shownOption, withDefaults } from './option-table.ts'
export type {
  BridgeStatus,
  BridgeTraffic,
  SharedTasks,
  BrokerCounts,
  Counters,
  ListenerStatus,
  LocalStream,
  Peers,
  PluggableBroker,
  Plugin,
  WorkerUsage,
} from './plugin.ts'
export { packetIdOf, sequenceWith } from './packet-id.ts'
export { SecondWindow } from './second-window.ts'
export type { SlicesOptions, Step } from './slices.ts'
export { Slices } from './slices.ts'
export type { StoredSession, StoredSessions } from './stored-sessions.ts'
export { SteadyClock } from './steady-clock.ts'
export type { Reception, Subscription } from './subscription.ts'
export type { TaskStore } from './task-store.ts'
export { mergeSubscriptions, subscriptionBytes } from './subscription.ts'
