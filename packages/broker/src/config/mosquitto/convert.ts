import type { BrokerLimits } from '@x/broker-core'
import { logLineKinds } from '@x/sys-topics'
import type { LogLineKind } from '@x/sys-topics'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { AccessConfig } from '../access-schema.ts'
import type { HttpApiConfig } from '../admin-schema.ts'
import type { Config, ListenerConfig } from '../schema.ts'
import { bridgeOf } from './bridge.ts'
import { httpApiOf, isHttpApi, listenerOf } from './listener.ts'
import { rulesOf } from './listener-rules.ts'
import { Plugins } from './plugins.ts'
import { MosquittoReader } from './reader.ts'
import { Settings } from './settings.ts'
import type { MosquittoFile } from './settings.ts'

/** A file of Mosquitto's as a configuration, and what its user is told about it. */
export interface Converted {
  readonly config: Config
  readonly notices: readonly string[]
  /** What holds for clients of the listeners that the command line names, where the file has none. */
  readonly rules: ReturnType<typeof rulesOf>
}

/** What holds with Mosquitto unless a file says otherwise, where that differs from here. */
const defaults = {
  maximumInflight: 20,
  maximumQueuedMessages: 1000,
  maximumPacketSize: 2_000_000,
  topicAliases: 10,
  /** Of a CONNECT, and of SUBSCRIBE, UNSUBSCRIBE and AUTH with MQTT 5. */
  connectPacketSize: 100_000,
  /** 200 slashes. */
  topicLevels: 201,
} as const
/** What may wait for all sessions anyway. */
const totalQueuedBytes = 268_435_456
const leastConnectPacketSize = 128
const unlimited = Number.MAX_SAFE_INTEGER
const mostInflight = 65_535
const mostBytesOfId = 65_535
const never = 0xffffffff

/** @throws ConfigProblem with all that is wrong: file, line, value and what it may be, or why it can't be followed */
export function readMosquittoFile(file: string): Converted {
  const read = new MosquittoReader().read(file)
  const { notices, problems } = read
  const config = attempt(problems, () => configOf(read))
  const rules = attempt(problems, () => rulesOf(new Settings(), read.global, read.global))
  if (problems.length > 0 || config === undefined || rules === undefined) throw new ConfigProblem(problems)
  return { config, notices, rules }
}

function attempt<Value>(problems: string[], make: () => Value): Value | undefined {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error
    problems.push(...error.problems)
    return undefined
  }
}

function configOf(file: MosquittoFile): Config {
  const { global, listeners, problems, notices } = file
  const perListener = global.flag('per_listener_settings') === true
  const isLocal = listeners.length === 0
  const [apis, ways] = [listeners.filter(isHttpApi), listeners.filter(one => !isHttpApi(one))]
  const plugins = attempt(problems, () => new Plugins(file.plugins, global)) ?? new Plugins([], global)
  const access = attempt(problems, () => accessOf(plugins, global, undefined)) ?? {}
  const made = <Kind extends ListenerConfig | HttpApiConfig>(settings: Settings, make: () => Kind): Kind[] => {
    const listener = attempt(problems, make)
    const own = attempt(problems, () => ownAccessOf(plugins, settings, { global, perListener }))
    if (listener === undefined) return []
    return [own === undefined ? listener : Object.assign(listener, { access: own })]
  }
  const surroundings = { inflight: inflightOf(global), notices }
  const bridges = file.bridges.flatMap(settings => attempt(problems, () => bridgeOf(settings, surroundings)) ?? [])
  return {
    ...(!isLocal && {
      listeners: ways.flatMap(settings => made(settings, () => listenerOf(settings, { global, perListener }))),
      httpApi: apis.flatMap(settings => made(settings, () => httpApiOf(settings))),
    }),
    access: {
      ...(perListener ? {} : access),
      allowAnonymous: isLocal
        ? global.flag('allow_anonymous') !== false
        : !perListener && access.allowAnonymous === true,
    },
    store: plugins.storeOf(notices),
    ...(bridges.length > 0 && { bridges }),
    limits: attempt(problems, () => limitsOf(file)),
    log: attempt(problems, () => logOf(global)),
    statistics: statisticsOf(global),
    pidFile: global.text('pid_file'),
    user: global.text('user'),
    ...(global.flag('enable_control_api') === true && { controlApi: true }),
  }
}

