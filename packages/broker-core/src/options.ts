import { randomUUID } from 'node:crypto'
import { optionRules } from '@x/contract'
import type { Clock, Emitter, OptionTable, Persistence, Plugin } from '@x/contract'
import type { HookOptions } from './hooks/hooks.ts'
import { limitRules, limitsOf } from './ground/limit-rules.ts'
import type { BrokerLimits, CheckedOptions } from './ground/limits.ts'
import { assertOptions, optionInvalid } from './ground/option-invalid.ts'
import type { ControlEndpoints } from './hooks/control-endpoint.ts'
import type { TopicAccess } from './hooks/topic-access.ts'

/** Options of a broker. Times are in milliseconds and sizes in bytes, unless the name says otherwise. */
export interface BrokerOptions extends HookOptions, Partial<BrokerLimits> {
  persistence: Persistence
  /** Connects this broker with others; none by default. */
  emitter?: Emitter
  /** Aedes's name for `emitter`. */
  mq?: Emitter
  clock?: Clock
  /** Whether clients may publish and receive, by topic. Also settable on the broker at any time. */
  topicAccess?: TopicAccess | null
  /** Executes what clients publish below `$CONTROL/`, by topic; none of it is routed then. Also settable on the broker at any time. */
  controlEndpoints?: ControlEndpoints | null
  plugins?: readonly Plugin[]
  /** The basis of response topics, for MQTT 5 clients that ask for it. MQTT 5.0 §3.2.2.3.15 */
  responseInformation?: string
  /** Names the broker in `$SYS` topics and to others; a random UUID by default. */
  id?: string
  /** With `trustProxy`, `decodeProtocol` sees the first bytes of each connection. Only for use behind a proxy that writes them. */
  trustProxy?: boolean
  /** Addresses of proxies, for `decodeProtocol` to compare with. */
  trustedProxies?: readonly string[]
}

const { any, flag, functionOrNull, text, texts } = optionRules

const topicAccess = optionRules.has('a TopicAccess', 'mayPublish')

/** The options and the values that each may have. */
export const brokerOptionTable: OptionTable<keyof BrokerOptions> = {
  ...limitRules,
  decodeProtocol: functionOrNull,
  preConnect: functionOrNull,
  authenticate: functionOrNull,
  authenticateEnhanced: functionOrNull,
  authorizePublish: functionOrNull,
  authorizeSubscribe: functionOrNull,
  authorizeForward: functionOrNull,
  published: functionOrNull,
  topicAccess: {
    text: `${topicAccess.text}, or null`,
    allows: (value: unknown) => value === null || topicAccess.allows(value),
  },
  controlEndpoints: {
    text: 'a Map of ControlEndpoints by topic, or null',
    allows: (value: unknown) => value === null || value instanceof Map,
  },
  // Checked in `partsOf`, under the name by which they were given.
  persistence: any,
  emitter: any,
  mq: any,
  clock: optionRules.has('a Clock of @x/contract', 'now', 'monotonic', 'setTimeout', 'clearTimeout'),
  plugins: { text: 'a list of plugins', allows: (value: unknown) => Array.isArray(value) },
  responseInformation: { text: 'a text, the basis of response topics', allows: text.allows },
  id: {
    text: 'a text without +, # and /, since it is a level of $SYS topics',
    allows: (value: unknown) => typeof value === 'string' && value !== '' && !/[+#/\0]/.test(value),
  },
  trustProxy: flag,
  trustedProxies: { text: 'a list of addresses', allows: texts.allows },
}

/** The options with their defaults.
 * @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
export function checkOptions(options: BrokerOptions): CheckedOptions {
  assertOptions(options, brokerOptionTable, 'the broker')
  for (const [index, plugin] of (options.plugins ?? []).entries()) checkPlugin(plugin, index)
  const { id = randomUUID(), responseInformation, trustProxy = false, trustedProxies = [] } = options
  return {
    ...limitsOf(options),
    id,
    trustProxy,
    trustedProxies,
    ...(responseInformation !== undefined && { responseInformation }),
  }
}

function checkPlugin(plugin: unknown, index: number): void {
  if (typeof plugin === 'object' && plugin !== null && 'attach' in plugin && typeof plugin.attach === 'function') return
  const advice = typeof plugin === 'function' ? ': call it, its result is the plugin' : ''
  throw optionInvalid(`plugins[${index}]`, plugin, `a plugin, with the method attach${advice}`)
}
