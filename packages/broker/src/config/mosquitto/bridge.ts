import type { BridgeConfig, BridgeTopicConfig } from '../bridge-schema.ts'
import { problemOfBridge } from '../bridges.ts'
import { ConfigProblem, placed } from '../config-problem.ts'
import { bridgeAddressesOf } from './bridge-address.ts'
import { bridgeDelayOf } from './bridge-delay.ts'
import { bridgeTlsOf } from './bridge-tls.ts'
import { bridgeTopicOf, isRepeated } from './bridge-topic.ts'
import type { Settings } from './settings.ts'
import { wholeOf } from './values.ts'

const versions: Readonly<Record<string, 3 | 4 | 5>> = { mqttv31: 3, mqttv311: 4, mqttv50: 5 }
const leastPacket = 20
const mostPacket = 268_435_460
const leastKeepAlive = 5

/** What a bridge needs to know beside its own section. */
export interface BridgeSurroundings {
  /** `max_inflight_messages` */
  readonly inflight: number
  /** What the user is told is added. */
  readonly notices: string[]
}

/** A `connection` of Mosquitto's.
 * @throws ConfigProblem */
export function bridgeOf(settings: Settings, { inflight, notices }: BridgeSurroundings): BridgeConfig {
  const name = settings.text('connection') ?? ''
  const start = settings.place ?? { file: 'connection' }
  for (const needed of ['address', 'topic'] as const) {
    if (settings.get(needed) === undefined) {
      throw new ConfigProblem([placed(start, `connection ${name} has no ${needed}`)])
    }
  }
  const tls = bridgeTlsOf(settings, notices)
  const protocolVersion = versionOf(settings)
  tellOfOthers(settings, notices)
  const clean = settings.flag('cleansession') ?? false
  const addresses = addressesOf(settings, tls === undefined ? 'mqtt' : 'mqtts')
  const config: BridgeConfig = {
    name,
    addresses,
    ...(addresses.length > 1 && settings.flag('round_robin') !== true && { returnToFirst: true }),
    topics: topicsOf(settings, notices),
    protocolVersion,
    clientId: settings.text('remote_clientid'),
    localClientId: settings.text('local_clientid'),
    username: settings.text('remote_username'),
    password: passwordOf(settings, protocolVersion),
    clean,
    localClean: settings.flag('local_cleansession') ?? clean,
    sessionExpiryInterval: settings.whole('bridge_session_expiry_interval') ?? 0,
    keepAlive: keepAliveOf(settings, notices),
    reconnectDelay: delayOf(settings, notices),
    startType: settings.text('start_type') === 'once' ? 'once' : 'automatic',
    notifications: notificationsOf(settings),
    notificationTopic: settings.text('notification_topic'),
    attemptUnsubscribe: settings.flag('bridge_attempt_unsubscribe') ?? true,
    outgoingRetain: settings.flag('bridge_outgoing_retain') ?? true,
    maximumPacketSize: packetSizeOf(settings),
    receiveMaximum: settings.whole('bridge_receive_maximum') ?? inflight,
    topicAliasMaximum: settings.whole('bridge_max_topic_alias') ?? 10,
    tryPrivate: settings.flag('try_private') ?? true,
    bindAddress: settings.text('bridge_bind_address'),
    tls,
  }
  const problem = problemOfBridge(config)
  if (problem !== undefined) throw new ConfigProblem([placed(start, `connection ${name}: ${problem}`)])
  return config
}

/** @throws ConfigProblem with the place of the directive, of what `make` throws as a RangeError */
function attempted<Value>(settings: Settings, name: string, make: (text: string | undefined) => Value): Value {
  const setting = settings.get(name)
  try {
    return make(settings.text(name))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConfigProblem([placed(setting?.place ?? { file: name }, `${name} ${error.message}`)])
  }
}