/** Users and rules of a scope, by its files or by the plugins that read the same files. `listener`: whose plugins hold beside those of
 * all. */
function accessOf(plugins: Plugins, settings: Settings, listener: Settings | undefined): AccessConfig {
  const ofPlugins = plugins.accessOf(listener)
  return {
    ...ofPlugins,
    passwordFile: settings.text('password_file') ?? ofPlugins.passwordFile,
    aclFile: settings.text('acl_file') ?? ofPlugins.aclFile,
    allowAnonymous: (listener?.flag('listener_allow_anonymous') ?? settings.flag('allow_anonymous')) === true,
  }
}

/** Undefined: nothing of it is the listener's own. */
function ownAccessOf(
  plugins: Plugins,
  settings: Settings,
  { global, perListener }: { readonly global: Settings; readonly perListener: boolean },
): AccessConfig | undefined {
  if (perListener) return accessOf(plugins, settings, settings)
  const isOwn = settings.flag('listener_allow_anonymous') !== undefined || plugins.areOf(settings)
  return isOwn ? accessOf(plugins, global, settings) : undefined
}

function limitsOf(file: MosquittoFile): Config['limits'] {
  const { global } = file
  const inflight = inflightOf(global)
  const queued = unlimitedAt(global.whole('max_queued_messages') ?? defaults.maximumQueuedMessages, unlimited)
  const bytes = global.whole('max_queued_bytes') ?? 0
  const packetSize = global.whole('max_packet_size') ?? defaults.maximumPacketSize
  const keepalive = global.whole('max_keepalive')
  return {
    maximumInflight: inflight,
    maxInflightInbound: inflight,
    maximumQueuedMessages: queued,
    queueOverflow: 'dropNewest',
    maximumPacketSize: Math.min(packetSize, 268_435_460),
    maxTopicLevels: defaults.topicLevels,
    maximumConnectPacketSize: Math.max(Math.min(packetSize, defaults.connectPacketSize), leastConnectPacketSize),
    ...(bytes > 0 && { maximumQueuedBytes: bytes }),
    ...(keepalive !== undefined && { keepaliveLimit: keepalive }),
    ...(global.flag('retain_available') === false && { retainAvailable: false }),
    ...(global.flag('upgrade_outgoing_qos') === true && { upgradeOutgoingQoS: true }),
    ...(global.flag('check_retain_source') === true && { checkRetainSource: true }),
    ...(global.flag('queue_qos0_messages') === true && { queueQoS0Messages: true }),
    ...memoryLimitOf(global),
    ...limitOf(global, 'max_inflight_bytes', 'maximumInflightBytes'),
    ...limitOf(global, 'message_size_limit', 'maximumPayloadSize'),
    ...limitOf(global, 'global_max_clients', 'maximumSessions'),
    ...limitOf(global, 'global_max_connections', 'maximumConnections'),
    // Mosquitto sends none.
    reasonStrings: false,
    // MQTT 3.1 allows 23 bytes; Mosquitto does not count.
    maxClientsIdLength: mostBytesOfId,
    maximumSessionExpiryInterval: expiryOf(global),
    topicAliasMaximum: defaults.topicAliases,
    maximumOutgoingTopicAliases: defaults.topicAliases,
  }
}

/** Of what takes memory, messages that wait for sessions are what can be dropped, and what grows while nobody does anything wrong. */
function memoryLimitOf(global: Settings): Partial<BrokerLimits> {
  const bytes = global.whole('memory_limit') ?? 0
  return bytes > 0 && bytes < totalQueuedBytes ? { maximumTotalQueuedBytes: bytes } : {}
}

/** A limit of Mosquitto's, which has none at 0 and below. */
function limitOf(global: Settings, directive: string, name: keyof BrokerLimits): Partial<BrokerLimits> {
  const value = global.whole(directive) ?? 0
  return value > 0 ? { [name]: value } : {}
}

function inflightOf(global: Settings): number {
  return unlimitedAt(global.whole('max_inflight_messages') ?? defaults.maximumInflight, mostInflight)
}

