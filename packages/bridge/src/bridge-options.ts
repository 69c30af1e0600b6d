import type { ConnectionOptions } from 'node:tls'
import { optionProblem, optionRules, systemClock, withDefaults } from '@x/contract'
import type { Clock, OptionTable } from '@x/contract'
import { BridgeError } from './bridge-error.ts'
import { parseAddress } from './remote-address.ts'
import type { RemoteAddress } from './remote-address.ts'
import type { ReconnectDelayOptions } from './reconnect-delay.ts'
import { TopicMap } from './topic-map.ts'
import type { BridgeTopic } from './topic-map.ts'

/** Options of a bridge. */
export interface BridgeOptions {
  /** Names the bridge in logs, errors and, unless the options below say otherwise, client identifiers. */
  readonly name: string
  /** Where the other broker listens: `mqtt://host:1883`, `mqtts://`, `ws://`, `wss://`. Of several, the next is tried when one fails. */
  readonly addresses: string | readonly string[]
  /** While another address is used, goes back to the first as soon as somebody listens there, which is looked for after 5 s, later less
   * often. Default false: the bridge stays where it is. */
  readonly returnToFirst?: boolean
  /** Connections to the other broker, 1 to 16, among which the topics that go out are divided, where one alone is too slow or has a limit of
   * its own. Those after the first have the client identifiers `CLIENTID.1` and so on. To be changed while nothing is under way. Default 1. */
  readonly connections?: number
  /** What is carried, and in which direction; at least one. */
  readonly topics: readonly BridgeTopic[]
  /** 5, 4 (MQTT 3.1.1) or 3 (MQTT 3.1). Default 5; a broker that does not speak it is tried with 4. */
  readonly protocolVersion?: 3 | 4 | 5
  /** Client identifier at the other broker. Default `HOSTNAME.NAME`, and `NAME` where several brokers have one store (Redis). */
  readonly clientId?: string
  /** Client identifier at this broker. Default `local.` and `clientId`. */
  readonly localClientId?: string
  readonly username?: string
  readonly password?: string
  /** The other broker keeps nothing for the bridge while it is away. Default false. */
  readonly clean?: boolean
  /** This broker keeps nothing for the bridge while it is away. Default as `clean`. */
  readonly localClean?: boolean
  /** Seconds that the other broker is asked to keep the session, with MQTT 5.0; 4294967295, the default, is for ever. */
  readonly sessionExpiryInterval?: number
  /** Seconds of Keep Alive, 5 to 65535. Default 60. */
  readonly keepAlive?: number
  /** ms until a connection must stand, CONNACK included, 100 to 600 000. Default 30 000. */
  readonly connectTimeout?: number
  /** ms between attempts: a random time that grows from `least` (1000) to `greatest` (30 000); short again after a connection that
   * lasted `stable` (0). */
  readonly reconnectDelay?: Partial<ReconnectDelayOptions>
  /** `once` does not connect again when a connection is lost. Default `automatic`. */
  readonly startType?: 'automatic' | 'once'
  /** Publishes `1` and `0`, retained, on `notificationTopic` of both brokers, or of this one only (`local`). Default true. */
  readonly notifications?: boolean | 'local'
  /** Default `$SYS/broker/connection/CLIENTID/state`. */
  readonly notificationTopic?: string
  /** Sends UNSUBSCRIBE for topics that go out only, which an earlier configuration may have had come in. Default true. */
  readonly attemptUnsubscribe?: boolean
  /** Passes retain flags on to the other broker. Default true. */
  readonly outgoingRetain?: boolean
  /** Bytes of the largest packet that is sent; the other broker may take less. Default 268 435 460, MQTT's own limit. */
  readonly maximumPacketSize?: number
  /** Messages of QoS 1 and 2 that may be under way in each direction, 1 to 65 535; either broker may allow less. Default 1000. */
  readonly receiveMaximum?: number
  /** Topic aliases that the other broker may use, 0 to 65 535. Default 10. */
  readonly topicAliasMaximum?: number
  /** Announces a bridge by the high bit of the protocol level, before MQTT 5.0: brokers that know it do not send the bridge its own
   * messages. A broker that refuses it is tried without. Default true. */
  readonly tryPrivate?: boolean
  /** Keys, certificates, server name, ALPN, pre-shared key for `mqtts` and `wss`, as Node's `tls.connect` takes them. */
  readonly tls?: ConnectionOptions
  /** Local address to connect from. */
  readonly bindAddress?: string
  /** Marks each message of MQTT 5.0 with the user property `bridge-path`, so that it does not come back; of topics that go both ways, also
   * stops messages that come back the same again and again. Default true. */
  readonly detectLoops?: boolean
  /** Identifier of the other broker, when it is bridged back: what has passed it already is not sent there. */
  readonly remoteId?: string
  /** For tests. */
  readonly clock?: Clock
}

const longest = 4_294_967_295
const largestPacket = 268_435_460

