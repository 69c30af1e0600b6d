import type { Random } from '@x/chaos/random'
import type { BrokerOptions } from '@x/broker'

/** Small limits, so that they are met. Times in ms; seconds for the expiry. */
export const usualOptions: BrokerOptions = {
  hookTimeout: 1000,
  connectTimeout: 3000,
  closeTimeout: 500,
  publisherPause: 500,
  drainTimeout: 2000,
  outboxHighWaterMark: 4096,
  concurrency: 4,
  maximumInflight: 5,
  maxInflightInbound: 10,
  topicAliasMaximum: 5,
  maximumQueuedMessages: 10,
  maximumSessionExpiryInterval: 20,
  heartbeatInterval: 600_000,
}

/** Other values, which a case may have. None of them keeps the innocent client from being served. */
const otherOptions = {
  outboxHighWaterMark: [1024, 100_000],
  publisherPause: [0, 1],
  maximumPublisherPause: [0, 100],
  concurrency: [1, 100],
  maximumNesting: [1, 2],
  maximumInflight: [1, 1000],
  maxInflightInbound: [1, 0],
  topicAliasMaximum: [0, 1],
  maximumTopicAliasBytes: [0, 4, 100],
  maximumOutgoingTopicAliases: [0, 1],
  maximumQueuedMessages: [1, 2, 1000],
  maximumQueuedBytes: [1, 100],
  maximumTotalQueuedBytes: [1, 200],
  queueOverflow: ['dropNewest'],
  maximumWillBytes: [1, 30],
  maximumRetainedMessagesPerClient: [1, 2],
  maximumRetainedBytesPerClient: [1, 50],
  maximumFiltersPerPacket: [1, 2],
  maximumUserPropertiesPerPacket: [0, 1],
  maximumSubscriptionsPerClient: [1, 3],
  maximumSubscriptionBytesPerClient: [500, 1000],
  maximumSharedSubscriptionsPerClient: [1],
  maximumSharedGroups: [1],
  maximumPacketSize: [128, 1000],
  maximumConnectPacketSize: [128],
  maximumClientIdLength: [6],
  maxClientsIdLength: [1],
  packetTimeout: [100, 1000],
  maximumUnfinishedBytes: [1024],
  maximumSessionsPerUser: [1, 2],
  maximumFailedLogins: [1, 0],
  failedLoginDelay: [0, 100],
  maximumConcurrentAuthentications: [1, 2],
  queueLimit: [2, 0],
  maxTopicLevels: [3],
  maximumQoS: [1],
  retainAvailable: [false],
  wildcardSubscriptionAvailable: [false],
  subscriptionIdentifiersAvailable: [false],
  sharedSubscriptionAvailable: [false],
  sharedSubscriptionStrategy: ['random', 'sticky', 'leastInflight'],
  hookTimeout: [100, 5000],
  maximumSessionExpiryInterval: [0, 1],
} as const satisfies Readonly<Partial<Record<keyof BrokerOptions, readonly unknown[]>>>

/** A few options of a case's own. */
export function randomOptions(random: Random): Record<string, unknown> {
  const names = Object.keys(otherOptions) as (keyof typeof otherOptions)[]
  const count = random.weighed([
    [0, 4],
    [1, 3],
    [3, 2],
    [8, 1],
  ])
  const chosen = Array.from({ length: count }, () => random.pick(names))
  return Object.fromEntries(chosen.map(name => [name, random.pick<unknown>(otherOptions[name])]))
}