function versionOf(settings: Settings): 3 | 4 | 5 {
  return attempted(settings, 'bridge_protocol_version', (text = 'mqttv311') => {
    const version = Object.hasOwn(versions, text) ? versions[text] : undefined
    if (version === undefined) throw new RangeError(`is '${text}', it must be ${Object.keys(versions).join(', ')}`)
    return version
  })
}

function addressesOf(settings: Settings, protocol: 'mqtt' | 'mqtts'): string[] {
  return attempted(settings, 'address', (text = '') => bridgeAddressesOf(text, protocol))
}

/** Collects what is wrong with all of them. */
function topicsOf(settings: Settings, notices: string[]): BridgeTopicConfig[] {
  const topics: BridgeTopicConfig[] = []
  const problems: string[] = []
  for (const { value, place } of settings.all('topic')) {
    try {
      const topic = bridgeTopicOf(String(value))
      if (topics.some(earlier => isRepeated(topic, earlier))) {
        notices.push(placed(place, `topic ${String(value)}: an earlier one says the same, so this one is skipped`))
      } else topics.push(topic)
      const fault = problemOfBridge({ name: 'topic', addresses: 'mqtt://host', topics: [topic] })
      if (fault !== undefined) problems.push(placed(place, fault.replace(/^topics\[0\]/, 'topic')))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      problems.push(placed(place, `topic ${error.message}`))
    }
  }
  if (problems.length > 0) throw new ConfigProblem(problems)
  return topics
}

function passwordOf(settings: Settings, version: 3 | 4 | 5): string | undefined {
  const password = settings.text('remote_password')
  if (password === undefined || version === 5 || settings.text('remote_username') !== undefined) return password
  return attempted(settings, 'remote_password', () => {
    throw new RangeError('needs remote_username before MQTT 5.0')
  })
}

function keepAliveOf(settings: Settings, notices: string[]): number {
  const setting = settings.get('keepalive_interval')
  const seconds = settings.whole('keepalive_interval') ?? 60
  if (setting !== undefined && seconds < leastKeepAlive) {
    notices.push(placed(setting.place, `keepalive_interval is ${seconds}: ${leastKeepAlive} is taken`))
  }
  return Math.max(seconds, leastKeepAlive)
}

function delayOf(settings: Settings, notices: string[]): NonNullable<BridgeConfig['reconnectDelay']> {
  const told: string[] = []
  const delay = attempted(settings, 'restart_timeout', (text = '5 30 0') => bridgeDelayOf(text, told))
  const place = settings.get('restart_timeout')?.place
  if (place !== undefined) notices.push(...told.map(sentence => placed(place, `restart_timeout: ${sentence}`)))
  return delay
}

function notificationsOf(settings: Settings): boolean | 'local' {
  if (settings.flag('notifications') === false) return false
  return settings.flag('notifications_local_only') === true ? 'local' : true
}

function packetSizeOf(settings: Settings): number | undefined {
  const size = settings.whole('bridge_max_packet_size') ?? 0
  if (size <= 0) return undefined
  return attempted(settings, 'bridge_max_packet_size', () => {
    if (size < leastPacket) throw new RangeError(`is ${size}, x-broker takes 0 and whole numbers from ${leastPacket}`)
    return Math.min(size, mostPacket)
  })
}

/** What is followed by other means must be well-formed all the same. */
function tellOfOthers(settings: Settings, notices: string[]): void {
  attempted(settings, 'bridge_tcp_keepalive', text => {
    const words = text?.split(' ').filter(word => word !== '') ?? []
    if (text === undefined) return
    if (words.length < 3) throw new RangeError(`is '${text}', it must be three whole numbers`)
    for (const word of words.slice(0, 3)) wholeOf(word, { least: 1, greatest: 2_147_483_647 })
  })
  const insecure = settings.get('bridge_insecure')
  if (insecure?.value === true && settings.get('bridge_psk') === undefined) {
    notices.push(placed(insecure.place, 'bridge_insecure: a certificate for another host is taken, too'))
  }
}