const optionTable: OptionTable<keyof BridgeOptions> = {
  name: {
    text: 'a text without +, #, / and spaces',
    allows: value => typeof value === 'string' && /^[^+#/\s]+$/u.test(value),
  },
  addresses: optionRules.textOrTexts,
  returnToFirst: optionRules.flag,
  connections: optionRules.whole(1, 16),
  topics: {
    text: 'a list of at least one object with filter, direction, qos, localPrefix and remotePrefix',
    allows: value => Array.isArray(value) && value.length > 0,
  },
  protocolVersion: { text: '3, 4 or 5', allows: value => value === 3 || value === 4 || value === 5 },
  clientId: optionRules.text,
  localClientId: optionRules.text,
  username: optionRules.text,
  password: { text: 'a text', allows: value => typeof value === 'string' },
  clean: optionRules.flag,
  localClean: optionRules.flag,
  sessionExpiryInterval: optionRules.whole(0, longest),
  keepAlive: optionRules.whole(5, 65_535),
  connectTimeout: optionRules.whole(100, 600_000),
  reconnectDelay: { text: 'an object with least, greatest and stable', allows: value => typeof value === 'object' },
  startType: optionRules.oneOf('automatic', 'once'),
  notifications: { text: "true, false or 'local'", allows: value => typeof value === 'boolean' || value === 'local' },
  notificationTopic: optionRules.text,
  attemptUnsubscribe: optionRules.flag,
  outgoingRetain: optionRules.flag,
  maximumPacketSize: optionRules.whole(20, largestPacket),
  receiveMaximum: optionRules.whole(1, 65_535),
  topicAliasMaximum: optionRules.whole(0, 65_535),
  tryPrivate: optionRules.flag,
  tls: {
    text: "an object as Node's tls.connect takes it",
    allows: value => typeof value === 'object' && value !== null,
  },
  bindAddress: optionRules.text,
  detectLoops: optionRules.flag,
  remoteId: optionRules.text,
  clock: optionRules.has('a Clock of @x/contract', 'now', 'setTimeout', 'clearTimeout'),
}

const topicTable: OptionTable<keyof BridgeTopic> = {
  filter: { text: 'a text', allows: value => typeof value === 'string' },
  direction: optionRules.oneOf('in', 'out', 'both'),
  qos: { text: '0, 1 or 2', allows: value => value === 0 || value === 1 || value === 2 },
  localPrefix: { text: 'a text', allows: value => typeof value === 'string' },
  remotePrefix: { text: 'a text', allows: value => typeof value === 'string' },
}

const delayTable: OptionTable<keyof ReconnectDelayOptions> = {
  least: optionRules.whole(0, 3_600_000),
  greatest: optionRules.whole(0, 7_200_000),
  stable: optionRules.whole(0, 86_400_000),
}

/** With every default filled in. */
export interface CheckedOptions extends Required<
  Omit<BridgeOptions, 'addresses' | 'topics' | 'username' | 'password' | 'bindAddress' | 'remoteId' | 'reconnectDelay'>
> {
  readonly addresses: readonly RemoteAddress[]
  readonly topics: TopicMap
  readonly username: string | undefined
  readonly password: string | undefined
  readonly bindAddress: string | undefined
  readonly remoteId: string | undefined
  readonly reconnectDelay: ReconnectDelayOptions
}

/** @param hostname - begins the client identifier; undefined: other hosts have the same bridge
 * @throws BridgeError `BRIDGE_OPTION_INVALID`, naming the option, its value and what it may be */
export function checkOptions(options: BridgeOptions, hostname: string | undefined): CheckedOptions {
  check(options, optionTable, 'bridge')
  for (const name of ['name', 'addresses', 'topics'] as const) {
    if (options[name] === undefined)
      throw invalid(`option ${name} of bridge is missing, it must be ${optionTable[name].text}`)
  }
  for (const [index, topic] of options.topics.entries()) {
    check(topic, topicTable, `topics[${index}]`)
    if (topic.filter === undefined) throw invalid(`topics[${index}].filter is missing, it must be a text`)
  }
  check(options.reconnectDelay ?? {}, delayTable, 'reconnectDelay')
  const ownName = hostname === undefined ? options.name : `${hostname}.${options.name}`
  const { addresses, topics, clean = false, clientId = ownName, ...rest } = options
  const reconnectDelay = withDefaults(options.reconnectDelay ?? {}, { least: 1000, greatest: 30_000, stable: 0 })
  if (reconnectDelay.greatest < reconnectDelay.least) {
    throw invalid(
      `reconnectDelay.greatest is ${reconnectDelay.greatest}, it must not be below reconnectDelay.least of ${reconnectDelay.least}`,
    )
  }
  return {
    ...defaults,
    username: undefined,
    password: undefined,
    bindAddress: undefined,
    remoteId: undefined,
    clientId,
    clean,
    localClean: clean,
    localClientId: `local.${clientId}`,
    notificationTopic: `$SYS/broker/connection/${clientId}/state`,
    ...withoutUndefined(rest),
    reconnectDelay,
    addresses: [addresses].flat().map(parseAddress),
    topics: new TopicMap(topics),
  }
}

const defaults = {
  returnToFirst: false,
  connections: 1,
  protocolVersion: 5,
  sessionExpiryInterval: longest,
  keepAlive: 60,
  connectTimeout: 30_000,
  startType: 'automatic',
  notifications: true,
  attemptUnsubscribe: true,
  outgoingRetain: true,
  maximumPacketSize: largestPacket,
  receiveMaximum: 1000,
  topicAliasMaximum: 10,
  tryPrivate: true,
  tls: {},
  detectLoops: true,
  clock: systemClock,
} as const

function check(options: unknown, table: OptionTable, owner: string): void {
  const problem = optionProblem(options, table, owner)
  if (problem !== undefined) throw invalid(owner === 'bridge' ? problem : `${owner}: ${problem}`)
}

function invalid(message: string): BridgeError {
  return new BridgeError('BRIDGE_OPTION_INVALID', message)
}

function withoutUndefined<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options
}
