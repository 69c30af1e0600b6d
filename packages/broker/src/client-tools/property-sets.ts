import type { UserProperties } from 'mqtt-packet'
import type { PropertyArgument } from './flags.ts'
import { wrongUsage } from './tool-error.ts'

const commands = ['connect', 'publish', 'subscribe', 'unsubscribe', 'disconnect', 'will'] as const
type PropertyCommand = (typeof commands)[number]

/** The MQTT 5 properties of each packet, under the names that MQTT.js has for them. */
export type PropertySets = Readonly<Record<PropertyCommand, Record<string, unknown>>>

interface Row {
  readonly name: string
  readonly kind: 'flag' | 'number' | 'text' | 'bytes' | 'user'
  readonly in: readonly PropertyCommand[]
}

const message = ['publish', 'will'] as const

/** MQTT 5.0 §2.2.2.2, with Mosquitto's names. */
const table: Readonly<Record<string, Row>> = {
  'payload-format-indicator': { name: 'payloadFormatIndicator', kind: 'flag', in: message },
  'message-expiry-interval': { name: 'messageExpiryInterval', kind: 'number', in: message },
  'content-type': { name: 'contentType', kind: 'text', in: message },
  'response-topic': { name: 'responseTopic', kind: 'text', in: message },
  'correlation-data': { name: 'correlationData', kind: 'bytes', in: message },
  'topic-alias': { name: 'topicAlias', kind: 'number', in: ['publish'] },
  'will-delay-interval': { name: 'willDelayInterval', kind: 'number', in: ['will'] },
  'subscription-identifier': { name: 'subscriptionIdentifier', kind: 'number', in: ['subscribe'] },
  'session-expiry-interval': { name: 'sessionExpiryInterval', kind: 'number', in: ['connect', 'disconnect'] },
  'receive-maximum': { name: 'receiveMaximum', kind: 'number', in: ['connect'] },
  'maximum-packet-size': { name: 'maximumPacketSize', kind: 'number', in: ['connect'] },
  'topic-alias-maximum': { name: 'topicAliasMaximum', kind: 'number', in: ['connect'] },
  'request-response-information': { name: 'requestResponseInformation', kind: 'flag', in: ['connect'] },
  'request-problem-information': { name: 'requestProblemInformation', kind: 'flag', in: ['connect'] },
  'authentication-method': { name: 'authenticationMethod', kind: 'text', in: ['connect'] },
  'authentication-data': { name: 'authenticationData', kind: 'bytes', in: ['connect'] },
  'user-property': { name: 'userProperties', kind: 'user', in: commands },
}

/** Property names of the other packets, which a client does not send. */
const ofOthers: ReadonlySet<string> = new Set([
  'assigned-client-identifier',
  'server-keep-alive',
  'response-information',
  'server-reference',
  'reason-string',
  'maximum-qos',
  'retain-available',
  'wildcard-subscription-available',
  'subscription-identifier-available',
  'shared-subscription-available',
])

/** What `-D` says, packet by packet.
 * @throws ToolError that says what is wrong with one */
export function propertySets(given: readonly PropertyArgument[]): PropertySets {
  const sets = Object.fromEntries(commands.map(command => [command, {}])) as PropertySets
  for (const { command, identifier, values } of given) {
    const row = Object.hasOwn(table, identifier) ? table[identifier] : undefined
    if (!isCommand(command)) throw wrongUsage('Invalid command given in --property argument.')
    if (row === undefined && !ofOthers.has(identifier))
      throw wrongUsage('Invalid property name given in --property argument.')
    if (row?.in.includes(command) !== true)
      throw wrongUsage(`${identifier} property not allowed for ${command} in --property argument.`)
    const set = sets[command]
    set[row.name] = row.kind === 'user' ? withUserProperty(set[row.name], values) : valueOf(row, identifier, values)
  }
  return sets
}

function isCommand(text: string): text is PropertyCommand {
  return commands.some(command => command === text)
}

function valueOf({ kind }: Row, identifier: string, [text = '']: readonly string[]): unknown {
  if (kind === 'text') return text
  if (kind === 'bytes') return Buffer.from(text)
  const number = Number(text)
  if (!/^\d{1,10}$/.test(text) || number > 0xff_ff_ff_ff)
    throw wrongUsage(`${identifier} of --property is '${text}', it must be a number.`)
  return kind === 'flag' ? number !== 0 : number
}

/** One name may come several times. */
function withUserProperty(known: unknown, [name = '', value = '']: readonly string[]): UserProperties {
  const properties = (known ?? Object.create(null)) as UserProperties
  const before = properties[name]
  properties[name] = before === undefined ? value : [before, value].flat()
  return properties
}
