import type { ProtocolVersion, QoS, Transport } from '@x/load'

interface Described {
  /** One line for the table's legend. */
  readonly about: string
  /** Part of a run without `--scenario`. */
  readonly byDefault: boolean
  /** Part of a `--quick` run without `--scenario`. */
  readonly quick: boolean
  /** The broker has an `authorizePublish` that lets everything pass, and answers so. */
  readonly hook?: HookStyle
  /** The broker has a password file and an ACL file, and where it knows them limits on rates, which are never reached. */
  readonly access?: 'checked'
  /** The broker has a bridge that carries everything out to another broker, which is ours in every case; subscribers are there. */
  readonly bridged?: boolean
  /** Plain TCP unless given. */
  readonly transport?: Transport
  /** Our broker puts what goes out together into one WebSocket message, not each packet into one of its own. */
  readonly packetsPerFrame?: 'many'
}

/** - `sync`: at once; by its return value where the broker knows that, otherwise by its callback
 * - `callback`: by its callback, at once
 * - `async`: by a promise, or its callback when a promise has settled */
export type HookStyle = 'sync' | 'callback' | 'async'

/** Publishers send as fast as flow control lets them; the result is deliveries (acknowledgements without subscriber) per second. */
export interface ThroughputScenario extends Described {
  readonly kind: 'throughput'
  readonly publishers: number
  readonly subscribers: number
  readonly qos: QoS
  /** Messages in flight per publisher, QoS 1 and 2 alone. */
  readonly inFlight: number
  readonly payloadBytes: number
  /** All publish to one topic, each to its own, or each to a thousand topics, another one with every message. */
  readonly topics: 'one' | 'each' | '1000 in turns'
  /** What subscribers subscribe to: the topic of the publisher with their index, or one filter for all. */
  readonly filter: 'own topic' | (string & {})
  /** How often one message is delivered; 0 counts acknowledgements instead. */
  readonly deliveriesPerMessage: number
  readonly version: ProtocolVersion
  /** User properties per PUBLISH, MQTT 5 alone. */
  readonly userProperties: number
}

/** Publishers send at a fixed rate; the results are the sustained rate and the latency. */
export interface PacedScenario extends Described {
  readonly kind: 'paced'
  readonly publishers: number
  readonly subscribers: number
  readonly messagesPerSecondEach: number
  readonly payloadBytes: number
}

/** One message at a time from one client to another. */
export interface LatencyScenario extends Described {
  readonly kind: 'latency'
  readonly payloadBytes: number
}

/** Connections that do nothing; the result is the broker's memory for each. */
export interface IdleScenario extends Described {
  readonly kind: 'idle'
  readonly connections: number
}

/** Clients that all come at once and stay. */
export interface StormScenario extends Described {
  readonly kind: 'storm'
  readonly connections: number
  readonly concurrency: number
}

/** Topics `a/<i>/<j>` with a retained message each; the results are the times until a new subscriber has them. */
export interface RetainedScenario extends Described {
  readonly kind: 'retained'
  readonly firstLevels: number
  readonly secondLevels: number
}

/** Messages for sessions whose clients are away, which then all return. */
export interface OfflineScenario extends Described {
  readonly kind: 'offline'
  readonly sessions: number
  readonly messages: number
}

/** Each message has a topic never seen before and matches one of many wildcard filters. */
export interface WildcardScenario extends Described {
  readonly kind: 'wildcard'
  readonly filters: number
}

/** What the load process can do, told apart by `kind`. */
export type Scenario =
  | ThroughputScenario
  | PacedScenario
  | LatencyScenario
  | IdleScenario
  | StormScenario
  | RetainedScenario
  | OfflineScenario
  | WildcardScenario

/** A name that `--scenario` takes. */
export type ScenarioName =
  | 'qos0-1-1'
  | 'qos1-1-1'
  | 'qos2-1-1'
  | 'qos0-1-1-v5-properties'
  | 'qos0-1-1-topics'
  | 'hook-sync'
  | 'hook-callback'
  | 'hook-async'
  | 'access-1-1'
  | 'access-publishers-1000'
  | 'bridge-qos0'
  | 'bridge-qos1'
  | 'fanout-100'
  | 'fanout-1000'
  | 'fanin-100-1'
  | 'pairs-100'
  | 'publishers-1000'
  | 'ws-1-1'
  | 'ws-1-1-many'
  | 'ws-fanout-1000'
  | 'ws-fanout-1000-many'
  | 'tls-1-1'
  | 'tls-fanout-1000'
  | 'shared-fanin'
  | 'emqx-fanout'
  | 'latency-1-1'
  | 'idle-10000'
  | 'connect-storm'
  | 'retained'
  | 'offline-queue'
  | 'wildcard-100k'