function unlimitedAt(value: number, most: number): number {
  return value <= 0 || value >= most ? most : value
}

const seconds: Readonly<Record<string, number>> = {
  s: 1,
  h: 3600,
  d: 86_400,
  w: 604_800,
  m: 2_592_000,
  y: 31_536_000,
}

function expiryOf(global: Settings): number {
  const setting = global.get('persistent_client_expiration')
  if (setting === undefined) return never
  const [, digits = '', unit = ''] = /^(\d+)([shdwmy])$/.exec(String(setting.value)) ?? []
  const interval = Number(digits) * (seconds[unit] ?? 0)
  if (interval > 0) return Math.min(interval, never)
  const rule = 'it must be a whole number with s, h, d, w, m or y behind it'
  throw new ConfigProblem([
    placed(setting.place, `persistent_client_expiration is '${String(setting.value)}', ${rule}`),
  ])
}

const levels: Readonly<Record<string, NonNullable<NonNullable<Config['log']>['level']>>> = {
  none: 'silent',
  error: 'error',
  warning: 'warn',
  notice: 'info',
  information: 'info',
  all: 'debug',
}
const order = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** Types of lines are levels here: of several, the one that lets most through. */
function logOf(global: Settings): Config['log'] {
  const types = global.all('log_type').map(({ value }) => String(value))
  const counted = types.slice(Math.max(types.lastIndexOf('none'), types.lastIndexOf('all'), 0))
  const ranks = counted.map(type => order.indexOf((levels[type] ?? 'debug') as (typeof order)[number]))
  const level = ranks.length === 0 ? undefined : order[Math.max(...ranks)]
  const destinations = global.all('log_dest')
  const words = destinations.map(({ value, place }) => destinationOf(String(value), place))
  const files = words.filter(word => word.startsWith('file '))
  if (files.length > 1)
    throw new ConfigProblem([placed(destinations.at(-1)?.place ?? { file: '' }, 'log_dest file stands there twice')])
  // None takes back what stands before it.
  const kept = words.slice(Math.max(words.lastIndexOf('none'), 0))
  const file = kept.find(word => word.startsWith('file '))
  const standard = kept.findLast(word => word === 'stdout' || word === 'stderr' || word === 'none')
  const kinds = kept.includes('topic') ? kindsOf(types) : []
  const isElsewhere = file !== undefined || kept.includes('topic')
  return {
    level,
    destination: standard ?? otherwise(isElsewhere, file),
    file: file?.slice('file '.length).trim(),
    ...(kinds.length > 0 && { topics: kinds }),
  }
}

/** Where lines go that have no destination among the standard ones. */
function otherwise(isElsewhere: boolean, file: string | undefined): 'stderr' | 'none' | undefined {
  if (!isElsewhere) return 'stderr'
  return file === undefined ? 'none' : undefined
}

/** Kinds of lines that are published. Debug never is, as with Mosquitto. */
function kindsOf(types: readonly string[]): LogLineKind[] {
  const kinds = new Set<LogLineKind>(types.length === 0 ? ['error', 'warning', 'information'] : [])
  for (const type of types) {
    if (type === 'none') kinds.clear()
    for (const kind of logLineKinds) if (type === 'all' || kind === type) kinds.add(kind)
    if (type === 'notice') kinds.add('information')
  }
  return [...kinds]
}

function destinationOf(text: string, place: { file: string; line?: number }): string {
  const [word = ''] = text.split(' ')
  if (word === 'none' || word === 'stdout' || word === 'stderr' || word === 'topic') return word
  if (word === 'file' && text.length > 'file '.length) return text
  const advice =
    word === 'syslog' || word === 'dlt'
      ? 'is not supported; log to stdout, which systemd and containers keep, or to a file'
      : 'must be none, stdout, stderr, topic or file PATH'
  throw new ConfigProblem([placed(place, `log_dest ${word}: it ${advice}`.replace('it is', 'this is'))])
}

function statisticsOf(global: Settings): Config['statistics'] {
  const interval = global.whole('sys_interval')
  return interval === undefined ? undefined : { interval }
}
