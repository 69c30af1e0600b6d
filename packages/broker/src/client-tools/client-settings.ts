import type { IClientOptions } from 'mqtt'
import { TopicError, parseTopicName } from '@x/topic-trie'
import type { Flags } from './flags.ts'
import { propertySets } from './property-sets.ts'
import type { PropertySets } from './property-sets.ts'
import { tlsOf } from './client-tls.ts'
import type { ClientTls } from './client-tls.ts'
import { wrongUsage } from './tool-error.ts'

const plainPort = 1883
const tlsPort = 8883
const neverExpires = 0xff_ff_ff_ff
const defaultKeepAlive = 60

type QoS = 0 | 1 | 2

/** How a tool reaches its broker, and as whom. */
export interface ClientSettings {
  readonly host: string
  readonly port: number
  /** In place of host and port. */
  readonly socketPath: string | undefined
  readonly bindAddress: string | undefined
  /** Undefined: no TLS. */
  readonly tls: ClientTls | undefined
  readonly version: 3 | 4 | 5
  readonly clientId: string
  readonly clean: boolean
  readonly keepAlive: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly will: NonNullable<IClientOptions['will']> | undefined
  readonly qos: QoS
  readonly properties: PropertySets
  readonly isDebug: boolean
  readonly isQuiet: boolean
  /** That a URL names. */
  readonly topicOfUrl: string | undefined
}

/** @throws ToolError that says what is wrong with the command line */
export function clientSettings(flags: Flags): ClientSettings {
  const url = urlOf(flags)
  const properties = propertySets(flags.properties)
  const version = versionOf(flags)
  const givenPort = flags.whole('port', [1, 65_535], text => `Invalid port given: ${text}`)
  const port = givenPort ?? url?.port
  const tls = tlsOf(flags, { isWanted: url?.isTls === true || port === tlsPort })
  const clean = !flags.has('keepSession')
  const expiry = expiryOf(flags) ?? (clean ? undefined : neverExpires)
  if (expiry !== undefined) properties.connect['sessionExpiryInterval'] ??= expiry
  const username = flags.text('username') ?? url?.username
  const password = flags.text('password') ?? url?.password
  // MQTT 3.1.1 has no password without a user name.
  if (password !== undefined && username === undefined && version !== 5)
    throw wrongUsage('Problem setting username and/or password.')
  return {
    host: flags.text('host') ?? url?.host ?? 'localhost',
    port: port ?? (tls === undefined ? plainPort : tlsPort),
    socketPath: flags.text('unix'),
    bindAddress: flags.text('bind'),
    tls,
    version,
    clientId: idOf(flags, { clean, version }),
    clean,
    keepAlive:
      flags.whole(
        'keepAlive',
        [5, 65_535],
        () => 'Invalid keepalive given, it must be between 5 and 65535 inclusive.\n',
      ) ?? defaultKeepAlive,
    username,
    password,
    will: willOf(flags, properties),
    qos: (flags.whole('qos', [0, 2], text => `Invalid QoS given: ${text}`) ?? 0) as QoS,
    properties,
    isDebug: flags.has('debug'),
    isQuiet: flags.has('quiet'),
    topicOfUrl: url?.topic,
  }
}

/** @throws ToolError when it is not the name of a topic */
export function checkedTopic(topic: string, what: string): string {
  try {
    parseTopicName(topic)
    return topic
  } catch (error) {
    if (!(error instanceof TopicError)) throw error
    throw wrongUsage(`Invalid ${what} topic '${topic}', does it contain '+' or '#'?`)
  }
}

const versions: Readonly<Record<string, 3 | 4 | 5>> = {
  mqttv31: 3,
  '31': 3,
  mqttv311: 4,
  '311': 4,
  mqttv5: 5,
  '5': 5,
}

/** Properties are of MQTT 5, and so are requests. */
function versionOf(flags: Flags): 3 | 4 | 5 {
  const text = flags.text('protocol')
  if (text === undefined) return flags.properties.length > 0 || flags.tool === 'rr' ? 5 : 4
  const version = Object.hasOwn(versions, text) ? versions[text] : undefined
  if (version === undefined) throw wrongUsage('Invalid protocol version argument given.\n')
  return version
}

function idOf(flags: Flags, { clean, version }: { readonly clean: boolean; readonly version: number }): string {
  const [id, prefix] = [flags.text('id'), flags.text('idPrefix')]
  if (id !== undefined && prefix !== undefined) throw wrongUsage('-i and -I argument cannot be used together.\n')
  if (id !== undefined) return id
  if (prefix !== undefined) return `${prefix}${process.pid}`
  if (!clean) throw wrongUsage('You must provide a client id if you are using the -c option.')
  // MQTT 3.1 knows no empty identifier.
  return version === 3 ? `x-broker-${flags.tool}-${process.pid}` : ''
}

function expiryOf(flags: Flags): number | undefined {
  const text = flags.text('sessionExpiry')
  if (text === undefined) return undefined
  if (text === '∞' || text === '-1') return neverExpires
  return flags.whole('sessionExpiry', [0, neverExpires], () => 'session-expiry-interval not a number.\n')
}

function willOf(flags: Flags, { will }: PropertySets): ClientSettings['will'] {
  const topic = flags.text('willTopic')
  const qos = flags.whole('willQos', [0, 2], text => `Invalid will QoS ${text}.\n`)
  if (topic === undefined) {
    if (flags.has('willPayload')) throw wrongUsage('Will payload given, but no will topic given.')
    if (flags.has('willRetain')) throw wrongUsage('Will retain given, but no will topic given.')
    return undefined
  }
  return {
    topic: checkedTopic(topic, 'will'),
    payload: Buffer.from(flags.text('willPayload') ?? ''),
    qos: (qos ?? 0) as QoS,
    retain: flags.has('willRetain'),
    ...(Object.keys(will).length > 0 && { properties: will }),
  }
}

interface GivenUrl {
  readonly host: string
  readonly port: number | undefined
  readonly isTls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly topic: string
}

function urlOf(flags: Flags): GivenUrl | undefined {
  const text = flags.text('url')
  if (text === undefined) return undefined
  const [, scheme, rest = ''] = /^(mqtts?):\/\/(.*)$/.exec(text) ?? []
  if (scheme === undefined) throw wrongUsage('unsupported URL scheme.\n')
  const slash = rest.indexOf('/')
  if (slash === -1) throw wrongUsage('Invalid URL for -L argument specified - topic missing.')
  if (!URL.canParse(`http://${rest.slice(0, slash)}`)) throw wrongUsage('Invalid URL for -L argument specified.')
  const { hostname, port, username, password } = new URL(`http://${rest.slice(0, slash)}`)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    // The port that URL leaves out as it is http's.
    port: port === '' ? (rest.slice(0, slash).endsWith(':80') ? 80 : undefined) : Number(port),
    isTls: scheme === 'mqtts',
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
    topic: rest.slice(slash + 1),
  }
}