const oneToOne = {
  kind: 'throughput',
  publishers: 1,
  subscribers: 1,
  qos: 0,
  inFlight: 100,
  payloadBytes: 64,
  topics: 'one',
  filter: 'own topic',
  deliveriesPerMessage: 1,
  version: 4,
  userProperties: 0,
  byDefault: true,
  quick: true,
} as const

const thousandPublishers = {
  ...oneToOne,
  publishers: 1000,
  subscribers: 0,
  qos: 1,
  inFlight: 1,
  payloadBytes: 100,
  topics: 'each',
  deliveriesPerMessage: 0,
} as const

/** Every scenario by the name that `--scenario` takes, in the order in which they run. */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  'qos0-1-1': { ...oneToOne, about: '1 publisher, 1 subscriber, QoS 0, 64 B' },
  'qos1-1-1': { ...oneToOne, qos: 1, about: 'the same at QoS 1, 100 in flight' },
  'qos2-1-1': { ...oneToOne, qos: 2, quick: false, about: 'the same at QoS 2, 100 in flight' },
  'qos0-1-1-v5-properties': {
    ...oneToOne,
    version: 5,
    userProperties: 3,
    quick: false,
    about: 'the same at QoS 0 in MQTT 5 with 3 user properties',
  },
  'qos0-1-1-topics': {
    ...oneToOne,
    topics: '1000 in turns',
    filter: 'bench/topic/+',
    quick: false,
    about: 'the same at QoS 0, each message to another one of 1000 topics',
  },
  'hook-sync': {
    ...oneToOne,
    hook: 'sync',
    quick: false,
    about: 'the same at QoS 0 with an authorizePublish that answers at once',
  },
  'hook-callback': {
    ...oneToOne,
    hook: 'callback',
    quick: false,
    about: 'the same with one that calls back at once',
  },
  'hook-async': { ...oneToOne, hook: 'async', quick: false, about: 'the same with one that answers by a promise' },
  'access-1-1': {
    ...oneToOne,
    access: 'checked',
    quick: false,
    about: 'as qos0-1-1 with password file, ACL file and limits on rates',
  },
  'access-publishers-1000': {
    ...thousandPublishers,
    access: 'checked',
    quick: false,
    about: 'as publishers-1000 with password file, ACL file and limits on rates',
  },
  'bridge-qos0': {
    ...oneToOne,
    bridged: true,
    byDefault: false,
    quick: false,
    about:
      '1 publisher, over one connection of a bridge (MQTT 3.1.1) to another broker, 1 subscriber there, QoS 0, 64 B',
  },
  'bridge-qos1': {
    ...oneToOne,
    bridged: true,
    qos: 1,
    byDefault: false,
    quick: false,
    about: 'the same at QoS 1, 100 in flight from broker to broker',
  },
  'fanout-100': {
    ...oneToOne,
    subscribers: 100,
    deliveriesPerMessage: 100,
    quick: false,
    about: '1 publisher, 100 subscribers, QoS 0, 64 B',
  },
  'fanout-1000': {
    ...oneToOne,
    subscribers: 1000,
    deliveriesPerMessage: 1000,
    about: '1 publisher, 1000 subscribers, QoS 0, 64 B',
  },
  'fanin-100-1': { ...oneToOne, publishers: 100, about: '100 publishers, 1 subscriber, QoS 0, 64 B' },
  'pairs-100': {
    ...oneToOne,
    publishers: 100,
    subscribers: 100,
    qos: 1,
    inFlight: 10,
    topics: 'each',
    about: '100 pairs, a topic each, QoS 1, 10 in flight, 64 B',
  },
  'publishers-1000': {
    ...thousandPublishers,
    about: '1000 publishers, QoS 1, one at a time, 100 B, no subscriber',
  },
  'ws-1-1': { ...oneToOne, transport: 'ws', quick: false, about: '1 publisher, 1 subscriber, QoS 0, over WebSocket' },
  'ws-fanout-1000': {
    ...oneToOne,
    transport: 'ws',
    subscribers: 1000,
    deliveriesPerMessage: 1000,
    quick: false,
    about: '1 publisher, 1000 subscribers, QoS 0, over WebSocket',
  },
  'ws-1-1-many': {
    ...oneToOne,
    transport: 'ws',
    packetsPerFrame: 'many',
    byDefault: false,
    quick: false,
    about: '1 publisher, 1 subscriber, QoS 0, over WebSocket, many packets in a frame',
  },
  'ws-fanout-1000-many': {
    ...oneToOne,
    transport: 'ws',
    packetsPerFrame: 'many',
    subscribers: 1000,
    deliveriesPerMessage: 1000,
    byDefault: false,
    quick: false,
    about: '1 publisher, 1000 subscribers, QoS 0, over WebSocket, many packets in a frame',
  },
  'tls-1-1': { ...oneToOne, transport: 'tls', quick: false, about: '1 publisher, 1 subscriber, QoS 0, over TLS 1.3' },
  'tls-fanout-1000': {
    ...oneToOne,
    transport: 'tls',
    subscribers: 1000,
    deliveriesPerMessage: 1000,
    quick: false,
    about: '1 publisher, 1000 subscribers, QoS 0, over TLS 1.3',
  },
  'shared-fanin': {
    ...oneToOne,
    publishers: 1000,
    subscribers: 5,
    qos: 1,
    inFlight: 1,
    topics: 'each',
    filter: '$share/group/bench/#',
    quick: false,
    about: '1000 publishers, one shared subscription of 5 clients, QoS 1, one at a time, 64 B',
  },
  'emqx-fanout': {
    kind: 'paced',
    publishers: 20,
    subscribers: 1000,
    messagesPerSecondEach: 100,
    payloadBytes: 16,
    byDefault: true,
    quick: false,
    about:
      '20 publishers of 100 messages/s each, 1000 subscribers of a wildcard, QoS 0, 16 B (EMQX’s published fan-out)',
  },
  'latency-1-1': {
    kind: 'latency',
    payloadBytes: 64,
    byDefault: true,
    quick: true,
    about: 'one message at a time, QoS 0, 64 B',
  },
  'idle-10000': {
    kind: 'idle',
    connections: 10_000,
    byDefault: true,
    quick: false,
    about: 'memory of 10 000 idle connections',
  },
  'connect-storm': {
    kind: 'storm',
    connections: 10_000,
    concurrency: 200,
    byDefault: false,
    quick: false,
    about: '10 000 clients connect, 200 at a time, and stay',
  },
  retained: {
    kind: 'retained',
    firstLevels: 1000,
    secondLevels: 100,
    byDefault: true,
    quick: false,
    about: '100 000 retained topics a/I/J: time to get 1 (exact), 1000 (a/+/J) and 100 000 (#) of them',
  },
  'offline-queue': {
    kind: 'offline',
    sessions: 1000,
    messages: 100,
    byDefault: false,
    quick: false,
    about: '1000 offline sessions are sent 100 messages each at QoS 1, then return',
  },
  'wildcard-100k': {
    kind: 'wildcard',
    filters: 100_000,
    byDefault: true,
    quick: false,
    about: '100 000 wildcard filters, every message to a new topic that matches one, QoS 0',
  },
}

/** All names, in the order in which they run. */
export const scenarioNames: readonly ScenarioName[] = Object.keys(scenarios) as ScenarioName[]

/** The scenario as `--quick` runs it: smaller where its size is not adapted to the broker's speed. */
export function quickened(scenario: Scenario): Scenario {
  switch (scenario.kind) {
    case 'idle':
    case 'storm':
      return { ...scenario, connections: scenario.connections / 5 }
    case 'retained':
      return { ...scenario, firstLevels: scenario.firstLevels / 10 }
    case 'offline':
      return { ...scenario, messages: scenario.messages / 10 }
    case 'wildcard':
      return { ...scenario, filters: scenario.filters / 10 }
    case 'throughput':
    case 'paced':
    case 'latency':
      return scenario
    default:
      return scenario satisfies never
  }
}
