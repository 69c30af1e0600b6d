import { optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { sharedStrategyNames } from './limits.ts'
import type { BrokerLimits, GivenLimits } from './limits.ts'

const hour = 3_600_000

/** Default, least and greatest value of each limit that is a number. */
const limitTable = {
  concurrency: [100, 1, 1_000_000],
  maximumNesting: [100, 1, 10_000],
  connectTimeout: [30_000, 1, hour],
  keepaliveLimit: [0, 0, 65_535],
  maxClientsIdLength: [23, 1, 65_535],
  maximumClientIdLength: [65_535, 1, 65_535],
  maximumConnectsPerAddress: [0, 0, 1_000_000_000],
  maximumFailedLogins: [20, 0, 1_000_000],
  maximumFailedLoginsPerAddress: [200, 0, 1_000_000],
  failedLoginDelay: [1000, 0, 60_000],
  maximumConcurrentAuthentications: [1000, 1, 1_000_000],
  maximumSessionsPerUser: [0, 0, 1_000_000_000],
  queueLimit: [42, 0, 1_000_000],
  heartbeatInterval: [60_000, 1, 24 * hour],
  hookTimeout: [30_000, 0, hour],
  maxTopicLevels: [100, 1, 65_536],
  maximumPacketSize: [16_777_216, 20, 268_435_460],
  maximumConnectPacketSize: [131_072, 128, 268_435_460],
  maximumFiltersPerPacket: [65_535, 1, Number.MAX_SAFE_INTEGER],
  maximumUserPropertiesPerPacket: [1000, 0, Number.MAX_SAFE_INTEGER],
  maximumSubscriptionsPerClient: [100_000, 1, Number.MAX_SAFE_INTEGER],
  maximumSubscriptionBytesPerClient: [33_554_432, 1, Number.MAX_SAFE_INTEGER],
  maximumSubscriptions: [1_000_000, 1, Number.MAX_SAFE_INTEGER],
  maximumSubscriptionBytes: [268_435_456, 1, Number.MAX_SAFE_INTEGER],
  maximumSharedSubscriptionsPerClient: [1000, 1, Number.MAX_SAFE_INTEGER],
  // One message may match all of them, which takes 6 µs for each, in one turn.
  maximumSharedGroups: [5000, 1, Number.MAX_SAFE_INTEGER],
  maximumInflight: [1000, 1, 65_535],
  maximumInflightBytes: [0, 0, Number.MAX_SAFE_INTEGER],
  maximumPayloadSize: [0, 0, 268_435_455],
  maximumSessions: [0, 0, 1_000_000_000],
  maximumConnections: [0, 0, 100_000_000],
  maxInflightInbound: [1000, 0, 65_535],
  topicAliasMaximum: [1024, 0, 65_535],
  maximumTopicAliasBytes: [262_144, 0, Number.MAX_SAFE_INTEGER],
  maximumPacketRate: [0, 0, 1_000_000_000],
  maximumByteRate: [0, 0, Number.MAX_SAFE_INTEGER],
  rateTimeout: [60_000, 0, 24 * hour],
  packetTimeout: [900_000, 0, 24 * hour],
  maximumUnfinishedBytes: [67_108_864, 1024, Number.MAX_SAFE_INTEGER],
  maximumQueuedMessages: [100_000, 1, Number.MAX_SAFE_INTEGER],
  maximumQueuedBytes: [67_108_864, 1, Number.MAX_SAFE_INTEGER],
  maximumTotalQueuedBytes: [268_435_456, 1, Number.MAX_SAFE_INTEGER],
  maximumWillBytes: [67_108_864, 0, Number.MAX_SAFE_INTEGER],
  maximumRetainedMessagesPerClient: [500_000, 0, Number.MAX_SAFE_INTEGER],
  maximumRetainedBytesPerClient: [268_435_456, 0, Number.MAX_SAFE_INTEGER],
  maximumSessionExpiryInterval: [0xffffffff, 0, 0xffffffff],
  outboxHighWaterMark: [524_288, 1024, Number.MAX_SAFE_INTEGER],
  publisherPause: [1000, 0, hour],
  maximumPublisherPause: [750, 0, 60_000],
  drainTimeout: [60_000, 0, 24 * hour],
  closeTimeout: [2000, 1, hour],
  maximumQoS: [2, 0, 2],
  maximumOutgoingTopicAliases: [64, 0, 65_535],
} as const satisfies Partial<Record<keyof BrokerLimits, readonly [number, number, number]>>

/** What can be switched on and off, and how it is by default. */
const features = {
  retainAvailable: true,
  upgradeOutgoingQoS: false,
  checkRetainSource: false,
  queueQoS0Messages: false,
  reasonStrings: true,
  wildcardSubscriptionAvailable: true,
  subscriptionIdentifiersAvailable: true,
  sharedSubscriptionAvailable: true,
} as const satisfies Partial<Record<keyof BrokerLimits, boolean>>

const featureNames = Object.keys(features) as (keyof typeof features)[]

/** What each of them may be. */
export const limitRules: OptionTable<keyof BrokerLimits> = {
  ...numberRules(),
  ...(Object.fromEntries(featureNames.map(name => [name, optionRules.flag])) as OptionTable<keyof typeof features>),
  queueOverflow: optionRules.oneOf('dropOldest', 'dropNewest'),
  sharedSubscriptionStrategy: optionRules.oneOf(...sharedStrategyNames),
}

function numberRules(): OptionTable<keyof typeof limitTable> {
  const rules = Object.entries(limitTable).map(([name, [, least, greatest]]) => [
    name,
    optionRules.whole(least, greatest),
  ])
  return Object.fromEntries(rules) as OptionTable<keyof typeof limitTable>
}

/** The limits with their defaults; `limitRules` hold. */
export function limitsOf(options: GivenLimits): BrokerLimits {
  const { queueOverflow = 'dropOldest', sharedSubscriptionStrategy = 'roundRobin' } = options
  const limits: Partial<BrokerLimits> = { queueOverflow, sharedSubscriptionStrategy }
  for (const name of Object.keys(limitTable) as (keyof typeof limitTable)[]) {
    const [fallback] = limitTable[name]
    limits[name] = options[name] ?? fallback
  }
  for (const name of featureNames) limits[name] = options[name] ?? features[name]
  return limits as BrokerLimits
}
