import { basename, join } from 'node:path'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { AccessConfig, Config } from '../schema.ts'
import { bridgeOf } from './bridge.ts'
import { listenerOf } from './listener.ts'
import { MosquittoReader } from './reader.ts'
import type { MosquittoFile, PluginSettings, Settings } from './settings.ts'

/** A file of Mosquitto's as a configuration, and what its user is told about it. */
export interface Converted {
  readonly config: Config
  readonly notices: readonly string[]
}

/** What holds with Mosquitto unless a file says otherwise, where that differs from here. */
const defaults = { maximumInflight: 20, maximumQueuedMessages: 1000, maximumPacketSize: 2_000_000 } as const
const leastPacketSize = 128
const unlimited = Number.MAX_SAFE_INTEGER
const mostInflight = 65_535
const never = 0xffffffff

/** @throws ConfigProblem with all that is wrong: file, line, value and what it may be, or why it can't be followed */
export function readMosquittoFile(file: string): Converted {
  const read = new MosquittoReader().read(file)
  const { notices, problems } = read
  const config = attempt(problems, () => configOf(read))
  if (problems.length > 0 || config === undefined) throw new ConfigProblem(problems)
  return { config, notices }
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
  const made = listeners.flatMap(settings => attempt(problems, () => listenerOf(settings, global)) ?? [])
  const access = attempt(problems, () => accessOf(file, global, undefined)) ?? {}
  const surroundings = { inflight: inflightOf(global), notices }
  const bridges = file.bridges.flatMap(settings => attempt(problems, () => bridgeOf(settings, surroundings)) ?? [])
  return {
    ...(!isLocal && {
      listeners: made.map((listener, index) => {
        const settings = listeners[index] as Settings
        const own = perListener ? accessOf(file, settings, settings) : overriding(access, settings)
        return own === undefined ? listener : Object.assign(listener, { access: own })
      }),
    }),
    access: {
      ...(perListener ? {} : access),
      allowAnonymous: isLocal || (!perListener && access.allowAnonymous === true),
      clientIdPrefix: global.text('clientid_prefixes'),
    },
    store:
      global.flag('persistence') === true
        ? { data: join(global.text('persistence_location') ?? '.', 'x-broker') }
        : { memory: true },
    ...(bridges.length > 0 && { bridges }),
    limits: attempt(problems, () => limitsOf(file)),
    log: attempt(problems, () => logOf(global)),
    statistics: attempt(problems, () => statisticsOf(global)),
    pidFile: global.text('pid_file'),
    user: global.text('user'),
  }
}

/** Users and rules of a scope, by its files or by the plugins that read the same files. */
function accessOf({ plugins }: MosquittoFile, settings: Settings, listener: Settings | undefined): AccessConfig {
  const own = plugins.filter(plugin => plugin.listener === listener)
  const anonymous = (listener?.flag('listener_allow_anonymous') ?? settings.flag('allow_anonymous')) === true
  return {
    passwordFile: settings.text('password_file') ?? fileOfPlugin(own, 'password'),
    aclFile: settings.text('acl_file') ?? fileOfPlugin(own, 'acl'),
    allowAnonymous: anonymous,
  }
}

function overriding(access: AccessConfig, settings: Settings): AccessConfig | undefined {
  const allowAnonymous = settings.flag('listener_allow_anonymous')
  return allowAnonymous === undefined ? undefined : { ...access, allowAnonymous }
}

const instead =
  'plugins of Mosquitto are machine code for Mosquitto alone; known are mosquitto_password_file and mosquitto_acl_file'

function fileOfPlugin(plugins: readonly PluginSettings[], kind: 'password' | 'acl'): string | undefined {
  for (const { path, place, options } of plugins) {
    const name = basename(path).replace(/\.\w+$/, '')
    if (name !== 'mosquitto_password_file' && name !== 'mosquitto_acl_file') {
      throw new ConfigProblem([placed(place, `plugin ${path}: ${instead}`)])
    }
    const option = name.replace('mosquitto_', '')
    const unknown = [...options.keys()].find(one => one !== option)
    if (unknown !== undefined || !options.has(option)) {
      throw new ConfigProblem([placed(place, `plugin ${path} needs plugin_opt_${option}, and knows no other option`)])
    }
    if (option === `${kind}_file`) return options.get(option)
  }
  return undefined
}

