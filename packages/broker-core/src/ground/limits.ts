/** The names of the strategies of shared groups. */
export const sharedStrategyNames = ['roundRobin', 'random', 'sticky', 'leastInflight'] as const

/** How the members of a shared group take turns.
 * - `roundRobin`: one after the other
 * - `random`: any
 * - `sticky`: messages of one publisher go to one member, as long as it has room
 * - `leastInflight`: the one with the fewest unacknowledged messages */
export type SharedStrategy = (typeof sharedStrategyNames)[number]

/** Every limit of the engine. The comment says what happens at the limit. */
export interface BrokerLimits {
  /** In-process subscribers that run at the same time; further messages and their publishers wait, except for messages that such a
   * function publishes while it runs. */
  concurrency: number
  /** Levels of messages that in-process subscribers publish while they run, whose subscribers publish, and so on; one more is not
   * delivered to the function, and its publish fails (`NESTED_TOO_DEEP`). */
  maximumNesting: number
  /** ms between a connection and its CONNECT; then it is closed. */
  connectTimeout: number
  /** Seconds of Keep Alive a client may ask for; above it, or with 0 (none), CONNECT is refused. 0: no limit. */
  keepaliveLimit: number
  /** Bytes of a client identifier in MQTT 3.1; longer ones are refused. */
  maxClientsIdLength: number
  /** Bytes of a client identifier in every version; longer ones are refused (0x85). */
  maximumClientIdLength: number
  /** CONNECTs that one address (IPv6: one network of 64 bits) may send in a minute; then it is refused (0x9F) until the minute has run
   * off. 0: no limit, the default, since a fleet of devices may stand behind one address. */
  maximumConnectsPerAddress: number
  /** Failed logins with one user name from one address in a minute; then that pair is refused (0x9F), without `authenticate` being
   * asked, until they have run off. When the name has logged in from there before, or has failed so often from all addresses together,
   * its logins are delayed instead (`failedLoginDelay`), or others would shut out its owner. 0: no limit. */
  maximumFailedLogins: number
  /** Failed logins from one address in a minute, whatever the names; then it is refused. When somebody has logged in from there, names
   * that have not are delayed instead: a fleet may stand behind one address. 0: no limit. */
  maximumFailedLoginsPerAddress: number
  /** ms that logins are delayed which could be guesses. 0: not at all. */
  failedLoginDelay: number
  /** Calls of `authenticate` and `authenticateEnhanced` that may run at a time; more wait, by address in turn. */
  maximumConcurrentAuthentications: number
  /** Sessions of one user name, those that outlive their connection included; one more is refused (0x97). 0: no limit, the default,
   * since devices often share a name. */
  maximumSessionsPerUser: number
  /** Packets that may arrive behind a CONNECT before its CONNACK is sent; one more ends the connection. */
  queueLimit: number
  /** ms between two heartbeats of this broker, on `$SYS/<id>/heartbeat`; below 250 they come as often as the clock is looked at. Another broker that misses three is forgotten. */
  heartbeatInterval: number
  /** ms a hook may take to decide; then it counts as failed (`HOOK_TIMEOUT`). 0: no limit. The same holds for an in-process subscriber,
   * including the time it waits for its turn (`SUBSCRIBER_TIMEOUT`). */
  hookTimeout: number
  /** Levels of a topic name or filter; deeper ones are refused. */
  maxTopicLevels: number
  /** Bytes of one packet from a client; larger ones end the connection (0x95). Announced to MQTT 5 clients. */
  maximumPacketSize: number
  /** Bytes of the CONNECT packet, of each other packet of MQTT 5 clients that has neither message nor filters, and of the properties of
   * SUBSCRIBE and UNSUBSCRIBE; larger ones end the connection (0x95). */
  maximumConnectPacketSize: number
  /** Filters of one SUBSCRIBE or UNSUBSCRIBE; one more ends the connection (0x97, `TOO_MANY_FILTERS`). */
  maximumFiltersPerPacket: number
  /** User properties of one packet, those of a will apart; one more ends the connection (0x97, `TOO_MANY_USER_PROPERTIES`). */
  maximumUserPropertiesPerPacket: number
  /** Subscriptions of one client; at this limit and the next five SUBACK refuses the filter (0x97; 3.x: 0x80), the event `clientError`
   * says so (`SUBSCRIPTION_REFUSED`), and what was granted before stays. */
  maximumSubscriptionsPerClient: number
  /** Bytes that the subscriptions of one client take of this broker's memory, as `subscriptionBytes` counts them. */
  maximumSubscriptionBytesPerClient: number
  /** Subscriptions of all connected clients, and of those that have left until the last one is taken out. */
  maximumSubscriptions: number
  /** Bytes of all these. A store has its own limits for what it keeps. */
  maximumSubscriptionBytes: number
  /** Shared subscriptions of one client. */
  maximumSharedSubscriptionsPerClient: number
  /** Different shared subscriptions of connected clients. */
  maximumSharedGroups: number
  /** QoS 1 and 2 messages sent to a client and not acknowledged; more wait in its queue. */
  maximumInflight: number
  /** QoS 1 and 2 messages from a client that are not acknowledged or, QoS 2, not released. One more ends the connection
   * (0x93). Announced to MQTT 5 clients. 0: as many as there are packet identifiers, 65 535. */
  maxInflightInbound: number
  /** Topic aliases a client may use; a higher one ends the connection (0x94). Announced to MQTT 5 clients. */
  topicAliasMaximum: number
  /** Bytes that the topics of a connection's aliases hold in memory, two for each character and 64 for each alias. A client that sets
   * more ends its connection (0x97); of those set towards it the least recently used are given up. */
  maximumTopicAliasBytes: number
  /** Packets that one client may send in a second, and save up; what exceeds that is read later. 0: no limit, the default: what a client
   * sends is acted on in turns with the others, so it takes nothing from them. */
  maximumPacketRate: number
  /** Bytes, likewise. */
  maximumByteRate: number
  /** ms that a client may go on sending more than that; then the connection ends (0x96 for packets, 0x97 for bytes). 0: for ever. */
  rateTimeout: number
  /** ms from the first byte of a packet to its last; then the connection ends (0x97). A megabyte takes seven minutes on a slow mobile
   * network. What such packets hold meanwhile is limited by `maximumUnfinishedBytes`. 0: no limit. */
  packetTimeout: number
  /** Bytes reserved for packets of all connections that are not complete yet. Above it the connection that has held most for longest
   * ends (0x97). */
  maximumUnfinishedBytes: number
  /** Bytes of the payloads of these messages towards one client: as many are sent as begin below it, so that one larger message is
   * still sent. 0: no limit. */
  maximumInflightBytes: number
  /** Bytes of the payload of a message or will. A larger message is dropped and acknowledged (0x95, as Mosquitto has it, although MQTT
   * 5.0 §3.4.2.1 does not list it), a CONNECT with a larger will refused (0x95; MQTT 3: 5). 0: no limit but `maximumPacketSize`, which
   * clients are told. */
  maximumPayloadSize: number
  /** Clients that are connected, and sessions that wait for theirs to come back, together; a CONNECT that would make one more is refused
   * (0x89; MQTT 3: 3). A store that several brokers share counts the sessions of all. 0: no limit but the store's. */
  maximumSessions: number
  /** Open connections; one more is closed at once. 0: no limit. */
  maximumConnections: number
  /** Messages waiting for one session or shared group; at the limit `queueOverflow` says which is dropped. */
  maximumQueuedMessages: number
  /** Bytes waiting for one session or shared group, likewise. */
  maximumQueuedBytes: number
  queueOverflow: 'dropOldest' | 'dropNewest'
  /** Bytes waiting for all sessions and shared groups together, those of connected clients in this process included; at the limit
   * `queueOverflow` drops, `dropOldest` from the largest queue. */
  maximumTotalQueuedBytes: number
  /** Bytes of all wills, of connected clients and of those that wait for their delay; a CONNECT whose will does not fit is refused
   * (0x97; MQTT 3: return code 3). */
  maximumWillBytes: number
  /** Retained messages that one client has published; one more is refused (0x97; at QoS 0 and for MQTT 3 clients the connection
   * ends). */
  maximumRetainedMessagesPerClient: number
  /** Bytes of these, likewise. */
  maximumRetainedBytesPerClient: number
  /** Seconds a session may outlive its connection; longer wishes are cut, and MQTT 5 clients told. 3.x sessions with clean
   * session 0 get this. 4 294 967 295: for ever. */
  maximumSessionExpiryInterval: number
  /** Bytes waiting for one connection above which its publishers are paused, its QoS 1 and 2 messages wait in its queue, and what it
   * sends is not read. */
  outboxHighWaterMark: number
  /** ms publishers are paused for one full connection; then its QoS 0 messages are dropped until it has drained. */
  publisherPause: number
  /** ms that a publisher may lose in a minute by pauses for receivers which then took nothing. After that it waits for no more of them:
   * its QoS 0 messages for a full connection are dropped at once, counted. A receiver that did drain the last time is waited for
   * until twice as many are lost. */
  maximumPublisherPause: number
  /** ms a connection may stay full before it is closed. 0: for ever. */
  drainTimeout: number
  /** ms a client gets to take its last packet and close its side; then the socket is destroyed. */
  closeTimeout: number
  /** Highest QoS a client may publish with; above it the connection ends (0x9B). Subscriptions are granted at most this.
   * Announced to MQTT 5 clients. */
  maximumQoS: number
  /** Without it a PUBLISH or will with RETAIN ends the connection (0x9A). Announced, like the next three, to MQTT 5 clients. */
  retainAvailable: boolean
  /** Messages are delivered with the QoS of the subscription, even when they were published with a lower one. */
  upgradeOutgoingQoS: boolean
  /** Messages of QoS 0, and those for subscriptions of QoS 0, are queued for sessions that wait for their client, too. Needs a store that
   * can do it: those in memory and in a directory can. */
  queueQoS0Messages: boolean
  /** A retained message is sent to a new subscription only if `topicAccess.mayStillPublish` permits its publisher to publish on its
   * topic now. Messages that were retained while this was off, and those of the program, are sent. */
  checkRetainSource: boolean
  /** Whether MQTT 5 clients that allow it are told the reason of a refusal in words (reason strings), beside the code. */
  reasonStrings: boolean
  /** Without it a filter with wildcards is denied (0xA2). */
  wildcardSubscriptionAvailable: boolean
  /** Without it a SUBSCRIBE with a subscription identifier ends the connection (0xA1). */
  subscriptionIdentifiersAvailable: boolean
  /** Without it a shared subscription is denied (0x9E). */
  sharedSubscriptionAvailable: boolean
  /** Who of a shared group gets the next message, among those with room. */
  sharedSubscriptionStrategy: SharedStrategy
  /** Topic aliases used towards one MQTT 5 client, within what it allows; the least recently used one is given a new topic. */
  maximumOutgoingTopicAliases: number
}

const adjustable = [
  'connectTimeout',
  'keepaliveLimit',
  'maxClientsIdLength',
  'maximumClientIdLength',
  'maximumSessions',
  'maximumConnections',
  'maximumPayloadSize',
  'maximumSubscriptionsPerClient',
  'maximumSubscriptionBytesPerClient',
  'maximumSubscriptions',
  'maximumSubscriptionBytes',
  'maximumSharedSubscriptionsPerClient',
  'maximumSharedGroups',
  'maximumInflight',
  'maximumInflightBytes',
  'maximumPacketRate',
  'maximumByteRate',
  'rateTimeout',
  'maximumQueuedMessages',
  'maximumQueuedBytes',
  'queueOverflow',
  'maximumTotalQueuedBytes',
  'maximumWillBytes',
  'maximumRetainedMessagesPerClient',
  'maximumRetainedBytesPerClient',
  'maximumSessionExpiryInterval',
  'publisherPause',
  'maximumPublisherPause',
  'drainTimeout',
  'closeTimeout',
  'upgradeOutgoingQoS',
  'reasonStrings',
] as const

/** The name of a limit that may be changed while the broker runs. */
export type AdjustableLimit = (typeof adjustable)[number]

/** Limits that may be changed while the broker runs. The others are built into tables, or were told to connected clients. */
export const adjustableLimits: readonly AdjustableLimit[] = adjustable

/** The options of a broker with their defaults, as the engine uses them. */
export type CheckedOptions = Readonly<Omit<BrokerLimits, AdjustableLimit>> &
  Pick<BrokerLimits, AdjustableLimit> & {
    readonly id: string
    readonly responseInformation?: string
    readonly trustProxy: boolean
    readonly trustedProxies: readonly string[]
  }

/** Some of the limits; undefined: the default. */
export type GivenLimits = { readonly [Name in keyof BrokerLimits]?: BrokerLimits[Name] | undefined }