function limitsOf(file: MosquittoFile): Config['limits'] {
  const { global, listeners } = file
  const inflight = inflightOf(global)
  const queued = unlimitedAt(global.whole('max_queued_messages') ?? defaults.maximumQueuedMessages, unlimited)
  const bytes = global.whole('max_queued_bytes') ?? 0
  const packet = global.get('max_packet_size')
  const packetSize = typeof packet?.value === 'number' ? packet.value : defaults.maximumPacketSize
  if (packet !== undefined && packetSize < leastPacketSize) {
    throw new ConfigProblem([
      placed(packet.place, `max_packet_size is ${packetSize}, x-broker takes whole numbers from ${leastPacketSize}`),
    ])
  }
  const keepalive = global.whole('max_keepalive')
  const maximumQoS = sameOf(file, 'max_qos')
  const aliases = sameOf(file, 'max_topic_alias')
  const outgoing = sameOf(file, 'max_topic_alias_broker')
  return {
    maximumInflight: inflight,
    maxInflightInbound: inflight,
    maximumQueuedMessages: queued,
    queueOverflow: 'dropNewest',
    maximumPacketSize: Math.min(packetSize, 268_435_460),
    ...(bytes > 0 && { maximumQueuedBytes: bytes }),
    ...(keepalive !== undefined && { keepaliveLimit: keepalive }),
    ...(global.flag('retain_available') === false && { retainAvailable: false }),
    maximumSessionExpiryInterval: expiryOf(global),
    ...(maximumQoS !== undefined && { maximumQoS }),
    ...(listeners.length > 0 && { topicAliasMaximum: aliases ?? 10, maximumOutgoingTopicAliases: outgoing ?? 10 }),
  }
}

function inflightOf(global: Settings): number {
  return unlimitedAt(global.whole('max_inflight_messages') ?? defaults.maximumInflight, mostInflight)
}

function unlimitedAt(value: number, most: number): number {
  return value <= 0 || value >= most ? most : value
}

/** What listeners of Mosquitto have one by one, and this broker for all of them. */
function sameOf({ listeners }: MosquittoFile, name: string): number | undefined {
  const values = new Set(listeners.map(listener => listener.whole(name)))
  if (values.size <= 1) return [...values][0]
  const place = listeners.find(listener => listener.get(name) !== undefined)?.get(name)?.place ?? { file: name }
  throw new ConfigProblem([placed(place, `${name} differs between listeners; x-broker has one value for all of them`)])
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
  const [file] = files
  if (files.length > 1)
    throw new ConfigProblem([placed(destinations.at(-1)?.place ?? { file: '' }, 'log_dest file stands there twice')])
  const rest = words.findLast(word => !word.startsWith('file ')) as 'stdout' | 'stderr' | 'none' | undefined
  return {
    level,
    destination: rest ?? (file === undefined ? 'stderr' : undefined),
    file: file?.slice('file '.length).trim(),
  }
}

function destinationOf(text: string, place: { file: string; line?: number }): string {
  const [word = ''] = text.split(' ')
  if (word === 'none' || word === 'stdout' || word === 'stderr') return word
  if (word === 'file' && text.length > 'file '.length) return text
  const advice =
    word === 'syslog' || word === 'dlt' || word === 'topic'
      ? 'is not supported; log to stdout, which systemd and containers keep, or to a file'
      : 'must be none, stdout, stderr or file PATH'
  throw new ConfigProblem([placed(place, `log_dest ${word}: it ${advice}`.replace('it is', 'this is'))])
}

const longestInterval = 3600

function statisticsOf(global: Settings): Config['statistics'] {
  const setting = global.get('sys_interval')
  if (setting === undefined) return undefined
  const interval = Number(setting.value)
  if (interval <= longestInterval) return { interval }
  throw new ConfigProblem([
    placed(setting.place, `sys_interval is ${interval}, x-broker takes whole numbers from 0 to ${longestInterval}`),
  ])
}
